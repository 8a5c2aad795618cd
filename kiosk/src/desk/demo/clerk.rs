//! The people of the demonstration: what the operator presses and what the visitor does, page by page.

use std::io;

use kiosk_core::event::Action;
use kiosk_core::message::Id;
use kiosk_core::view::{Button, Delivery, Page, SignIn, SlipState, Tap, View, Way};

use super::stage::Devices;
use super::{Purpose, Visitor};
use crate::desk::camera::{Scene, SharedSeat};

/// Plays one visitor and the operator who serves them.
pub struct Clerk {
    visitor: Visitor,
    seat: SharedSeat,
    devices: Devices,
    card_lies: bool,
    finger_lies: bool,
    impression: u32,
    /// The PIN was entered and is being compared.
    entered: bool,
    leaving: bool,
    over: bool,
}

impl Clerk {
    /// For one visitor.
    pub fn new(visitor: Visitor, seat: SharedSeat, devices: Devices) -> Self {
        Self {
            visitor,
            seat,
            devices,
            card_lies: false,
            finger_lies: false,
            // The roster's template was made of impressions 0 to 2.
            impression: 3,
            entered: false,
            leaving: false,
            over: false,
        }
    }

    /// The visitor has left.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What the people do when this is on the screen: something with the devices, and perhaps a button.
    pub fn act(&mut self, view: &View) -> io::Result<Option<Tap>> {
        if !matches!(view.page, Page::SignIn(_) | Page::Witness(_)) {
            self.entered = false;
        }
        Ok(match &view.page {
            Page::SignIn(page) => self.sign_in(page, OPERATOR),
            Page::Waiting(_) if self.leaving => {
                self.over = true;
                None
            }
            Page::Waiting(_) if self.card_lies => None,
            Page::Waiting(_) => {
                self.seat.take(self.visitor.sitter.clone(), self.visitor.holder.clone());
                self.devices.order(&format!("CARD {}", self.visitor.holder.index))?;
                self.card_lies = true;
                None
            }
            Page::Person(page) => {
                let wanted = match self.visitor.purpose {
                    Purpose::ReEnrol => Tap::ReEnrolFace,
                    Purpose::Finger => Tap::CertifyFinger,
                    Purpose::Appeal => Tap::CertifyFace,
                    Purpose::NothingDue => Tap::Done,
                };
                // Without a network nobody is sent away: a colleague asks for a special certification.
                first_open(&page.buttons, [wanted, Tap::Appeal, Tap::OtherWays])
            }
            Page::Consent(_) => Some(Tap::Agree),
            Page::Document(page) if page.prompt.id == page.which => {
                self.seat.play(match page.which {
                    Id::DocumentFront => Scene::CardFront,
                    Id::DocumentBack => Scene::CardBack,
                    _ => Scene::CardInHand,
                });
                Some(Tap::TakePicture)
            }
            Page::Face(page) => {
                self.pose(page.prompt.id);
                None
            }
            Page::Finger(page) => {
                self.finger(page.prompt.id, page.finger)?;
                None
            }
            Page::Judge(page) => {
                let ways = match self.visitor.purpose {
                    Purpose::Appeal => [Tap::Appeal, Tap::TryAgain, Tap::Done],
                    _ => [Tap::TryAgain, Tap::Appeal, Tap::Done],
                };
                first_open(&page.buttons, ways)
            }
            Page::Choice(page) => {
                let broken = Tap::Reason(Id::SpecialTerminal);
                let ways = [Tap::Reason(Id::AppealReasonAged), Tap::Way(Way::Special), broken];
                let picked =
                    ways.into_iter().find(|tap| page.options.iter().any(|o| o.tap == *tap));
                picked.or_else(|| page.options.first().map(|option| option.tap.clone()))
            }
            Page::Witness(page) => self.sign_in(page, SUPERVISOR),
            Page::Result(_) if self.leaving => None,
            Page::Result(page) => {
                self.lift_finger()?;
                let known = matches!(page.delivery, Delivery::CentreHasIt(_) | Delivery::Held);
                if !known || page.slip == SlipState::Printing {
                    return Ok(None);
                }
                self.devices.order("CARD OFF")?;
                self.leaving = true;
                Some(Tap::Done)
            }
            Page::Document(_) | Page::Saving | Page::Outbox(_) | Page::People(_) => None,
            Page::Devices(_) => None,
        })
    }

    /// Picks the name, then digit by digit, then enters.
    fn sign_in(&mut self, page: &SignIn, (id, pin): (&str, &str)) -> Option<Tap> {
        if self.entered {
            return None;
        }
        if page.picked.as_deref() != Some(id) {
            return Some(Tap::PickOperator(id.into()));
        }
        let digit = pin.as_bytes().get(usize::from(page.n_digits));
        self.entered = digit.is_none();
        Some(digit.map_or(Tap::EnterPin, |digit| Tap::Digit(digit - b'0')))
    }

    fn pose(&self, prompt: Id) {
        match prompt {
            Id::FaceBlink => self.seat.play(Scene::Acting(Action::Blink)),
            Id::FaceOpenMouth => self.seat.play(Scene::Acting(Action::OpenMouth)),
            Id::FaceNod => self.seat.play(Scene::Acting(Action::Nod)),
            Id::FaceTurn => self.seat.play(Scene::Acting(Action::Turn)),
            // Whoever is told to come closer is already on the way; see `Scene::Arriving`.
            Id::FaceComeCloser => {}
            _ => self.seat.play_unless_arriving(Scene::Sitting),
        }
    }

    fn finger(&mut self, prompt: Id, finger: u8) -> io::Result<()> {
        match prompt {
            Id::FingerHold => Ok(()),
            Id::FingerPlace if self.finger_lies => Ok(()),
            Id::FingerPlace => {
                let holder = self.visitor.sitter.index;
                let impression = self.impression;
                self.impression += 1;
                self.finger_lies = true;
                self.devices.order(&format!("FINGER {holder} {finger} {impression}"))
            }
            _ => self.lift_finger(),
        }
    }

    fn lift_finger(&mut self) -> io::Result<()> {
        if self.finger_lies {
            self.finger_lies = false;
            self.devices.order("FINGER OFF")?;
        }
        Ok(())
    }
}

/// The first of these that may be pressed.
fn first_open<const N: usize>(buttons: &[Button], ways: [Tap; N]) -> Option<Tap> {
    ways.into_iter().find(|tap| buttons.iter().any(|b| b.enabled && b.tap == *tap))
}

/// Id and PIN of the operator of the demonstration.
pub const OPERATOR: (&str, &str) = ("op-1", "135790");
/// Id and PIN of the supervisor of the demonstration.
pub const SUPERVISOR: (&str, &str) = ("sv-1", "246802");
