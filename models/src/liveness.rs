//! Liveness over several frames: passive scores taken together, and actions
//! judged as a change against the person's own neutral frames, because eyes,
//! mouths and the networks' biases differ from person to person.

use image::{RgbImage, imageops};

use crate::face::{BBox, Face, PadScore};

/// Collects what is seen without asking anything of the person.
#[derive(Default)]
pub struct PassiveWatch {
    scores: Vec<PadScore>,
    last: Option<Vec<u8>>,
    n_pairs: usize,
    n_same: usize,
}

/// What the passive frames say together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sight {
    /// Nothing speaks against a live face.
    Live(PadScore),
    /// It may be a picture: ask for an action.
    Doubtful(PadScore),
    /// The same frame came again and again, which no camera does: frames are fed in its
    /// place. No action makes up for that.
    Frozen,
}

/// What an action can move, read off one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals {
    /// Degrees to the side.
    pub yaw: f32,
    /// Degrees up or down.
    pub pitch: f32,
    /// Nose tip between the sides of the jaw, -1..1.
    pub nose_offset: f32,
    /// Height of the eyes over their width.
    pub eye_aspect: f32,
    /// The eye network's opinion, 0..1.
    pub eyes_open: f32,
    /// Height of the inner mouth over its width.
    pub mouth_open: f32,
}

/// A thing the person is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Close and open the eyes once.
    Blink,
    /// Open the mouth.
    OpenMouth,
    /// Turn the head to either side.
    Turn,
    /// Lower or lift the head and come back.
    Nod,
}

/// The person's own face at rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neutral {
    rest: Signals,
}

/// Watches one action, frame by frame.
#[derive(Debug, Clone)]
pub struct ActionWatch {
    action: Action,
    neutral: Neutral,
    stage: Stage,
    n_frames: usize,
}

/// How far an action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing seen yet.
    Waiting,
    /// The first half was seen: eyes shut, head lowered.
    HalfWay,
    /// The action was seen.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Away,
    Done,
}

impl From<&Face> for Signals {
    fn from(face: &Face) -> Self {
        Self {
            yaw: face.yaw,
            pitch: face.pitch,
            nose_offset: face.nose_offset,
            eye_aspect: face.eye_aspect,
            eyes_open: face.eyes_open,
            mouth_open: face.mouth_open,
        }
    }
}

impl PassiveWatch {
    /// Takes the next frame with its face and liveness score.
    pub fn see(&mut self, frame: &RgbImage, face: &Face, score: PadScore) {
        self.scores.push(score);
        let patch = patch(frame, face.bbox);
        if let Some(last) = &self.last {
            self.n_pairs += 1;
            self.n_same += usize::from(*last == patch);
        }
        self.last = Some(patch);
    }

    /// What was seen so far; nothing without a frame.
    pub fn sight(&self, pad_min: f32) -> Option<Sight> {
        let score = passive(&self.scores)?;
        // A camera may hand out one frame twice, but not one frame only.
        if self.n_pairs >= FROZEN_PAIRS_MIN && 2 * self.n_same > self.n_pairs {
            return Some(Sight::Frozen);
        }
        let is_live = score.0 >= pad_min;
        Some(if is_live { Sight::Live(score) } else { Sight::Doubtful(score) })
    }
}

/// The pixels of the face. A sensor's noise changes some of them in every frame, also
/// of a person or a photograph that does not move at all.
fn patch(frame: &RgbImage, bbox: BBox) -> Vec<u8> {
    let edge = |value: f32, limit: u32| (value.max(0.0) as u32).min(limit.saturating_sub(1));
    let (x, y) = (edge(bbox.x, frame.width()), edge(bbox.y, frame.height()));
    let (width, height) = (bbox.width.max(1.0) as u32, bbox.height.max(1.0) as u32);
    // The cut is clipped to the frame.
    imageops::crop_imm(frame, x, y, width, height).to_image().into_raw()
}

impl Neutral {
    /// The median of the frames; nothing before there are three, or when the head
    /// was not still.
    pub fn of(frames: &[Signals]) -> Option<Self> {
        if frames.len() < NEUTRAL_FRAMES_MIN {
            return None;
        }
        let median = |of: fn(&Signals) -> f32| {
            let mut values: Vec<f32> = frames.iter().map(of).collect();
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        let rest = Signals {
            yaw: median(|s| s.yaw),
            pitch: median(|s| s.pitch),
            nose_offset: median(|s| s.nose_offset),
            eye_aspect: median(|s| s.eye_aspect),
            eyes_open: median(|s| s.eyes_open),
            mouth_open: median(|s| s.mouth_open),
        };
        let still = frames.iter().all(|s| (s.yaw - rest.yaw).abs() < STILL_DEGREES);
        still.then_some(Self { rest })
    }

    /// The signals at rest.
    pub fn rest(&self) -> Signals {
        self.rest
    }
}

impl ActionWatch {
    /// Starts to watch for an action.
    pub fn new(neutral: Neutral, action: Action) -> Self {
        Self { action, neutral, stage: Stage::Waiting, n_frames: 0 }
    }

    /// The action watched for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Frames seen so far.
    pub fn n_frames(&self) -> usize {
        self.n_frames
    }

    /// Takes the next frame. Once done, it stays done.
    pub fn see(&mut self, now: &Signals) -> Progress {
        self.n_frames += 1;
        self.stage = match self.stage {
            Stage::Waiting if self.is_away(now) && self.has_to_return() => Stage::Away,
            Stage::Waiting if self.is_away(now) => Stage::Done,
            Stage::Away if self.is_back(now) => Stage::Done,
            stage => stage,
        };
        match self.stage {
            Stage::Waiting => Progress::Waiting,
            Stage::Away => Progress::HalfWay,
            Stage::Done => Progress::Done,
        }
    }

    /// An open mouth or a turned head is enough; eyes and a nod have to come back,
    /// so that a picture of closed eyes is no blink.
    fn has_to_return(&self) -> bool {
        matches!(self.action, Action::Blink | Action::Nod)
    }

    fn is_away(&self, now: &Signals) -> bool {
        let rest = &self.neutral.rest;
        match self.action {
            Action::Blink => {
                let narrow = now.eye_aspect < BLINK_ASPECT * rest.eye_aspect;
                let shut = now.eyes_open < BLINK_OPEN * rest.eyes_open;
                shut && now.eye_aspect < 0.95 * rest.eye_aspect || narrow && now.eyes_open < 0.7
            }
            Action::OpenMouth => now.mouth_open - rest.mouth_open > MOUTH_CHANGE,
            Action::Turn => {
                let turned = (now.yaw - rest.yaw).abs() > TURN_DEGREES;
                turned && (now.nose_offset - rest.nose_offset).abs() > TURN_NOSE
            }
            Action::Nod => (now.pitch - rest.pitch).abs() > NOD_DEGREES,
        }
    }

    fn is_back(&self, now: &Signals) -> bool {
        let rest = &self.neutral.rest;
        match self.action {
            Action::Blink => {
                now.eye_aspect > 0.85 * rest.eye_aspect && now.eyes_open > 0.7 * rest.eyes_open
            }
            Action::OpenMouth => now.mouth_open - rest.mouth_open < MOUTH_CHANGE / 2.0,
            Action::Turn => (now.yaw - rest.yaw).abs() < TURN_DEGREES / 2.0,
            Action::Nod => (now.pitch - rest.pitch).abs() < NOD_DEGREES / 2.0,
        }
    }
}

impl Action {
    /// What to say: Chinese, English.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Blink => ("请眨一下眼睛", "Please blink once"),
            Self::OpenMouth => ("请张一下嘴", "Please open your mouth"),
            Self::Turn => ("请慢慢转一下头", "Please turn your head slowly"),
            Self::Nod => ("请点一下头", "Please nod once"),
        }
    }
}

/// Passive liveness of several frames: their median, so that one lucky or unlucky
/// frame does not decide. Nothing without a frame.
pub fn passive(scores: &[PadScore]) -> Option<PadScore> {
    let mut values: Vec<f32> = scores.iter().map(|score| score.0).collect();
    values.sort_by(f32::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    // Of an even number the lower middle counts: doubt goes against the frame.
    Some(PadScore(values[middle]))
}

const FROZEN_PAIRS_MIN: usize = 3;
const NEUTRAL_FRAMES_MIN: usize = 3;
const STILL_DEGREES: f32 = 8.0;
const BLINK_ASPECT: f32 = 0.75;
const BLINK_OPEN: f32 = 0.4;
const MOUTH_CHANGE: f32 = 0.15;
const TURN_DEGREES: f32 = 15.0;
const TURN_NOSE: f32 = 0.15;
const NOD_DEGREES: f32 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Signals = Signals {
        yaw: 3.0,
        pitch: -14.0,
        nose_offset: 0.03,
        eye_aspect: 0.3,
        eyes_open: 0.99,
        mouth_open: 0.02,
    };

    fn watch(action: Action, frames: &[Signals]) -> Vec<Progress> {
        let mut watch = ActionWatch::new(Neutral::of(&[REST; 3]).unwrap(), action);
        frames.iter().map(|frame| watch.see(frame)).collect()
    }

    #[test]
    fn a_blink_needs_the_eyes_to_open_again() {
        let shut = Signals { eye_aspect: 0.18, eyes_open: 0.05, ..REST };
        let seen = watch(Action::Blink, &[REST, shut, shut, REST, shut]);
        use Progress::{Done, HalfWay, Waiting};
        assert_eq!(seen, [Waiting, HalfWay, HalfWay, Done, Done]);
    }

    #[test]
    fn a_face_with_narrow_eyes_is_judged_by_its_own_eyes() {
        let narrow = Signals { eye_aspect: 0.18, eyes_open: 0.9, ..REST };
        let neutral = Neutral::of(&[narrow; 3]).unwrap();
        let mut watch = ActionWatch::new(neutral, Action::Blink);
        assert_eq!(watch.see(&narrow), Progress::Waiting);
    }

    #[test]
    fn a_turn_is_a_change_of_both_measures() {
        let turned = Signals { yaw: 30.0, nose_offset: 0.5, ..REST };
        let yaw_alone = Signals { yaw: 30.0, ..REST };
        assert_eq!(watch(Action::Turn, &[yaw_alone, turned])[0], Progress::Waiting);
        assert_eq!(watch(Action::Turn, &[yaw_alone, turned])[1], Progress::Done);
    }

    #[test]
    fn an_open_mouth_is_a_change_from_ones_own() {
        let open = Signals { mouth_open: 0.3, ..REST };
        assert_eq!(watch(Action::OpenMouth, &[REST, open]), [Progress::Waiting, Progress::Done]);
    }

    #[test]
    fn a_nod_is_down_or_up_and_back_again() {
        use Progress::{Done, HalfWay, Waiting};
        let (low, high) = (Signals { pitch: -30.0, ..REST }, Signals { pitch: 2.0, ..REST });
        let little = Signals { pitch: -18.0, ..REST };
        assert_eq!(
            watch(Action::Nod, &[little, low, low, REST]),
            [Waiting, HalfWay, HalfWay, Done]
        );
        assert_eq!(watch(Action::Nod, &[high, REST]), [HalfWay, Done]);
        assert_eq!(watch(Action::Nod, &[low, low])[1], HalfWay, "a lowered head is no nod yet");
    }

    #[test]
    fn a_moving_head_gives_no_neutral_face() {
        let moved = Signals { yaw: 30.0, ..REST };
        assert!(Neutral::of(&[REST, REST, moved]).is_none());
        assert!(Neutral::of(&[REST, REST]).is_none());
    }

    #[test]
    fn one_lucky_frame_does_not_make_a_picture_live() {
        let scores = [0.1, 0.2, 0.99].map(PadScore);
        assert_eq!(passive(&scores), Some(PadScore(0.2)));
        assert_eq!(passive(&scores[1..]), Some(PadScore(0.2)));
        assert_eq!(passive(&[]), None);
    }
}
