//! Re-enrolment: whether the card's photo, the portrait on the card in the hand, the
//! face beside it and the live face are one person, and whether any of what must be
//! live is a picture. Each pair is read with the thresholds of its kind.

use super::{FaceTemplate, PadScore, ViewKind};
use crate::{
    Manifest,
    threshold::{Answer, Doubt, ThresholdSet},
};

/// A face that takes part, with what is known of it.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// What it is.
    pub part: Part,
    /// The face.
    pub template: FaceTemplate,
    /// How good the picture is, 0..100.
    pub quality: f32,
    /// Passive liveness, for the parts that must be live.
    pub pad: Option<PadScore>,
}

/// What the notices ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The photo from the chip.
    ChipPhoto,
    /// The portrait printed on the front of the card, laid or held before the camera.
    PrintedPhoto,
    /// The portrait on the card that the person holds beside their face.
    CardInHand,
    /// The face beside that card.
    FaceBesideCard,
    /// The face of the live frames.
    LiveFace,
}

/// What all of it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Every pair that was compared.
    pub pairs: Vec<PairAnswer>,
    /// The whole.
    pub verdict: Verdict,
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairAnswer {
    /// The two parts.
    pub parts: (Part, Part),
    /// Cosine, -1..1.
    pub score: f32,
    /// What it says by its thresholds.
    pub answer: Answer,
}

/// What the comparisons say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every pair agrees.
    Agree,
    /// Something is missing, or too poor or too close to tell: a person decides.
    Unsure,
    /// These two are different people.
    Differ(Part, Part),
    /// What should be live is a picture. It is refused as a reference; the person is not.
    Picture(Part),
}

impl Part {
    fn must_live(self) -> bool {
        matches!(self, Self::FaceBesideCard | Self::LiveFace)
    }

    /// The kind of thresholds that comparisons with it are read with.
    pub fn kind(self) -> ViewKind {
        match self {
            Self::ChipPhoto => ViewKind::Chip,
            Self::PrintedPhoto | Self::CardInHand => ViewKind::Printed,
            Self::FaceBesideCard | Self::LiveFace => ViewKind::Live,
        }
    }
}

/// Compares every live part with everything else, by the thresholds of the model that
/// made the templates. Nothing agrees unless there is a live face and a photo of the card
/// to compare it with.
pub(super) fn agreement<E>(
    rules: &Rules<'_>,
    exhibits: &[Exhibit],
    compare: impl Fn(&FaceTemplate, &FaceTemplate) -> Result<f32, E>,
) -> Result<Agreement, E> {
    let pairs: Vec<PairAnswer> = exhibits
        .iter()
        .enumerate()
        .flat_map(|(i, a)| exhibits[i + 1..].iter().map(move |b| (a, b)))
        .filter(|(a, b)| a.part.must_live() || b.part.must_live())
        .map(|(a, b)| Ok(answer(rules, a, b, compare(&a.template, &b.template)?)))
        .collect::<Result<_, E>>()?;
    let verdict = verdict(rules, exhibits, &pairs);
    Ok(Agreement { pairs, verdict })
}

/// Where the thresholds are, and whose.
pub(super) struct Rules<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) probe: &'m str,
}

fn verdict(rules: &Rules<'_>, exhibits: &[Exhibit], pairs: &[PairAnswer]) -> Verdict {
    let pad_min = rules.thresholds(ViewKind::Live).map_or(1.0, |set| set.pad_min);
    let is_picture = |e: &&Exhibit| e.part.must_live() && e.pad.is_some_and(|pad| pad.0 < pad_min);
    if let Some(picture) = exhibits.iter().find(is_picture) {
        return Verdict::Picture(picture.part);
    }
    let differs = |pair: &&PairAnswer| pair.answer == Answer::Different;
    if let Some(PairAnswer { parts: (a, b), .. }) = pairs.iter().find(differs) {
        return Verdict::Differ(*a, *b);
    }
    let has = |of: fn(Part) -> bool| exhibits.iter().any(|e| of(e.part));
    let complete = has(|part| part == Part::LiveFace)
        && has(|part| matches!(part, Part::ChipPhoto | Part::PrintedPhoto));
    let all_same = pairs.iter().all(|pair| pair.answer == Answer::Same);
    if complete && all_same { Verdict::Agree } else { Verdict::Unsure }
}

fn answer(rules: &Rules<'_>, a: &Exhibit, b: &Exhibit, score: f32) -> PairAnswer {
    // The live one is the probe; of two live ones either.
    let (probe, reference) = if a.part.must_live() { (a, b) } else { (b, a) };
    let quality = probe.quality.min(reference.quality);
    let answer = match rules.thresholds(reference.part.kind()) {
        Some(set) => set.answer(score, quality, probe.pad.map(|pad| pad.0)),
        None => Answer::Unsure(Doubt::Score),
    };
    PairAnswer { parts: (probe.part, reference.part), score, answer }
}

impl Rules<'_> {
    fn thresholds(&self, kind: ViewKind) -> Option<&ThresholdSet> {
        self.manifest.thresholds("face", self.probe, kind.reference())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face at an angle to the first axis, so that two have a known cosine.
    fn exhibit(part: Part, degrees: f32, pad: Option<f32>) -> Exhibit {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let bytes: Vec<u8> = [cos, sin].iter().flat_map(|v| v.to_le_bytes()).collect();
        let template = FaceTemplate::from_parts(&[1; 8], 3.8, &bytes).unwrap();
        Exhibit { part, template, quality: 80.0, pad: pad.map(PadScore) }
    }

    fn judged(exhibits: &[Exhibit]) -> Agreement {
        let manifest = Manifest::built_in().unwrap();
        let rules = Rules { manifest: &manifest, probe: "face-embed" };
        let compare = |a: &_, b: &_| Ok::<_, ()>(crate::face::template::cosine(a, b));
        agreement(&rules, exhibits, compare).unwrap()
    }

    fn verdict_of(exhibits: &[Exhibit]) -> Verdict {
        judged(exhibits).verdict
    }

    fn all(pad: f32) -> Vec<Exhibit> {
        vec![
            exhibit(Part::ChipPhoto, 0.0, None),
            exhibit(Part::CardInHand, 20.0, None),
            exhibit(Part::FaceBesideCard, 30.0, Some(pad)),
            exhibit(Part::LiveFace, 40.0, Some(pad)),
        ]
    }

    #[test]
    fn one_person_agrees_with_every_part() {
        let agreement = judged(&all(0.9));
        assert_eq!(agreement.verdict, Verdict::Agree);
        assert_eq!(agreement.pairs.len(), 5, "every pair with a live part");
    }

    #[test]
    fn another_face_beside_the_card_is_named() {
        let mut exhibits = all(0.9);
        exhibits[2] = exhibit(Part::FaceBesideCard, 110.0, Some(0.9));
        assert_eq!(verdict_of(&exhibits), Verdict::Differ(Part::FaceBesideCard, Part::ChipPhoto));
    }

    #[test]
    fn a_photo_of_a_photo_is_refused_however_well_it_agrees() {
        let mut exhibits = all(0.9);
        exhibits[3] = exhibit(Part::LiveFace, 0.0, Some(0.1));
        assert_eq!(verdict_of(&exhibits), Verdict::Picture(Part::LiveFace));
        exhibits[3] = exhibit(Part::LiveFace, 0.0, None);
        assert_eq!(verdict_of(&exhibits), Verdict::Unsure, "liveness was not measured");
    }

    #[test]
    fn a_poor_or_missing_part_is_for_a_person_to_decide() {
        let mut exhibits = all(0.9);
        exhibits[1].quality = 10.0;
        assert_eq!(verdict_of(&exhibits), Verdict::Unsure);
        assert_eq!(verdict_of(&all(0.9)[1..]), Verdict::Unsure, "no photo of the card");
        assert_eq!(verdict_of(&all(0.9)[..3]), Verdict::Unsure, "no live face");
        assert_eq!(verdict_of(&[]), Verdict::Unsure);
    }

    #[test]
    fn the_printed_photo_has_a_stricter_threshold() {
        let at = |part, degrees: f32| {
            verdict_of(&[exhibit(part, 0.0, None), exhibit(Part::LiveFace, degrees, Some(0.9))])
        };
        // A cosine of 0.47 is enough for the chip's photo and not for a printed one.
        assert_eq!(at(Part::ChipPhoto, 62.0), Verdict::Agree);
        assert_eq!(at(Part::PrintedPhoto, 62.0), Verdict::Unsure);
    }
}
