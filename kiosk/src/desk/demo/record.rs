//! What the demonstration leaves behind: a line for each event, a picture of each page, and a summary.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use image::RgbImage;
use kiosk_core::decision::{Comparison, judge_best};
use kiosk_core::event::{CardEvent, Event, FaceEvent, FingerEvent};
use kiosk_core::record::RecordId;
use kiosk_core::view::{Delivery, Page, SlipState, Tap, View};
use kiosk_store::RecordState;
use serde::{Deserialize, Serialize};

use super::{Arguments, Visitor};
use crate::shell::Shell;

/// One line of `timeline.jsonl`.
#[derive(Serialize, Deserialize)]
struct Line {
    t_ms: u64,
    visit: u32,
    event: String,
}

/// `summary.json`.
#[derive(Serialize)]
pub struct Summary {
    seed: u64,
    visits: usize,
    outcomes: BTreeMap<String, u32>,
    records_sealed: usize,
    receipts_verified: usize,
    outbox_left: u64,
}

impl Summary {
    /// Every visit left a record, and every record has its verified receipt.
    pub fn is_complete(&self) -> bool {
        let all = self.records_sealed == self.visits;
        all && self.receipts_verified == self.records_sealed && self.outbox_left == 0
    }
}

/// Writes them. Clones write to the same place.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<Inner>>);

struct Inner {
    dir: PathBuf,
    keep: bool,
    started: Instant,
    visit: u32,
    n_pictures: u32,
    last: String,
    /// The record of this visit, once it is sealed.
    record: Option<RecordId>,
    /// What slip and receipt do at the same time is told in a fixed order at the end of the visit.
    at_the_end: Vec<Line>,
    timeline: RefCell<Option<File>>,
}

impl Recorder {
    /// Into a directory; nothing is written unless `keep`.
    pub fn new(dir: &Path, keep: bool) -> io::Result<Self> {
        if keep {
            fs::create_dir_all(dir.join("screens"))?;
        }
        Ok(Self(Arc::new(Mutex::new(Inner {
            dir: dir.into(),
            keep,
            started: Instant::now(),
            visit: 0,
            n_pictures: 0,
            last: String::new(),
            record: None,
            at_the_end: Vec::new(),
            timeline: RefCell::new(None),
        }))))
    }

    /// Drops the lines of a visit that was interrupted: it is told from its beginning.
    pub fn forget_unfinished(&self, is_done: impl Fn(u32) -> bool) -> io::Result<()> {
        let inner = self.inner();
        if !inner.keep {
            return Ok(());
        }
        let file = inner.dir.join("timeline.jsonl");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let done = |line: &&str| {
            let parsed: Option<Line> = serde_json::from_str(line).ok();
            parsed.is_some_and(|line| is_done(line.visit))
        };
        let kept: String = text.lines().filter(done).map(|line| format!("{line}\n")).collect();
        fs::write(&file, kept)
    }

    /// A visit begins.
    pub fn begin(&self, visit: u32) {
        let mut inner = self.inner();
        inner.visit = visit;
        inner.n_pictures = 0;
        inner.last.clear();
        inner.record = None;
    }

    /// Something happened that core heard.
    pub fn event(&self, event: &Event) -> io::Result<()> {
        let Some(name) = name(event) else {
            return Ok(());
        };
        let mut inner = self.inner();
        match event {
            Event::Sealed(record) => inner.record = Some(*record),
            // The receipt of another visit, from before a crash, is told at the end; see `catch_up`.
            Event::Delivery(record, _) if inner.record != Some(*record) => return Ok(()),
            _ => {}
        }
        if name == inner.last {
            return Ok(());
        }
        let t_ms = inner.now_ms();
        let line = Line { t_ms, visit: inner.visit, event: name.clone() };
        if matches!(event, Event::Slip(_) | Event::Delivery(..)) {
            inner.at_the_end.push(line);
            return Ok(());
        }
        inner.last = name;
        inner.write(&line)
    }

    /// The visitor has left.
    pub fn end(&self) -> io::Result<()> {
        let mut inner = self.inner();
        let mut lines = std::mem::take(&mut inner.at_the_end);
        lines.sort_by(|a, b| a.event.cmp(&b.event));
        // What happened at the same time is told as of now, in a fixed order.
        let last = inner.now_ms();
        lines.iter_mut().for_each(|line| line.t_ms = last);
        lines.iter().try_for_each(|line| inner.write(line))
    }

    /// Tells of a visit that another run recorded what that run had no time to write. Whether its slip was printed
    /// nobody knows; the operator prints it again from the list.
    pub fn catch_up(&self, visit: u32, has_receipt: bool) -> io::Result<()> {
        let mut inner = self.inner();
        let text = fs::read_to_string(inner.dir.join("timeline.jsonl")).unwrap_or_default();
        let told: Vec<Line> = text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        let is_told = |event: &str| told.iter().any(|l| l.visit == visit && l.event == event);
        inner.visit = visit;
        let t_ms = inner.now_ms();
        let happened = [("record-sealed", true), ("receipt-verified", has_receipt)];
        let missing = happened.into_iter().filter(|(event, is_true)| *is_true && !is_told(event));
        for (event, _) in missing {
            inner.write(&Line { t_ms, visit, event: event.into() })?;
        }
        Ok(())
    }

    /// A page as the people saw it.
    pub fn picture(&self, key: &str, picture: &RgbImage) {
        let mut inner = self.inner();
        if !inner.keep || inner.visit == 0 {
            return;
        }
        inner.n_pictures += 1;
        let name = format!("screens/v{:02}-{:02}-{key}.png", inner.visit, inner.n_pictures);
        if let Err(problem) = picture.save(inner.dir.join(name)) {
            tracing::warn!(%problem, "picture of the screen");
        }
    }

    /// At the end of it all.
    pub fn summary(&self, summary: &Summary) -> io::Result<()> {
        let inner = self.inner();
        if !inner.keep {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(summary)?;
        let fresh = inner.dir.join("summary.json.new");
        fs::write(&fresh, text + "\n")?;
        fs::rename(fresh, inner.dir.join("summary.json"))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("the demonstration runs on one thread")
    }
}

impl Inner {
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line)?;
        println!("{:>7} ms  visit {}  {}", line.t_ms, line.visit, line.event);
        if !self.keep {
            return Ok(());
        }
        let mut timeline = self.timeline.borrow_mut();
        if timeline.is_none() {
            let path = self.dir.join("timeline.jsonl");
            *timeline = Some(OpenOptions::new().create(true).append(true).open(path)?);
        }
        let file = timeline.as_mut().expect("opened above");
        writeln!(file, "{text}")
    }
}

/// The word for an event. Events that tell how fast a device was, not what happened, have none.
fn name(event: &Event) -> Option<String> {
    Some(match event {
        Event::Status(_) | Event::Outbox(_) | Event::Drafts(_) => return None,
        Event::People(_) | Event::Villages(_) | Event::Packs(_) => return None,
        // Which digit is nobody's business; how many there were is not either.
        Event::Tapped(Tap::Digit(_)) => "tapped Digit".into(),
        Event::Checked(_) | Event::Power(_) | Event::Presence(_) => return None,
        Event::Tapped(tap) => format!("tapped {tap:?}"),
        Event::PinChecked(_, check) => format!("pin-checked {check:?}"),
        Event::Card(CardEvent::HoldStill) => return None,
        Event::Card(CardEvent::Reading) => "card-reading".into(),
        Event::Card(CardEvent::Read { .. }) => "card-read".into(),
        Event::Card(CardEvent::Locked) => "card-locked".into(),
        Event::Card(CardEvent::Drawn) => "card-drawn".into(),
        Event::Card(CardEvent::PinRefused(_)) => "card-pin-refused".into(),
        Event::Card(CardEvent::Unusable(err)) => format!("card-unusable {}", err.name()),
        Event::Found(lookup) => {
            let known = if lookup.beneficiary.is_some() { "known" } else { "unknown" };
            format!("roster-{known}")
        }
        Event::Face(_, FaceEvent::Seen { coaching: Some(hint), .. }) => {
            format!("face-seen {}", hint.name())
        }
        Event::Face(_, FaceEvent::Seen { coaching: None, .. }) => "face-seen good".into(),
        Event::Face(_, FaceEvent::Taken(seen)) => format!("face-compared {}", verdict(seen)),
        Event::Face(_, FaceEvent::TimedOut(_)) => "face-timed-out".into(),
        Event::Face(_, FaceEvent::Failed(err)) => format!("face-failed {}", err.name()),
        Event::Finger(_, FingerEvent::Seen { prompt, .. }) => {
            format!("finger-seen {}", prompt.name())
        }
        Event::Finger(_, FingerEvent::Placed) => "finger-placed".into(),
        Event::Finger(_, FingerEvent::Taken(seen)) => format!("finger-compared {}", verdict(seen)),
        Event::Finger(_, FingerEvent::TimedOut) => "finger-timed-out".into(),
        Event::Finger(_, FingerEvent::Failed(err)) => format!("finger-failed {}", err.name()),
        Event::Document(_, Ok(())) => "document-taken".into(),
        Event::DocumentRead(..) => "document-read".into(),
        Event::Document(_, Err(why)) => format!("document-again {}", why.name()),
        Event::Sealed(_) => "record-sealed".into(),
        Event::SealFailed(err) => format!("seal-failed {}", err.name()),
        Event::Delivery(_, Delivery::CentreHasIt(_)) => "receipt-verified".into(),
        Event::Delivery(_, Delivery::Held) => "record-held".into(),
        Event::Delivery(_, Delivery::SavedHere) => return None,
        Event::Slip(SlipState::Printed) => "slip-printed".into(),
        Event::Slip(SlipState::NotPrinted(err)) => format!("slip-not-printed {}", err.name()),
        Event::Slip(SlipState::Printing) => return None,
    })
}

/// The answer; the score behind it is in the sealed record.
fn verdict(seen: &[Comparison]) -> &'static str {
    let seen: Vec<_> = seen.iter().filter(|c| !c.is_of_papers()).cloned().collect();
    judge_best(&seen).map_or("no-reference", |(_, judgement)| judgement.verdict.name())
}

/// What a page is called in the name of its picture. Pages of one name are one picture.
pub fn page_key(view: &View) -> String {
    match &view.page {
        Page::SignIn(_) => "sign-in".into(),
        Page::Waiting(page) => page.prompt.name().into(),
        Page::Person(_) => "person".into(),
        Page::Consent(_) => "consent".into(),
        Page::Face(page) if page.good => format!("{}-good", page.title.name()),
        Page::Face(page) => format!("{}-{}", page.title.name(), page.prompt.id.name()),
        Page::Finger(page) => page.prompt.id.name().into(),
        Page::Document(page) => page.which.name().into(),
        Page::Judge(page) => page.headline.name().into(),
        Page::Choice(page) => page.title.name().trim_end_matches("-title").into(),
        Page::Witness(_) => "witness".into(),
        Page::Saving => "saving".into(),
        Page::Result(page) => match page.delivery {
            Delivery::SavedHere => "result-saved-here".into(),
            Delivery::CentreHasIt(_) => "result-centre-has-it".into(),
            Delivery::Held => "result-held".into(),
        },
        Page::Outbox(_) => "outbox".into(),
        Page::People(_) => "people".into(),
        Page::Devices(_) => "devices".into(),
    }
}

/// Counts what the store holds of these visits.
pub fn summary(
    shell: &Shell,
    arguments: &Arguments,
    visitors: &[Visitor],
) -> Result<Summary, kiosk_store::StoreError> {
    let store = shell.vault().store();
    let lines = store.records(visitors.len().saturating_mul(2).max(1))?;
    let mut outcomes = BTreeMap::new();
    for line in &lines {
        *outcomes.entry(line.outcome.clone()).or_default() += 1;
    }
    let delivered =
        lines.iter().filter(|l| matches!(l.state, RecordState::Delivered { .. })).count();
    Ok(Summary {
        seed: arguments.seed,
        visits: visitors.len(),
        outcomes,
        records_sealed: lines.len(),
        receipts_verified: delivered,
        outbox_left: store.outbox_summary()?.waiting,
    })
}
