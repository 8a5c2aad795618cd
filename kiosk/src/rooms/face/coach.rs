//! What is said to a person while they are seen: the networks' hints as messages, told when they last.

use kiosk_core::event::Action;
use kiosk_core::message::Id;
use models::document::CardCoaching;
use models::face::Coaching;
use models::liveness;

/// Remembers how long a hint has been true.
#[derive(Default)]
pub struct Coach {
    last: Option<Id>,
    n_frames: u32,
}

impl Coach {
    /// A hint that one frame earned and the next takes back would only confuse: it is told when it lasts.
    pub fn steady(&mut self, hint: Id) -> Option<Id> {
        self.n_frames = if self.last == Some(hint) { self.n_frames + 1 } else { 1 };
        self.last = Some(hint);
        (self.n_frames >= HINT_FRAMES).then_some(hint)
    }

    /// A frame was good.
    pub fn good(&mut self) {
        self.n_frames = 0;
    }

    /// The last hint, told or not.
    pub fn last(&self) -> Option<Id> {
        self.last
    }
}

/// The words for a face.
pub fn of_face(coaching: Coaching) -> Id {
    match coaching {
        Coaching::NoFace | Coaching::MoveIntoFrame => Id::FaceLook,
        Coaching::SecondPerson => Id::FaceOnlyOne,
        Coaching::ComeCloser => Id::FaceComeCloser,
        Coaching::MoveBack => Id::FaceMoveBack,
        Coaching::Backlight => Id::FaceBacklight,
        Coaching::TooDark => Id::FaceTooDark,
        Coaching::TooBright => Id::FaceTooBright,
        Coaching::TakeOffMask => Id::FaceMaskOff,
        Coaching::TakeOffGlasses => Id::FaceGlassesOff,
        Coaching::LiftHat => Id::FaceHatOff,
        Coaching::LookAtCamera => Id::FaceLookHere,
        Coaching::EyesClosed => Id::FaceEyesOpen,
        Coaching::HoldStill => Id::FaceHoldStill,
    }
}

/// The words for a card.
pub fn of_card(coaching: CardCoaching) -> Id {
    match coaching {
        CardCoaching::ShowCard => Id::DocumentShowCard,
        CardCoaching::ComeCloser => Id::DocumentComeCloser,
        CardCoaching::MoveIntoFrame => Id::DocumentMoveIntoFrame,
        CardCoaching::HoldLevel => Id::DocumentHoldLevel,
        CardCoaching::TooDark => Id::DocumentTooDark,
        CardCoaching::ShowOriginal => Id::DocumentShowOriginal,
        CardCoaching::NoScreen => Id::DocumentNoScreen,
        CardCoaching::Glare => Id::DocumentGlare,
        CardCoaching::HoldStill => Id::DocumentHoldStill,
    }
}

/// The words for an action.
pub fn of_action(action: Action) -> Id {
    match action {
        Action::Blink => Id::FaceBlink,
        Action::OpenMouth => Id::FaceOpenMouth,
        Action::Turn => Id::FaceTurn,
        Action::Nod => Id::FaceNod,
    }
}

/// The models' name of an action.
pub fn watched(action: Action) -> liveness::Action {
    match action {
        Action::Blink => liveness::Action::Blink,
        Action::OpenMouth => liveness::Action::OpenMouth,
        Action::Turn => liveness::Action::Turn,
        Action::Nod => liveness::Action::Nod,
    }
}

/// Frames in a row that a hint must last before it is told.
const HINT_FRAMES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_told_when_it_lasts() {
        let mut coach = Coach::default();
        let told = [Id::FaceLook, Id::FaceLook, Id::FaceTooDark, Id::FaceLook, Id::FaceLook]
            .map(|hint| coach.steady(hint));
        assert_eq!(told, [None; 5]);
        assert_eq!(coach.steady(Id::FaceLook), Some(Id::FaceLook));
        coach.good();
        assert_eq!(coach.steady(Id::FaceLook), None);
        assert_eq!(coach.last(), Some(Id::FaceLook));
    }
}
