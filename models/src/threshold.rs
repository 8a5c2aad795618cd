//! Threshold sets: how a score of one extractor against one kind of reference is
//! read. A score is read together with its quality and liveness or not at all.

use serde::{Deserialize, Serialize};

/// Thresholds for one (modality, probe extractor, kind of reference).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdSet {
    /// Name that goes into every record, with its version.
    pub id: String,
    /// `face` or `finger`.
    pub modality: String,
    /// The model that made the probe.
    pub probe: String,
    /// What it is compared with: `live`, `chip`, `printed`, an extractor, or `foreign`.
    pub reference: String,
    /// From here on: the same person.
    pub accept: f32,
    /// Below this: another person. Between the two: unsure.
    pub review: f32,
    /// Quality, 0..100, below which no answer is given.
    #[serde(default)]
    pub quality_min: f32,
    /// Liveness, 0..1, below which the capture is suspected. Zero: not judged.
    #[serde(default)]
    pub pad_min: f32,
    /// How far above `accept` a verified face has to score to become a view on file by
    /// itself; nothing: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_margin: Option<f32>,
    /// Quality, 0..100, that such a view has at least.
    #[serde(default)]
    pub view_quality_min: f32,
    /// On what these numbers were measured.
    pub measured: String,
}

/// What a score says, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The same person.
    Same,
    /// Not to be decided by this score alone.
    Unsure(Doubt),
    /// Another person.
    Different,
}

/// Why a score does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The score lies between the two thresholds.
    Score,
    /// The picture is too poor to be read.
    Quality,
    /// The capture may be of a picture or a screen.
    Presentation,
    /// No liveness was measured although the set asks for it.
    PadMissing,
}

impl ThresholdSet {
    /// Whether this score against an enrolled view is high enough for the probe to become a
    /// view on file by itself.
    pub fn welcomes(&self, score: f32) -> bool {
        self.view_margin.is_some_and(|margin| score >= self.accept + margin)
    }

    /// Reads a score with the quality (0..100) and liveness (0..1) of its probe.
    pub fn answer(&self, score: f32, quality: f32, pad: Option<f32>) -> Answer {
        if self.pad_min > 0.0 {
            match pad {
                None => return Answer::Unsure(Doubt::PadMissing),
                Some(pad) if pad.is_nan() || pad < self.pad_min => {
                    return Answer::Unsure(Doubt::Presentation);
                }
                Some(_) => {}
            }
        }
        if quality.is_nan() || quality < self.quality_min {
            return Answer::Unsure(Doubt::Quality);
        }
        match score {
            s if s >= self.accept => Answer::Same,
            s if s < self.review => Answer::Different,
            _ => Answer::Unsure(Doubt::Score),
        }
    }
}

impl Answer {
    /// The reason in words: Chinese, English.
    pub fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Same => ("比对一致。", "The two agree."),
            Self::Different => ("比对不一致。", "The two do not agree."),
            Self::Unsure(Doubt::Score) => {
                ("比对结果介于两者之间，需人工核对。", "Too close to tell; a person has to look.")
            }
            Self::Unsure(Doubt::Quality) => {
                ("采集质量不足，请重新采集。", "The capture is too poor; take it again.")
            }
            Self::Unsure(Doubt::Presentation) => (
                "疑似照片或屏幕，需人工核对。",
                "It may be a picture or a screen; a person has to look.",
            ),
            Self::Unsure(Doubt::PadMissing) => {
                ("未进行活体检测，需人工核对。", "Liveness was not measured; a person has to look.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_read_with_its_quality_and_liveness() {
        let set = ThresholdSet {
            id: "t-1".into(),
            modality: "face".into(),
            probe: "m".into(),
            reference: "live".into(),
            accept: 0.4,
            review: 0.3,
            quality_min: 40.0,
            pad_min: 0.5,
            view_margin: None,
            view_quality_min: 0.0,
            measured: String::new(),
        };
        assert!(!set.welcomes(1.0), "only a set that says so keeps views by itself");
        let set = ThresholdSet { view_margin: Some(0.125), ..set };
        assert!(set.welcomes(0.53) && !set.welcomes(0.52) && !set.welcomes(f32::NAN));
        assert_eq!(set.answer(0.5, 80.0, Some(0.9)), Answer::Same);
        assert_eq!(set.answer(0.35, 80.0, Some(0.9)), Answer::Unsure(Doubt::Score));
        assert_eq!(set.answer(0.1, 80.0, Some(0.9)), Answer::Different);
        assert_eq!(set.answer(0.9, 10.0, Some(0.9)), Answer::Unsure(Doubt::Quality));
        assert_eq!(set.answer(0.9, 80.0, Some(0.1)), Answer::Unsure(Doubt::Presentation));
        assert_eq!(set.answer(0.9, 80.0, None), Answer::Unsure(Doubt::PadMissing));
        assert_eq!(set.answer(0.9, f32::NAN, Some(0.9)), Answer::Unsure(Doubt::Quality));
    }
}
