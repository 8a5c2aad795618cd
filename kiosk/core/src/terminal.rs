//! The terminal as a whole: locked, or serving one visit after another.

use crate::event::{Effect, Event};
use crate::message::{Id, Say};
use crate::moment::Moment;
use crate::operator::{Pin, PinCheck};
use crate::view::{Header, Outbox, OutboxLine, Page, SignIn, Tap, View};
use crate::visit::{Place, Visit, button, pin_notice};

/// The terminal: the only thing that the program holds of core.
#[derive(Clone, Debug)]
pub struct Terminal {
    place: Place,
    header: Header,
    state: State,
    now: Moment,
}

#[derive(Clone, Debug)]
enum State {
    Locked { picked: Option<String>, pin: Pin, notice: Option<Say> },
    Serving { operator: String, visit: Box<Visit>, outbox: Option<Vec<OutboxLine>> },
}

impl Terminal {
    /// Locked, waiting for an operator.
    pub fn new(place: Place) -> Self {
        let header = Header { site: place.site_name.clone(), ..Header::default() };
        Self { place, header, state: locked(None), now: Moment::default() }
    }

    /// Something happened at `now`; says what has to be done.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        self.now = now;
        if let Event::Status(header) = event {
            self.header = Header { site: self.place.site_name.clone(), ..header };
            return Vec::new();
        }
        let state = std::mem::replace(&mut self.state, locked(None));
        match (state, event) {
            // Signing in.
            (State::Locked { .. }, Event::Tapped(Tap::PickOperator(id))) => {
                let known = self.place.operators.iter().any(|operator| operator.id == id);
                self.rest(State::Locked {
                    picked: known.then_some(id),
                    pin: Pin::default(),
                    notice: None,
                })
            }
            (
                State::Locked { picked: Some(id), mut pin, notice },
                Event::Tapped(Tap::Digit(digit)),
            ) => {
                pin.push(digit);
                self.rest(State::Locked { picked: Some(id), pin, notice })
            }
            (State::Locked { picked, mut pin, notice }, Event::Tapped(Tap::EraseDigit)) => {
                pin.erase();
                self.rest(State::Locked { picked, pin, notice })
            }
            (State::Locked { picked: Some(operator), pin, .. }, Event::Tapped(Tap::EnterPin))
                if pin.is_complete() =>
            {
                let check = Effect::CheckPin { operator: operator.clone(), pin };
                self.state =
                    State::Locked { picked: Some(operator), pin: Pin::default(), notice: None };
                vec![check]
            }
            (
                State::Locked { picked: Some(operator), .. },
                Event::PinChecked(of, PinCheck::Right),
            ) if of == operator => self.serve(operator),
            (State::Locked { picked: Some(picked), .. }, Event::PinChecked(of, check))
                if of == picked && check != PinCheck::Right =>
            {
                let (picked, notice) = (Some(picked), Some(pin_notice(check)));
                self.rest(State::Locked { picked, pin: Pin::default(), notice })
            }

            // Between visits.
            (State::Serving { visit, .. }, Event::Tapped(Tap::SignOut))
                if !visit.is_under_way() =>
            {
                self.state = locked(None);
                vec![Effect::StopSensors, Effect::Forget]
            }
            (State::Serving { operator, visit, .. }, Event::Tapped(Tap::ShowOutbox))
                if !visit.is_under_way() =>
            {
                self.state = State::Serving { operator, visit, outbox: Some(Vec::new()) };
                vec![Effect::ListOutbox]
            }
            (State::Serving { operator, visit, outbox: Some(_) }, Event::Outbox(lines)) => {
                self.rest(State::Serving { operator, visit, outbox: Some(lines) })
            }
            (State::Serving { operator, visit, outbox: Some(_) }, Event::Tapped(Tap::Back)) => {
                self.rest(State::Serving { operator, visit, outbox: None })
            }

            // The visit.
            (State::Serving { operator, mut visit, outbox }, event) => {
                let mut effects = visit.handle(event, now, &self.place);
                if visit.end().is_some() {
                    effects.extend(self.serve(operator));
                } else {
                    self.state = State::Serving { operator, visit, outbox };
                }
                effects
            }

            // While locked the devices may still speak; nobody listens.
            (state @ State::Locked { .. }, _) => self.rest(state),
        }
    }

    /// What is on the screen now.
    pub fn view(&self) -> View {
        let page = match &self.state {
            State::Locked { picked, pin, notice } => Page::SignIn(SignIn {
                title: Some(Id::SignIn),
                operators: self.operators(),
                picked: picked.clone(),
                n_digits: pin.n_digits(),
                notice: notice.clone(),
                buttons: Vec::new(),
            }),
            State::Serving { outbox: Some(lines), .. } => Page::Outbox(self.outbox_page(lines)),
            State::Serving { visit, .. } => visit.page(self.now, &self.place),
        };
        View { header: self.header(), page }
    }

    fn header(&self) -> Header {
        let operator = match &self.state {
            State::Serving { operator, .. } => Some(self.operator_name(operator)),
            State::Locked { .. } => None,
        };
        Header { operator, ..self.header.clone() }
    }

    fn outbox_page(&self, lines: &[OutboxLine]) -> Outbox {
        let headline = match (self.header.held, self.header.waiting) {
            (0, 0) => Id::OutboxAllDelivered.into(),
            (0, waiting) => Id::OutboxWaiting.with([crate::message::Arg::Number(waiting.into())]),
            (held, _) => Id::OutboxHeld.with([crate::message::Arg::Number(held.into())]),
        };
        Outbox { headline, lines: lines.to_vec(), buttons: vec![button(Id::TapBack, Tap::Back)] }
    }

    fn serve(&mut self, operator: String) -> Vec<Effect> {
        let (visit, effects) = Visit::start(operator.clone());
        self.state = State::Serving { operator, visit: Box::new(visit), outbox: None };
        effects
    }

    fn operators(&self) -> Vec<(String, String)> {
        self.place.operators.iter().map(|o| (o.id.clone(), o.name.clone())).collect()
    }

    fn operator_name(&self, id: &str) -> String {
        let found = self.place.operators.iter().find(|operator| operator.id == id);
        found.map_or_else(|| id.to_owned(), |operator| operator.name.clone())
    }

    fn rest(&mut self, state: State) -> Vec<Effect> {
        self.state = state;
        Vec::new()
    }
}

fn locked(notice: Option<Say>) -> State {
    State::Locked { picked: None, pin: Pin::default(), notice }
}
