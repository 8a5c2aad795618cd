//! What the counter does with what is on the screen: lamps, light, sound, the customer's display, coaching aloud.
//!
//! All of it follows from the view, so that nothing can be lit, shown or said that the screen does not say. Texts go by
//! their ids: no name gets here.

use drivers::display::{Picture, Prompt, Qr, Scene};
use drivers::panel::{Beep, Glow, Lamp};
use kiosk_core::message::Id;
use kiosk_core::outcome::Tone;
use kiosk_core::record::RecordId;
use kiosk_core::view::{Page, SlipState, View};

/// What each lamp does.
pub type Lamps = [(Lamp, Glow); Lamp::ALL.len()];

/// The lamps beside the places where something is to be done blink; green and red say how the terminal is.
pub fn lamps(view: &View) -> Lamps {
    let blinks = |lamp| match (lamp, &view.page) {
        (Lamp::Card, Page::Waiting(_)) | (Lamp::Finger, Page::Finger(_)) => true,
        (Lamp::Slip, Page::Result(page)) => page.slip == SlipState::Printed,
        _ => false,
    };
    let is_well = view.header.troubles.is_empty();
    Lamp::ALL.map(|lamp| match lamp {
        Lamp::Ready if is_well => (lamp, Glow::On),
        Lamp::Trouble if !is_well => (lamp, Glow::On),
        lamp if blinks(lamp) => (lamp, Glow::Blink),
        lamp => (lamp, Glow::Off),
    })
}

/// Whether a face or a document is looked at, and wants light.
pub fn wants_light(view: &View) -> bool {
    matches!(view.page, Page::Face(_) | Page::Document(_))
}

/// The sound of going from one view to the next.
pub fn beep(before: Option<&View>, now: &View) -> Option<Beep> {
    let before = &before?.page;
    match &now.page {
        _ if std::mem::discriminant(before) == std::mem::discriminant(&now.page) => None,
        Page::Person(_) if matches!(before, Page::Waiting(_)) => Some(Beep::Short),
        Page::Result(page) if page.tone == Tone::Stopped => Some(Beep::Long),
        Page::Result(_) => Some(Beep::Double),
        _ => None,
    }
}

/// What the customer's display shows. `record` is the one on the slip.
pub fn scene(view: &View, record: Option<RecordId>) -> Scene {
    let (prompt, picture) = match &view.page {
        Page::Waiting(page) => (page.prompt, None),
        Page::Face(page) => (page.prompt.id, Some(percent(page.progress))),
        Page::Finger(page) => (page.prompt.id, Some(percent(page.progress))),
        Page::Document(page) => (page.which, None),
        Page::Saving => (Id::Saving, None),
        Page::Result(page) => (page.headline, record.and_then(code)),
        // What the two people talk about is not for whoever stands behind them.
        _ => return Scene::default(),
    };
    Scene { prompt: Prompt::new(prompt.name(), &[]).ok(), picture }
}

/// What the person in front of the camera or the finger reader is asked to do now.
pub fn coaching(view: &View) -> Option<Id> {
    match &view.page {
        Page::Face(page) => Some(page.prompt.id),
        Page::Finger(page) => Some(page.prompt.id),
        _ => None,
    }
}

/// What the terminal says aloud: all of it wants a recording. None of these texts has a blank.
pub fn spoken() -> impl Iterator<Item = Id> {
    let of_family = |id: &Id| {
        let families = ["judge-", "outcome-", "err-card-", "err-social-card-"];
        families.iter().any(|family| id.name().starts_with(family))
    };
    SPOKEN.into_iter().chain(Id::ALL.iter().copied().filter(of_family))
}

/// The number on the slip, for a telephone.
fn code(record: RecordId) -> Option<Picture> {
    Qr::new(format!("CQ1:{record}").as_bytes()).ok().map(Picture::Qr)
}

fn percent(share: f32) -> Picture {
    Picture::Progress((share.clamp(0.0, 1.0) * 100.0) as u8)
}

/// What is said beside outcomes, judgements and what is wrong with a card.
const SPOKEN: [Id; 30] = [
    Id::LayCard,
    Id::CardPinTitle,
    Id::ConsentBody,
    Id::WitnessTitle,
    Id::FaceLook,
    Id::FaceComeCloser,
    Id::FaceMoveBack,
    Id::FaceTooDark,
    Id::FaceTooBright,
    Id::FaceBacklight,
    Id::FaceHoldStill,
    Id::FaceLookHere,
    Id::FaceEyesOpen,
    Id::FaceOnlyOne,
    Id::FaceUncover,
    Id::FaceBlink,
    Id::FaceOpenMouth,
    Id::FaceTurn,
    Id::FaceNod,
    Id::FaceMaskOff,
    Id::FaceGlassesOff,
    Id::FaceHatOff,
    Id::FingerPlace,
    Id::FingerLift,
    Id::FingerDry,
    Id::FingerWet,
    Id::FingerMoved,
    Id::FingerHold,
    Id::FingerCentre,
    Id::FingerAgain,
];

#[cfg(test)]
mod tests;
