//! A small tree of CBOR values that a test can bend before it is written.
//! It is written by another encoder than the authority's own.

use std::convert::Infallible;

use minicbor::Encoder;

/// One CBOR item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(i64, Value)>),
    Float(f32),
    Bool(bool),
    Null,
    /// Bytes that stand as they are, deterministic or not.
    Raw(Vec<u8>),
}

impl Value {
    /// The encoded bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    /// This value with the item at `path` replaced; a path goes by key or index.
    pub(crate) fn with(&self, path: &[i64], item: Value) -> Value {
        let mut bent = self.clone();
        *bent.at_mut(path) = item;
        bent
    }

    /// This map without one key.
    pub(crate) fn without(&self, key: i64) -> Value {
        let Value::Map(pairs) = self else { panic!("only a map has keys") };
        Value::Map(pairs.iter().filter(|pair| pair.0 != key).cloned().collect())
    }

    /// This map with one pair more at its end.
    pub(crate) fn and(&self, key: i64, item: Value) -> Value {
        let Value::Map(pairs) = self else { panic!("only a map has keys") };
        Value::Map(pairs.iter().cloned().chain([(key, item)]).collect())
    }

    /// The item at `path`.
    pub(crate) fn at(&self, path: &[i64]) -> &Value {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        match self {
            Value::Map(pairs) => {
                pairs.iter().find(|pair| pair.0 == *first).expect("the path's key").1.at(rest)
            }
            Value::Array(items) => items[usize::try_from(*first).expect("an index")].at(rest),
            _ => panic!("the path ends early"),
        }
    }

    fn at_mut(&mut self, path: &[i64]) -> &mut Value {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        match self {
            Value::Map(pairs) => pairs
                .iter_mut()
                .find(|pair| pair.0 == *first)
                .expect("the path's key")
                .1
                .at_mut(rest),
            Value::Array(items) => items[usize::try_from(*first).expect("an index")].at_mut(rest),
            _ => panic!("the path ends early"),
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let mut encoder = Encoder::new(&mut *bytes);
        let done: Result<_, minicbor::encode::Error<Infallible>> = match self {
            Value::Int(value) => encoder.i64(*value).map(drop),
            Value::Bytes(value) => encoder.bytes(value).map(drop),
            Value::Text(value) => encoder.str(value).map(drop),
            Value::Float(value) => encoder.f32(*value).map(drop),
            Value::Bool(value) => encoder.bool(*value).map(drop),
            Value::Null => encoder.null().map(drop),
            Value::Array(items) => encoder.array(items.len() as u64).map(drop),
            Value::Map(pairs) => encoder.map(pairs.len() as u64).map(drop),
            Value::Raw(_) => Ok(()),
        };
        done.expect("a vector takes all bytes");
        match self {
            Value::Array(items) => items.iter().for_each(|item| item.write(bytes)),
            Value::Map(pairs) => pairs.iter().for_each(|(key, item)| {
                Value::Int(*key).write(bytes);
                item.write(bytes);
            }),
            Value::Raw(raw) => bytes.extend_from_slice(raw),
            _ => (),
        }
    }
}

/// A text.
pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// A map of pairs with keys from 0.
pub(crate) fn fields<const N: usize>(items: [Value; N]) -> Value {
    Value::Map((0..).zip(items).collect())
}

/// An array.
pub(crate) fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(items.into())
}
