//! Face templates: a unit vector, the strength it had before, and the weights it
//! came from. Its bytes are stable; its contents never print.

use std::fmt;

use crate::ModelId;

/// A face as a vector of unit length.
#[derive(Clone, PartialEq)]
pub struct FaceTemplate {
    values: Vec<f32>,
    strength: f32,
    model: String,
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

/// Cosine of two templates, -1..1. Templates of different weights tell nothing
/// about each other and compare as 0.
pub fn compare(a: &FaceTemplate, b: &FaceTemplate) -> f32 {
    if !a.is_comparable_with(b) {
        return 0.0;
    }
    a.values.iter().zip(&b.values).map(|(a, b)| a * b).sum()
}

impl FaceTemplate {
    /// Length of the embedding before it was made a unit vector; poor faces have
    /// short ones (about 3.9 live, below 3 blurred or dark).
    pub fn strength(&self) -> f32 {
        self.strength
    }

    /// First 16 hex digits of the weights it came from.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether both came from the same weights.
    pub fn is_comparable_with(&self, other: &Self) -> bool {
        self.model == other.model && self.values.len() == other.values.len()
    }

    /// The template in its stored form, little-endian: `CQF1`, the weights (8),
    /// strength (f32), count (u16), values (f32 each).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + 4 * self.values.len());
        bytes.extend(MAGIC);
        bytes.extend(self.model_bytes());
        bytes.extend(self.strength.to_le_bytes());
        bytes.extend((self.values.len() as u16).to_le_bytes());
        bytes.extend(self.values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    /// Reads the stored form back.
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
        let model = model.iter().map(|b| format!("{b:02x}")).collect();
        let values = values.chunks_exact(4).map(float).collect();
        let template = Self { values, strength, model };
        let length = norm(&template.values);
        let sound = (length - 1.0).abs() < 1e-3 && template.strength.is_finite();
        sound.then_some(template).ok_or(TemplateError::Values)
    }

    /// The weights as they are stored, eight bytes.
    pub(super) fn model_bytes(&self) -> Vec<u8> {
        let digits = self.model.as_bytes().chunks_exact(2);
        digits.map(|d| hex(d[0]) << 4 | hex(d[1])).collect()
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn from_embedding(mut values: Vec<f32>, model: &ModelId) -> Option<Self> {
        let strength = norm(&values);
        if !strength.is_finite() || strength < 1e-6 || values.len() > usize::from(u16::MAX) {
            return None;
        }
        values.iter_mut().for_each(|value| *value /= strength);
        Some(Self { values, strength, model: model.sha16.clone() })
    }
}

impl fmt::Debug for FaceTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaceTemplate(…)")
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(values: Vec<f32>) -> FaceTemplate {
        let model = ModelId { name: "m".into(), sha16: "00112233aabbccdd".into() };
        FaceTemplate::from_embedding(values, &model).unwrap()
    }

    proptest! {
        #[test]
        fn a_template_reads_back(values in proptest::collection::vec(0.1f32..9.0, 1..600)) {
            let one = template(values);
            prop_assert_eq!(FaceTemplate::from_bytes(&one.to_bytes()), Ok(one.clone()));
            prop_assert!((compare(&one, &one) - 1.0).abs() < 1e-4);
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FaceTemplate::from_bytes(&bytes);
            bytes.splice(0..bytes.len().min(4), MAGIC.iter().copied());
            let _ = FaceTemplate::from_bytes(&bytes);
        }

        #[test]
        fn a_cut_template_is_refused(cut in 0usize..82) {
            let bytes = template(vec![1.0; 16]).to_bytes();
            prop_assert!(FaceTemplate::from_bytes(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn templates_of_other_weights_do_not_agree() {
        let one = template(vec![1.0; 4]);
        let other = FaceTemplate { model: "ffffffffffffffff".into(), ..one.clone() };
        assert_eq!(compare(&one, &other), 0.0);
    }

    #[test]
    fn a_template_does_not_print() {
        assert_eq!(format!("{:?}", template(vec![1.0; 4])), "FaceTemplate(…)");
    }
}
