//! The mark that somebody is served, for whoever starts the machine again into an update: a file that is there on every
//! page but the one on which somebody signs in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use kiosk_core::view::Page;
use tracing::warn;

/// A file without content that says it by being there.
pub struct Served {
    file: PathBuf,
    /// What the file says; none where it could not be made to.
    said: Option<bool>,
    /// It was told that the file cannot be written or removed.
    is_told: bool,
}

impl Served {
    /// At the start nobody is: a program that died in a visit left the mark, and whoever served has to sign in again.
    pub fn nobody(file: &Path) -> Self {
        let mut served = Self { file: file.into(), said: None, is_told: false };
        served.say(false);
        served
    }

    /// Follows the page. What failed is tried again when it changes.
    pub fn follow(&mut self, page: &Page) {
        // An operator who has signed in is about to serve, also where they read a list.
        self.say(!matches!(page, Page::SignIn(_)));
    }

    fn say(&mut self, is_served: bool) {
        if self.said == Some(is_served) {
            return;
        }
        let done = match is_served {
            true => fs::write(&self.file, ""),
            false => remove(&self.file),
        };
        self.said = done.is_ok().then_some(is_served);
        if let Err(problem) = done
            && !std::mem::replace(&mut self.is_told, true)
        {
            warn!(%problem, file = %self.file.display(), "whether somebody is served is not told");
        }
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use kiosk_core::event::{CardEvent, Event, Power};
    use kiosk_core::identity::{CardIdentity, IdNumber};
    use kiosk_core::moment::Moment;
    use kiosk_core::operator::{Operator, PinCheck, Role};
    use kiosk_core::policy::PackSet;
    use kiosk_core::record::RecordId;
    use kiosk_core::terminal::Terminal;
    use kiosk_core::view::Tap;
    use kiosk_core::visit::Place;

    use super::*;

    #[test]
    fn the_mark_is_there_from_signing_in_to_signing_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("served");
        let (mut served, mut terminal) = (Served::nobody(&file), Terminal::new(place()));
        let mut story = String::new();
        for word in [
            "start", "devices", "back", "pick", "wrong", "right", "list", "back", "sign-out",
            "pick", "right", "card", "found", "sign-out", "empty",
        ] {
            for event in event(word) {
                terminal.handle(event, Moment::default());
            }
            let page = terminal.view().page;
            served.follow(&page);
            let mark = if file.exists() { "served" } else { "nobody" };
            story += &format!("{word} -> {}: {mark}\n", page.name());
        }
        expect_test::expect![[r#"
            start -> sign-in: nobody
            devices -> devices: served
            back -> sign-in: nobody
            pick -> sign-in: nobody
            wrong -> sign-in: nobody
            right -> waiting: served
            list -> outbox: served
            back -> waiting: served
            sign-out -> sign-in: nobody
            pick -> sign-in: nobody
            right -> waiting: served
            card -> waiting: served
            found -> person: served
            sign-out -> person: served
            empty -> sign-in: nobody
        "#]]
        .assert_eq(&story);
    }

    #[test]
    fn a_program_that_died_in_a_visit_serves_nobody_when_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("served");
        let mut served = Served::nobody(&file);
        served.follow(&Page::Saving);
        drop(served);
        assert!(file.exists(), "it died");
        Served::nobody(&file);
        assert!(!file.exists());
    }

    #[test]
    fn the_file_is_touched_only_when_that_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("served");
        let mut served = Served::nobody(&file);
        served.follow(&Page::Saving);
        fs::remove_file(&file).unwrap();
        served.follow(&Page::Saving);
        assert!(!file.exists(), "it was said before");
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run").join("served");
        let mut served = Served::nobody(&file);
        assert!(!served.is_told, "nothing is there to be removed");
        served.follow(&Page::Saving);
        assert!(served.is_told && !file.exists());
        fs::create_dir(file.parent().unwrap()).unwrap();
        served.follow(&Page::Saving);
        assert!(file.exists());
    }

    fn place() -> Place {
        let op = Operator { id: "op".into(), name: "李经办".into(), role: Role::Operator };
        Place {
            device: "counter-0001".into(),
            site: "town-17".into(),
            site_name: "常青镇".into(),
            packs: PackSet::default(),
            operators: vec![op],
            notice: "1".into(),
            notice_digest: [0; 32],
            troubles: Vec::new(),
        }
    }

    fn event(word: &str) -> Vec<Event> {
        let checked = |check| vec![Event::PinChecked("op".into(), check)];
        match word {
            "start" => Vec::new(),
            "pick" => vec![Event::Tapped(Tap::PickOperator("op".into()))],
            "wrong" => checked(PinCheck::Wrong { tries_left: 2 }),
            "right" => checked(PinCheck::Right),
            "devices" => vec![Event::Tapped(Tap::ShowDevices)],
            "list" => vec![Event::Tapped(Tap::ShowOutbox)],
            "back" => vec![Event::Tapped(Tap::Back)],
            "sign-out" => vec![Event::Tapped(Tap::SignOut)],
            "card" => {
                let number = IdNumber::parse("11010519491231002X").unwrap();
                let card = Box::new(CardIdentity::of_roster(&number, "王大爷"));
                let read = CardEvent::Read { card, visit: [1; 16], record: RecordId([1; 16]) };
                vec![Event::Card(read)]
            }
            "found" => vec![Event::Found(Box::default())],
            "empty" => vec![Event::Power(Power::Empty)],
            word => panic!("no event {word}"),
        }
    }
}
