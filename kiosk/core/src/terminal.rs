//! The terminal as a whole: locked, or serving one visit after another.

use crate::draft::Draft;
use crate::event::{Effect, Event};
use crate::lists::Desk;
use crate::message::{Arg, Id, Say};
use crate::moment::Moment;
use crate::operator::{Pin, PinCheck};
use crate::policy::PackSet;
use crate::view::{Choice, Header, Outbox, OutboxLine, Page, Pick, SignIn, SlipState, Tap, View};
use crate::visit::{Place, Visit, button, pin_notice};

/// The terminal: the only thing that the program holds of core.
#[derive(Clone, Debug)]
pub struct Terminal {
    place: Place,
    header: Header,
    state: State,
    now: Moment,
    /// Editions that wait until no visit is under way.
    coming: Option<PackSet>,
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
        Self { place, header, state: locked(None), now: Moment::default(), coming: None }
    }

    /// Something happened at `now`; says what has to be done.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        self.now = now;
        if let Event::Status(header) = event {
            self.place.troubles.clone_from(&header.troubles);
            self.header = Header { site: self.place.site_name.clone(), ..header };
            return Vec::new();
        }
        if let Event::Packs(packs) = event {
            self.coming = Some(*packs);
            if self.is_between_visits() {
                self.adopt();
            }
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
                self.state = locked(None);
                return vec![Effect::StopSensors, Effect::Forget];
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

    /// Where it stands, and the rules in force.
    pub fn place(&self) -> &Place {
        &self.place
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
        Outbox { headline, lines: lines.to_vec(), slip, buttons }
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
            && !self.drafts.is_empty()
            && !self.visit.is_under_way()
        {
            waiting.buttons.insert(0, button(Id::TapDrafts, Tap::ShowDrafts));
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

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;
    use crate::event::CardEvent;
    use crate::identity::{CardIdentity, IdNumber};
    use crate::operator::{Operator, Role};
    use crate::policy::Pack;
    use crate::record::RecordId;
    use crate::roster::Line;

    const PACK: &str = include_str!("../../policy/cn.nm.region.enterprise_pension.toml");

    fn packs(version: u32) -> PackSet {
        let text = PACK.replacen("version = 3", &format!("version = {version}"), 1);
        PackSet::from_packs([Pack::parse(&text).unwrap()])
    }

    fn serving() -> Terminal {
        let operator = Operator { id: "op".into(), name: "op".into(), role: Role::Operator };
        let mut terminal = Terminal::new(Place {
            device: "d".into(),
            site: "s".into(),
            site_name: "S".into(),
            packs: packs(3),
            operators: vec![operator],
            notice: "n".into(),
            notice_digest: [0; 32],
            troubles: Vec::new(),
        });
        tap(&mut terminal, Tap::PickOperator("op".into()));
        happens(&mut terminal, Event::PinChecked("op".into(), PinCheck::Right));
        terminal
    }

    fn happens(terminal: &mut Terminal, event: Event) -> Vec<Effect> {
        terminal.handle(event, Moment { wall_ms: 1_794_794_400_000, ..Moment::default() })
    }

    fn tap(terminal: &mut Terminal, tap: Tap) -> Vec<Effect> {
        happens(terminal, Event::Tapped(tap))
    }

    fn number() -> IdNumber {
        IdNumber::parse("11010519491231002X").unwrap()
    }

    fn card() -> Event {
        let card = Box::new(CardIdentity::of_roster(&number(), "测试人"));
        Event::Card(CardEvent::Read { card, visit: [6; 16], record: RecordId([7; 16]) })
    }

    #[track_caller]
    fn check_version(terminal: &Terminal, version: u32) {
        assert_eq!(terminal.place().packs.iter().next().map(|pack| pack.version), Some(version));
    }

    #[test]
    fn a_visit_ends_by_the_edition_it_began_with() {
        let mut terminal = serving();
        happens(&mut terminal, Event::Packs(Box::new(packs(4))));
        check_version(&terminal, 4);
        happens(&mut terminal, card());
        happens(&mut terminal, Event::Found(Box::default()));
        happens(&mut terminal, Event::Packs(Box::new(packs(5))));
        check_version(&terminal, 4);
        tap(&mut terminal, Tap::Done);
        happens(&mut terminal, Event::Sealed(RecordId([7; 16])));
        check_version(&terminal, 4);
        tap(&mut terminal, Tap::Done);
        check_version(&terminal, 5);
    }

    #[test]
    fn a_round_goes_on_with_the_list_after_each_visit_and_ends_with_a_card() {
        let mut terminal = serving();
        let village = crate::lists::Ask::Village("上湾村".into());
        tap(&mut terminal, Tap::ShowPeople);
        tap(&mut terminal, Tap::People(village.clone()));
        let line = Line {
            number: number(),
            name: "测**".into(),
            masked: number().masked(),
            village: "上湾村".into(),
            state: None,
            due: Some(Date::constant(2026, 12, 1)),
            suspends: false,
        };
        happens(&mut terminal, Event::People(vec![line]));
        assert_eq!(tap(&mut terminal, Tap::OpenPerson(1)), [], "nobody stands there");
        let opens = tap(&mut terminal, Tap::OpenPerson(0));
        assert_eq!(opens, [Effect::OpenPerson(number())]);
        happens(&mut terminal, card());
        happens(&mut terminal, Event::Found(Box::default()));
        assert!(matches!(terminal.view().page, Page::Person(_)));
        tap(&mut terminal, Tap::Done);
        happens(&mut terminal, Event::Sealed(RecordId([7; 16])));
        let next = tap(&mut terminal, Tap::Done);
        assert_eq!(next.last(), Some(&Effect::ListPeople { ask: village, page: 0 }));
        assert!(matches!(terminal.view().page, Page::Choice(_)), "the list is there again");
        tap(&mut terminal, Tap::Back);
        assert!(matches!(terminal.view().page, Page::Waiting(_)));
    }
}
