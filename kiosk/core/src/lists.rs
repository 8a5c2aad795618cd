//! Looking somebody up between visits: by the letters of their name, by what is due, by village.

use jiff::civil::Date;

use crate::event::Effect;
use crate::message::{Arg, Id};
use crate::outcome::Tone;
use crate::policy::DueState;
use crate::roster::Line;
use crate::view::{Button, Choice, Page, People, PersonLine, Pick, Tap};
use crate::visit::{button, state_id};

/// Which people are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who is about to lose their payment, then who owes something soon.
    Due,
    /// Whose payment was stopped.
    Suspended,
    /// The villages, to choose one.
    Villages,
    /// Who is to be visited in this village.
    Village(String),
    /// Whose name begins with these letters of pinyin.
    Letters(String),
}

/// The lists on the screen.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    ask: Ask,
    page: u16,
    lines: Vec<Line>,
    villages: Vec<(String, u64)>,
}

impl Desk {
    /// Begins with whoever is most urgent.
    pub(crate) fn open() -> (Self, Vec<Effect>) {
        let mut desk = Self { ask: Ask::Due, page: 0, lines: Vec::new(), villages: Vec::new() };
        let effects = desk.ask(Ask::Due);
        (desk, effects)
    }

    /// What a tap leads to; none when it is not about these lists.
    pub(crate) fn tapped(&mut self, tap: &Tap) -> Option<Vec<Effect>> {
        Some(match (tap, &self.ask) {
            (Tap::People(ask), _) => self.ask(ask.clone()),
            (Tap::Letter(letter), Ask::Letters(typed)) if typed.len() < LETTERS_MAX => {
                self.ask(Ask::Letters(format!("{typed}{letter}")))
            }
            (Tap::EraseLetter, Ask::Letters(typed)) => {
                let mut typed = typed.clone();
                typed.pop();
                self.ask(Ask::Letters(typed))
            }
            (Tap::OpenPerson(index), Ask::Village(_)) => {
                let line = self.lines.get(usize::from(*index))?;
                vec![Effect::OpenPerson(line.number.clone())]
            }
            (Tap::NextPage, ask) if *ask != Ask::Villages => {
                self.page = self.page.saturating_add(1);
                vec![self.list()]
            }
            _ => return None,
        })
    }

    /// People came; an empty page behind the last one leads back to the first.
    pub(crate) fn show(&mut self, lines: Vec<Line>) -> Vec<Effect> {
        if lines.is_empty() && self.page > 0 {
            self.page = 0;
            return vec![self.list()];
        }
        self.lines = lines;
        Vec::new()
    }

    pub(crate) fn show_villages(&mut self, villages: Vec<(String, u64)>) {
        self.villages = villages;
    }

    fn ask(&mut self, ask: Ask) -> Vec<Effect> {
        self.ask = ask;
        self.page = 0;
        self.lines.clear();
        match &self.ask {
            Ask::Villages => vec![Effect::ListVillages],
            Ask::Letters(typed) if typed.is_empty() => Vec::new(),
            _ => vec![self.list()],
        }
    }

    /// The same page again, as it is after a visit: whoever was certified is gone from it.
    pub(crate) fn again(&self) -> Effect {
        self.list()
    }

    /// Whether it is the home visits of one village.
    pub(crate) fn is_round(&self) -> bool {
        matches!(self.ask, Ask::Village(_))
    }

    fn list(&self) -> Effect {
        Effect::ListPeople { ask: self.ask.clone(), page: self.page }
    }

    pub(crate) fn page(&self) -> Page {
        match &self.ask {
            Ask::Villages => return Page::Choice(self.village_page()),
            Ask::Village(village) => return Page::Choice(self.round_page(village)),
            _ => {}
        }
        let typed = match &self.ask {
            Ask::Letters(typed) => Some(typed.clone()),
            _ => None,
        };
        let headline = match &self.ask {
            Ask::Suspended => Id::PeopleSuspended.into(),
            Ask::Letters(typed) => Id::PeopleTyped.with([Arg::Text(typed.clone())]),
            Ask::Due | Ask::Villages | Ask::Village(_) => Id::PeopleDue.into(),
        };
        let lines = self.lines.iter().map(line).collect();
        Page::People(People { headline, typed, lines, buttons: self.buttons() })
    }

    /// Beside a pad of letters there is room for one row.
    fn buttons(&self) -> Vec<Button> {
        let other = |label, ask: Ask| button(label, Tap::People(ask));
        let mut buttons = Vec::new();
        if let Ask::Letters(_) = self.ask {
            buttons.push(button(Id::TapEraseLetter, Tap::EraseLetter));
            buttons.push(other(Id::TapByDue, Ask::Due));
        } else {
            buttons.push(other(Id::TapByLetters, Ask::Letters(String::new())));
            buttons.push(match self.ask {
                Ask::Suspended => other(Id::TapByDue, Ask::Due),
                _ => other(Id::TapSuspended, Ask::Suspended),
            });
            buttons.push(other(Id::TapByVillage, Ask::Villages));
        }
        let enabled = !self.lines.is_empty();
        buttons.push(Button { enabled, ..button(Id::TapNextPage, Tap::NextPage) });
        buttons.push(button(Id::TapBack, Tap::Back));
        buttons
    }

    /// The home visits of a village by due day: each line opens the visit of that person, without a card.
    fn round_page(&self, village: &str) -> Choice {
        let none = self.lines.is_empty().then(|| Id::RoundEmpty.into());
        let enabled = !self.lines.is_empty();
        Choice {
            title: Id::TapByVillage,
            lines: [Id::PeopleVillage.with([Arg::Text(village.to_owned())])]
                .into_iter()
                .chain(none)
                .collect(),
            options: (0..).zip(&self.lines).map(round_line).collect(),
            buttons: vec![
                Button { enabled, ..button(Id::TapNextPage, Tap::NextPage) },
                button(Id::TapByVillage, Tap::People(Ask::Villages)),
                button(Id::TapBack, Tap::Back),
            ],
        }
    }

    fn village_page(&self) -> Choice {
        let pick = |(village, n_due): &(String, u64)| Pick {
            words: Id::VillageLine.with([
                Arg::Text(village.clone()),
                Arg::Number(i64::try_from(*n_due).unwrap_or(i64::MAX)),
            ]),
            tap: Tap::People(Ask::Village(village.clone())),
        };
        Choice {
            title: Id::TapByVillage,
            lines: Vec::new(),
            options: self.villages.iter().map(pick).collect(),
            buttons: vec![
                button(Id::TapByDue, Tap::People(Ask::Due)),
                button(Id::TapBack, Tap::Back),
            ],
        }
    }
}

fn round_line((index, line): (u16, &Line)) -> Pick {
    let state = line.state.as_ref().map_or(Id::ErrPolicyMissing, state_id);
    let who = [Arg::Text(line.name.clone()), Arg::Text(line.masked.clone()), Arg::Term(state)];
    let words = match line.due.filter(|due| *due > Date::ZERO) {
        Some(due) => Id::RoundLine.with(who.into_iter().chain([Arg::Day(due)])),
        None => Id::RoundLineUndated.with(who),
    };
    Pick { words, tap: Tap::OpenPerson(index) }
}

fn line(line: &Line) -> PersonLine {
    let state = line.state.as_ref();
    PersonLine {
        name: line.name.clone(),
        number: line.masked.clone(),
        village: line.village.clone(),
        state: state.map_or(Id::ErrPolicyMissing, state_id),
        tone: match state {
            Some(DueState::Overdue | DueState::Suspended) | None => Tone::Stopped,
            Some(DueState::Due | DueState::DueSoon | DueState::UnderReview) => Tone::Waiting,
            Some(_) => Tone::Good,
        },
        due: line.due.filter(|due| *due > Date::ZERO),
    }
}

/// More letters than any name has syllables.
const LETTERS_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_typed_and_taken_back_and_asked_for_each_time() {
        let (mut desk, effects) = Desk::open();
        assert_eq!(effects, [Effect::ListPeople { ask: Ask::Due, page: 0 }]);
        assert_eq!(desk.tapped(&Tap::Letter('l')), None, "no letters are asked for");
        assert_eq!(desk.tapped(&Tap::People(Ask::Letters(String::new()))), Some(Vec::new()));
        let typed =
            |text: &str| Some(vec![Effect::ListPeople { ask: Ask::Letters(text.into()), page: 0 }]);
        assert_eq!(desk.tapped(&Tap::Letter('l')), typed("l"));
        assert_eq!(desk.tapped(&Tap::Letter('x')), typed("lx"));
        assert_eq!(desk.tapped(&Tap::EraseLetter), typed("l"));
        assert_eq!(desk.tapped(&Tap::EraseLetter), Some(Vec::new()));
    }

    #[test]
    fn behind_the_last_page_comes_the_first() {
        let (mut desk, _) = Desk::open();
        assert_eq!(
            desk.tapped(&Tap::NextPage),
            Some(vec![Effect::ListPeople { ask: Ask::Due, page: 1 }])
        );
        assert_eq!(desk.show(Vec::new()), [Effect::ListPeople { ask: Ask::Due, page: 0 }]);
        assert_eq!(desk.show(Vec::new()), [], "an empty list is shown as it is");
    }

    #[test]
    fn a_village_leads_to_its_people() {
        let (mut desk, _) = Desk::open();
        assert_eq!(desk.tapped(&Tap::People(Ask::Villages)), Some(vec![Effect::ListVillages]));
        desk.show_villages(vec![("上湾村".into(), 3)]);
        let Page::Choice(page) = desk.page() else {
            panic!("the villages are a list to choose from")
        };
        let ask = Ask::Village("上湾村".into());
        assert_eq!(page.options[0].tap, Tap::People(ask.clone()));
        assert_eq!(
            desk.tapped(&page.options[0].tap),
            Some(vec![Effect::ListPeople { ask, page: 0 }])
        );
        desk.show(Vec::new());
        let Page::Choice(page) = desk.page() else { panic!("a village is worked from a list") };
        assert_eq!((page.lines.len(), page.options.len()), (2, 0), "it says that nobody is there");
    }
}
