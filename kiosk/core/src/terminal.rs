//! The terminal as a whole: locked, or serving one visit after another.

use crate::draft::Draft;
use crate::event::{Effect, Event, Power};
use crate::lists::Desk;
use crate::message::{Arg, Id, Say};
use crate::moment::Moment;
use crate::operator::{Pin, PinCheck};
use crate::outcome::Tone;
use crate::policy::PackSet;
use crate::view::{
    Button, Choice, DeviceLine, Devices, Header, Outbox, OutboxLine, Page, Pick, SignIn, SlipState,
    Tap, View,
};
use crate::visit::{Place, Visit, button, pin_notice};

/// The terminal: the only thing that the program holds of core.
#[derive(Clone, Debug)]
pub struct Terminal {
    place: Place,
    header: Header,
    state: State,
    now: Moment,
    /// When somebody did something last, or was served: monotonic milliseconds.
    used_ms: u64,
    /// Editions that wait until no visit is under way.
    coming: Option<PackSet>,
    power: Power,
    /// Set while the page about the devices is looked at.
    checkup: Option<Checkup>,
}

/// The check of the devices.
#[derive(Clone, Debug)]
enum Checkup {
    Running,
    Done(Vec<DeviceLine>),
}

#[derive(Clone, Debug)]
enum State {
    Locked { picked: Option<String>, pin: Pin, notice: Option<Say> },
    Serving(Box<Serving>),
}

/// An operator at work.
#[derive(Clone, Debug)]
struct Serving {
    operator: String,
    visit: Visit,
    /// Visits that wait to be taken up again.
    drafts: Vec<Draft>,
    aside: Option<Aside>,
    /// The list from which the visit under way was begun.
    round: Option<Desk>,
}

/// Pages that are looked at between visits.
#[derive(Clone, Debug)]
enum Aside {
    Outbox { lines: Vec<OutboxLine>, slip: Option<SlipState> },
    Drafts,
    People(Desk),
}

impl Terminal {
    /// Locked, waiting for an operator.
    pub fn new(place: Place) -> Self {
        let header = Header { site: place.site_name.clone(), ..Header::default() };
        let (now, power) = (Moment::default(), Power::default());
        let state = locked(None);
        Self { place, header, state, now, used_ms: 0, coming: None, power, checkup: None }
    }

    /// Something happened at `now`; says what has to be done.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        self.now = now;
        let left = self.close_when_left();
        let is_by_people =
            matches!(event, Event::Tapped(_) | Event::PinChecked(..) | Event::Card(_));
        // Whoever comes after that is somebody else.
        if is_by_people && !left.is_empty() {
            return left;
        }
        let is_by_itself = matches!(
            event,
            Event::Status(_) | Event::Packs(_) | Event::Power(_) | Event::Presence(_)
        );
        let is_part_of_visit = !(is_by_itself || self.is_idle()) || matches!(event, Event::Slip(_));
        if is_by_people || is_part_of_visit {
            self.used_ms = now.mono_ms;
        }
        left.into_iter().chain(self.hear(event)).collect()
    }

    fn hear(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = match event {
            Event::Status(header) => {
                self.place.troubles.clone_from(&header.troubles);
                self.header = Header { site: self.place.site_name.clone(), ..header };
                return Vec::new();
            }
            Event::Packs(packs) => {
                self.coming = Some(*packs);
                if self.is_between_visits() {
                    self.adopt();
                }
                return Vec::new();
            }
            Event::Power(power) => self.power(power),
            Event::Checked(lines) => {
                self.checkup = self.checkup.take().map(|_| Checkup::Done(lines));
                Vec::new()
            }
            Event::Tapped(Tap::ShowDevices) if self.is_idle() => {
                self.checkup = Some(Checkup::Running);
                vec![Effect::CheckDevices]
            }
            Event::Tapped(Tap::Back) if self.checkup.is_some() => {
                self.checkup = None;
                Vec::new()
            }
            event => self.go_on(event, self.now),
        };
        if !self.is_idle() {
            self.checkup = None;
        }
        effects.extend(self.close_when_empty());
        effects
    }

    fn go_on(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, locked(None));
        match (state, event) {
            // On an empty battery nothing is begun.
            (state @ State::Locked { .. }, Event::Tapped(_)) if self.power == Power::Empty => {
                self.rest(state)
            }

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

            (State::Serving(serving), event) => self.work(serving, event, now),

            // While locked the devices may still speak; nobody listens.
            (state @ State::Locked { .. }, _) => self.rest(state),
        }
    }

    /// Somebody is signed in: between visits the lists, else the visit.
    fn work(&mut self, mut serving: Box<Serving>, event: Event, now: Moment) -> Vec<Effect> {
        let is_idle = !serving.visit.is_under_way();
        let effects = match event {
            Event::Tapped(Tap::SignOut) if is_idle => {
                return self.sign_out(None);
            }
            Event::Tapped(Tap::ShowOutbox) if is_idle => {
                serving.aside = Some(Aside::Outbox { lines: Vec::new(), slip: None });
                vec![Effect::ListOutbox]
            }
            Event::Drafts(drafts) => {
                serving.drafts = drafts;
                Vec::new()
            }
            Event::Tapped(Tap::ShowPeople) if is_idle => {
                let (desk, effects) = Desk::open();
                serving.aside = Some(Aside::People(desk));
                effects
            }
            Event::Tapped(Tap::ShowDrafts) if is_idle => {
                serving.aside = Some(Aside::Drafts);
                Vec::new()
            }
            Event::Tapped(Tap::Resume(visit)) if matches!(serving.aside, Some(Aside::Drafts)) => {
                serving.take_up(visit)
            }
            Event::Tapped(Tap::OpenPerson(_)) if is_idle => serving.open_person(&event),
            Event::Tapped(Tap::Back) if serving.aside.is_some() => {
                (serving.aside, serving.round) = (None, None);
                Vec::new()
            }
            Event::Presence(true) if serving.visit.awaits_card() && serving.aside.is_none() => {
                vec![Effect::Speak(Id::LayCard)]
            }
            // A card that is laid on ends the reading of lists.
            event => {
                if let Some(effects) = serving.read_on(&event) {
                    self.state = State::Serving(serving);
                    return effects;
                }
                let effects = serving.visit.handle(event, now, &self.place);
                if serving.visit.end().is_some() {
                    let next = self.serve_next(serving.operator, serving.round);
                    return effects.into_iter().chain(next).collect();
                }
                if serving.visit.is_under_way() {
                    serving.aside = None;
                }
                effects
            }
        };
        self.state = State::Serving(serving);
        effects
    }

    /// Between two people: nothing would be lost or mixed up.
    pub fn is_idle(&self) -> bool {
        match &self.state {
            State::Locked { .. } => true,
            State::Serving(serving) => !serving.visit.is_under_way(),
        }
    }

    fn power(&mut self, power: Power) -> Vec<Effect> {
        let was_empty = std::mem::replace(&mut self.power, power) == Power::Empty;
        if was_empty && power != Power::Empty {
            self.state = locked(None);
        }
        Vec::new()
    }

    /// Whoever signed in and went away is signed out, so that nobody serves in their name. The visit under way is kept as a
    /// draft, step by step; what is being sealed or printed comes to its end first.
    fn close_when_left(&mut self) -> Vec<Effect> {
        let left_ms = self.now.mono_ms.saturating_sub(self.used_ms);
        match &self.state {
            State::Locked { .. } => {
                // Nobody is signed in, but the devices were looked at.
                self.checkup = self.checkup.take().filter(|_| left_ms < LEFT_MS);
                Vec::new()
            }
            State::Serving(serving) if serving.is_left(left_ms) => {
                self.checkup = None;
                self.sign_out(Some(Id::SignedOut))
            }
            State::Serving(_) => Vec::new(),
        }
    }

    fn sign_out(&mut self, notice: Option<Id>) -> Vec<Effect> {
        self.state = locked(notice.map(Say::from));
        vec![Effect::StopSensors, Effect::Forget]
    }

    /// The visit under way is kept as a draft, step by step, and is taken up when there is power again. What is being
    /// sealed or printed comes to its end first.
    fn close_when_empty(&mut self) -> Vec<Effect> {
        let is_at_rest = match &self.state {
            State::Locked { notice, .. } => *notice == Some(Id::ErrPowerEmpty.into()),
            State::Serving(serving) => serving.visit.must_finish(),
        };
        if self.power != Power::Empty || is_at_rest {
            return Vec::new();
        }
        self.checkup = None;
        let mut effects = self.sign_out(Some(Id::ErrPowerEmpty));
        effects.push(Effect::PowerDown);
        effects
    }

    /// Where it stands, and the rules in force.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is on the screen now.
    pub fn view(&self) -> View {
        let page = match &self.state {
            _ if self.checkup.is_some() => Page::Devices(self.devices_page()),
            State::Locked { picked, pin, notice } => Page::SignIn(SignIn {
                title: Some(Id::SignIn),
                operators: self.operators(),
                picked: picked.clone(),
                n_digits: pin.n_digits(),
                notice: notice.clone(),
                buttons: vec![button(Id::TapDevices, Tap::ShowDevices)],
            }),
            State::Serving(serving) => match &serving.aside {
                Some(Aside::Outbox { lines, slip }) => Page::Outbox(self.outbox_page(lines, *slip)),
                Some(Aside::Drafts) => Page::Choice(drafts_page(&serving.drafts)),
                Some(Aside::People(desk)) => desk.page(),
                None => serving.page(self.now, &self.place),
            },
        };
        View { header: self.header(), page }
    }

    fn header(&self) -> Header {
        let operator = match &self.state {
            State::Serving(serving) => Some(self.operator_name(&serving.operator)),
            State::Locked { .. } => None,
        };
        Header { operator, ..self.header.clone() }
    }

    fn outbox_page(&self, lines: &[OutboxLine], slip: Option<SlipState>) -> Outbox {
        let headline = match (self.header.held, self.header.waiting) {
            (0, 0) => Id::OutboxAllDelivered.into(),
            (0, waiting) => Id::OutboxWaiting.with([Arg::Number(waiting.into())]),
            (held, _) => Id::OutboxHeld.with([Arg::Number(held.into())]),
        };
        let buttons = vec![button(Id::TapBack, Tap::Back)];
        let edition = self.header.update.clone();
        let update = edition.map(|edition| Id::OutboxUpdate.with([Arg::Text(edition)]));
        Outbox { headline, lines: lines.to_vec(), slip, update, buttons }
    }

    fn is_between_visits(&self) -> bool {
        match &self.state {
            State::Locked { .. } => true,
            State::Serving(serving) => serving.visit.awaits_card(),
        }
    }

    fn adopt(&mut self) {
        if let Some(packs) = self.coming.take() {
            self.place.packs = packs;
        }
    }

    /// The next visit; on a round of home visits from the list where the last one began.
    fn serve_next(&mut self, operator: String, round: Option<Desk>) -> Vec<Effect> {
        let mut effects = self.serve(operator);
        if let (Some(desk), State::Serving(serving)) = (round, &mut self.state) {
            effects.push(desk.again());
            serving.aside = Some(Aside::People(desk));
        }
        effects
    }

    fn devices_page(&self) -> Devices {
        let (headline, lines) = match &self.checkup {
            Some(Checkup::Done(lines)) => {
                let n_failing = lines.iter().filter(|line| line.tone != Tone::Good).count();
                let failing = [Arg::Number(i64::try_from(n_failing).unwrap_or(i64::MAX))];
                let headline = match n_failing {
                    0 => Id::DevicesWell.into(),
                    _ => Id::DevicesFailing.with(failing),
                };
                (headline, lines.clone())
            }
            _ => (Id::DevicesChecking.into(), Vec::new()),
        };
        let is_done = matches!(self.checkup, Some(Checkup::Done(_)));
        let again = button(Id::TapCheckAgain, Tap::ShowDevices);
        let buttons = vec![Button { enabled: is_done, ..again }, button(Id::TapBack, Tap::Back)];
        Devices { headline, lines, buttons }
    }

    fn serve(&mut self, operator: String) -> Vec<Effect> {
        self.adopt();
        let (visit, mut effects) = Visit::start(operator.clone());
        let serving = Serving { operator, visit, drafts: Vec::new(), aside: None, round: None };
        self.state = State::Serving(Box::new(serving));
        effects.push(Effect::ListDrafts);
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

impl Serving {
    /// Whether nobody did anything for so long that nobody is there any more.
    fn is_left(&self, ms: u64) -> bool {
        let limit_ms = if self.visit.is_under_way() { LEFT_IN_VISIT_MS } else { LEFT_MS };
        ms >= limit_ms && !self.visit.must_finish() && !self.visit.is_sealing()
    }

    fn take_up(&mut self, visit: [u8; 16]) -> Vec<Effect> {
        let draft = self.drafts.iter().find(|draft| draft.visit == visit).cloned();
        let Some((visit, effects)) = draft.and_then(|d| Visit::resume(self.operator.clone(), d))
        else {
            return Vec::new();
        };
        self.visit = visit;
        self.aside = None;
        effects
    }

    /// Asks for the visit of somebody on the list; the list waits.
    fn open_person(&mut self, event: &Event) -> Vec<Effect> {
        let effects = self.read_on(event).unwrap_or_default();
        if let (Some(Aside::People(desk)), false) = (&self.aside, effects.is_empty()) {
            self.round = desk.is_round().then(|| desk.clone());
        }
        effects
    }

    /// What the list that is open does with an event; none when it is not about that list.
    fn read_on(&mut self, event: &Event) -> Option<Vec<Effect>> {
        match (self.aside.as_mut()?, event) {
            (Aside::Outbox { lines, .. }, Event::Outbox(newer)) => lines.clone_from(newer),
            (Aside::Outbox { slip, .. }, Event::Slip(state)) => *slip = Some(*state),
            (Aside::Outbox { lines, slip }, Event::Tapped(Tap::PrintSlip(seq)))
                if lines.iter().any(|line| line.seq == *seq) =>
            {
                *slip = Some(SlipState::Printing);
                return Some(vec![Effect::PrintKept(*seq)]);
            }
            (Aside::People(desk), Event::Tapped(tap)) => return desk.tapped(tap),
            (Aside::People(desk), Event::People(lines)) => return Some(desk.show(lines.clone())),
            (Aside::People(desk), Event::Villages(villages)) => {
                desk.show_villages(villages.clone());
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn page(&self, now: Moment, place: &Place) -> Page {
        let mut page = self.visit.page(now, place);
        if let Page::Waiting(waiting) = &mut page
            && !self.visit.is_under_way()
        {
            if !self.drafts.is_empty() {
                waiting.buttons.insert(0, button(Id::TapDrafts, Tap::ShowDrafts));
            }
            let last = waiting.buttons.len().saturating_sub(1);
            waiting.buttons.insert(last, button(Id::TapDevices, Tap::ShowDevices));
        }
        page
    }
}

fn drafts_page(drafts: &[Draft]) -> Choice {
    let line = |draft: &Draft| {
        let begun = Moment { wall_ms: draft.begun_ms, ..Moment::default() };
        let with = [Arg::Text(draft.masked_name()), Arg::Day(begun.date())];
        Pick { words: Id::DraftLine.with(with), tap: Tap::Resume(draft.visit) }
    };
    Choice {
        title: Id::DraftsTitle,
        lines: vec![Id::DraftsBody.into()],
        options: drafts.iter().map(line).collect(),
        buttons: vec![button(Id::TapBack, Tap::Back)],
    }
}

fn locked(notice: Option<Say>) -> State {
    State::Locked { picked: None, pin: Pin::default(), notice }
}

/// GB/T 22239-2019, 8.1.4.1 b, wants sessions that end by themselves and names no time; a counter that is quiet for a quarter
/// of an hour is asked for a PIN no more than a few times a day.
const LEFT_MS: u64 = 15 * 60_000;
/// The person may have gone for a paper. Longer, and their name would stand on the screen all night.
const LEFT_IN_VISIT_MS: u64 = 60 * 60_000;

#[cfg(test)]
mod rounds;
#[cfg(test)]
mod tests;
