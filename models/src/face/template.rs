//! Face templates: a unit vector, the strength it had before, and the weights it
//! came from; or what a vendor's engine made, which only that engine can read. Their
//! bytes are stable; their contents never print.

use std::fmt;

use crate::ModelId;

/// A face as a vector of unit length, or as a vendor's engine describes it.
#[derive(Clone, PartialEq)]
pub struct FaceTemplate {
    content: Content,
    strength: f32,
    model: String,
}

#[derive(Clone, PartialEq)]
pub(super) enum Content {
    /// Of unit length.
    Vector(Vec<f32>),
    /// Only the engine that made it knows what it says.
    Vendor(Vec<u8>),
}

/// Why bytes are not a face template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Another format, or none.
    #[error("these bytes are not a face template")]
    Format,
    /// The length does not agree with the contents.
    #[error("the face template is cut or too long")]
    Length,
    /// The numbers are not a unit vector.
    #[error("the face template is damaged")]
    Values,
    /// It cannot be compared with the others on file.
    #[error("the face template comes from other weights")]
    OtherWeights,
}

/// Cosine of two templates of our networks, -1..1. Templates of different weights tell
/// nothing about each other and compare as 0.
pub(super) fn cosine(a: &FaceTemplate, b: &FaceTemplate) -> f32 {
    match (&a.content, &b.content) {
        (Content::Vector(x), Content::Vector(y)) if a.is_comparable_with(b) => {
            x.iter().zip(y).map(|(a, b)| a * b).sum()
        }
        _ => 0.0,
    }
}

impl FaceTemplate {
    /// Length of the embedding before it was made a unit vector; poor faces have
    /// short ones (about 3.9 live, below 3 blurred or dark).
    pub fn strength(&self) -> f32 {
        self.strength
    }

    /// First 16 hex digits of the weights or the engine it came from.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether both came from the same weights or the same engine.
    pub fn is_comparable_with(&self, other: &Self) -> bool {
        let same_kind = match (&self.content, &other.content) {
            (Content::Vector(a), Content::Vector(b)) => a.len() == b.len(),
            (Content::Vendor(_), Content::Vendor(_)) => true,
            _ => false,
        };
        same_kind && self.model == other.model
    }

    /// Whether both are of one view, so that the second adds nothing to the first. A
    /// vendor's templates show it only by being the same.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        match &self.content {
            Content::Vector(_) => cosine(self, other) >= SAME_VIEW,
            Content::Vendor(_) => self.content == other.content,
        }
    }

    /// The vector of our networks in the first stored form, little-endian: `CQF1`, the
    /// weights (8), strength (f32), count (u16), values (f32 each). A vendor's template
    /// has none: see [`super::FaceGallery::to_bytes`].
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let Content::Vector(values) = &self.content else { return None };
        let mut bytes = Vec::with_capacity(HEAD + 4 * values.len());
        bytes.extend(MAGIC);
        bytes.extend(self.model_bytes());
        bytes.extend(self.strength.to_le_bytes());
        bytes.extend((values.len() as u16).to_le_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        Some(bytes)
    }

    /// Reads that form back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        if !bytes.starts_with(MAGIC) {
            return Err(TemplateError::Format);
        }
        if bytes.len() < HEAD {
            return Err(TemplateError::Length);
        }
        let n = usize::from(u16::from_le_bytes([bytes[16], bytes[17]]));
        if bytes.len() != HEAD + 4 * n {
            return Err(TemplateError::Length);
        }
        Self::from_parts(&bytes[4..12], float(&bytes[12..16]), &bytes[HEAD..])
    }

    /// From the stored weights, strength and values.
    pub(super) fn from_parts(
        model: &[u8],
        strength: f32,
        values: &[u8],
    ) -> Result<Self, TemplateError> {
        let values: Vec<f32> = values.chunks_exact(4).map(float).collect();
        let sound = (norm(&values) - 1.0).abs() < 1e-3 && strength.is_finite();
        let content = Content::Vector(values);
        let template = Self { content, strength, model: in_words(model) };
        sound.then_some(template).ok_or(TemplateError::Values)
    }

    /// From what a vendor's engine made, as it is stored.
    pub(super) fn from_vendor_parts(
        model: &[u8],
        strength: f32,
        bytes: &[u8],
    ) -> Result<Self, TemplateError> {
        if bytes.is_empty() || !strength.is_finite() {
            return Err(TemplateError::Values);
        }
        Ok(Self { content: Content::Vendor(bytes.to_vec()), strength, model: in_words(model) })
    }

    /// What a vendor's engine made just now.
    pub(super) fn of_vendor(bytes: Vec<u8>, strength: f32, engine: &ModelId) -> Self {
        Self { content: Content::Vendor(bytes), strength, model: engine.sha16.clone() }
    }

    /// The weights as they are stored, eight bytes.
    pub(super) fn model_bytes(&self) -> Vec<u8> {
        let digits = self.model.as_bytes().chunks_exact(2);
        digits.map(|d| hex(d[0]) << 4 | hex(d[1])).collect()
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    pub(super) fn from_embedding(mut values: Vec<f32>, model: &ModelId) -> Option<Self> {
        let strength = norm(&values);
        if !strength.is_finite() || strength < 1e-6 || values.len() > usize::from(u16::MAX) {
            return None;
        }
        values.iter_mut().for_each(|value| *value /= strength);
        Some(Self { content: Content::Vector(values), strength, model: model.sha16.clone() })
    }
}

impl fmt::Debug for FaceTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaceTemplate(…)")
    }
}

fn in_words(model: &[u8]) -> String {
    model.iter().map(|b| format!("{b:02x}")).collect()
}

fn float(bytes: &[u8]) -> f32 {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|v| v * v).sum::<f32>().sqrt()
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).expect("the manifest holds hex digits") as u8
}

pub(super) const MAGIC: &[u8] = b"CQF1";
const HEAD: usize = 18;
/// Two frames that are more alike are one view.
const SAME_VIEW: f32 = 0.98;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;

    fn template(values: Vec<f32>) -> FaceTemplate {
        FaceTemplate::from_embedding(values, &model()).unwrap()
    }

    fn model() -> ModelId {
        ModelId { name: "m".into(), version: None, sha16: "00112233aabbccdd".into() }
    }

    proptest! {
        #[test]
        fn a_template_reads_back(values in proptest::collection::vec(number(0.1..9.0), 1..600)) {
            let one = template(values);
            prop_assert_eq!(FaceTemplate::from_bytes(&one.to_bytes().unwrap()), Ok(one.clone()));
            prop_assert!((cosine(&one, &one) - 1.0).abs() < 1e-4);
        }

        #[test]
        fn the_cosine_is_symmetric(
            a in proptest::collection::vec(number(-9.0..9.0), 8),
            b in proptest::collection::vec(number(-9.0..9.0), 8),
        ) {
            let of = |values| FaceTemplate::from_embedding(values, &model());
            if let (Some(a), Some(b)) = (of(a), of(b)) {
                prop_assert_eq!(cosine(&a, &b), cosine(&b, &a));
            }
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FaceTemplate::from_bytes(&bytes);
            bytes.splice(0..bytes.len().min(4), MAGIC.iter().copied());
            let _ = FaceTemplate::from_bytes(&bytes);
        }

        #[test]
        fn a_cut_template_is_refused(cut in 0usize..82) {
            let bytes = template(vec![1.0; 16]).to_bytes().unwrap();
            prop_assert!(FaceTemplate::from_bytes(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn templates_of_other_weights_do_not_agree() {
        let one = template(vec![1.0; 4]);
        let other = FaceTemplate { model: "ffffffffffffffff".into(), ..one.clone() };
        assert_eq!(cosine(&one, &other), 0.0);
    }

    #[test]
    fn a_vendors_template_is_not_taken_for_a_vector() {
        let vendors = FaceTemplate::of_vendor(vec![1, 2, 3], 1.0, &model());
        let ours = template(vec![1.0; 4]);
        assert!(!vendors.is_comparable_with(&ours) && vendors.is_comparable_with(&vendors));
        assert_eq!((cosine(&vendors, &ours), vendors.to_bytes()), (0.0, None));
        assert_eq!(format!("{vendors:?}"), "FaceTemplate(…)");
    }

    #[test]
    fn a_template_does_not_print() {
        assert_eq!(format!("{:?}", template(vec![1.0; 4])), "FaceTemplate(…)");
    }
}
