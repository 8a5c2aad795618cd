//! View model → properties of the screen. Words are looked up, lists are counted out into rows, nothing is decided.
//!
//! Models are changed in place and only where they differ: a button that is being pressed must not be made anew.

use std::rc::Rc;

use image::RgbImage;
use jiff::civil::Date;
use kiosk_core::message::{Arg, Id, Say};
use kiosk_core::outcome;
use kiosk_core::view::{
    BenefitLine, Button, Choice, Delivery, DeviceLine, Ending, Header, Outbox, OutboxLine, Page,
    Person, PersonLine, SignIn, SlipState, Trouble, View,
};
use slint::{ComponentHandle, Image, Model, ModelRc, VecModel};

use crate::catalogue;
use crate::generated::{
    Api, AppWindow, BenefitItem, ButtonItem, ChromeItem, DeviceItem, HeaderItem, Hint, PageItem,
    PageKind, RecordItem, Theme, Tone, TroubleItem, Words,
};
use crate::picture;
use crate::taps::{self, BUTTONS, CHOICES, MORE};

/// Paints views on one window and remembers what is there.
pub(crate) struct Painter {
    troubles: Rc<VecModel<TroubleItem>>,
    page_troubles: Rc<VecModel<TroubleItem>>,
    lines: Rc<VecModel<Words>>,
    warnings: Rc<VecModel<Words>>,
    benefits: Rc<VecModel<BenefitItem>>,
    records: Rc<VecModel<RecordItem>>,
    devices: Rc<VecModel<DeviceItem>>,
    buttons: Vec<Vec<ButtonItem>>,
    choices: Vec<Vec<ButtonItem>>,
    has_card_picture: bool,
    wants_card_picture: bool,
}

impl Painter {
    pub(crate) fn new(app: &AppWindow) -> Self {
        let painter = Self {
            troubles: Rc::default(),
            page_troubles: Rc::default(),
            lines: Rc::default(),
            warnings: Rc::default(),
            benefits: Rc::default(),
            records: Rc::default(),
            devices: Rc::default(),
            buttons: Vec::new(),
            choices: Vec::new(),
            has_card_picture: false,
            wants_card_picture: false,
        };
        let api = app.global::<Api>();
        api.set_troubles(painter.troubles.clone().into());
        api.set_page_troubles(painter.page_troubles.clone().into());
        api.set_lines(painter.lines.clone().into());
        api.set_warnings(painter.warnings.clone().into());
        api.set_benefits(painter.benefits.clone().into());
        api.set_records(painter.records.clone().into());
        api.set_devices(painter.devices.clone().into());
        api.set_chrome(chrome());
        painter
    }

    /// Forgets what belongs to the page before: its camera picture, and the card's picture once the visit is over.
    pub(crate) fn turn_page(&mut self, app: &AppWindow, page: &Page) {
        let api = app.global::<Api>();
        api.set_preview(Image::default());
        api.set_troubles_open(false);
        if matches!(page, Page::Waiting(_) | Page::SignIn(_)) {
            self.picture_of_card(app, None);
        }
    }

    /// `choice_page` is which screenful of operators is wanted; it goes round.
    pub(crate) fn paint(&mut self, app: &AppWindow, view: &View, choice_page: usize) {
        let api = app.global::<Api>();
        let compact = app.global::<Theme>().get_compact();
        let (kind, mut item) = page_item(&view.page);
        self.wants_card_picture = item.has_picture;
        item.has_picture &= self.has_card_picture;
        api.set_header(header(&view.header));
        sync(&self.troubles, view.header.troubles.iter().map(trouble).collect());
        sync(&self.page_troubles, page_troubles(&view.page));
        sync(&self.lines, lines(&view.page));
        sync(&self.warnings, warnings(&view.page));
        sync(&self.benefits, benefits(&view.page));
        sync(&self.records, records(&view.page));
        sync(&self.devices, devices(&view.page));
        let buttons = rows(button_items(taps::buttons(view), BUTTONS), per_row(&view.page));
        if replace(&mut self.buttons, buttons) {
            api.set_buttons(nested(&self.buttons));
        }
        let choices =
            rows(choices(&view.page, choice_page, compact), choices_per_row(&view.page, compact));
        if replace(&mut self.choices, choices) {
            api.set_choices(nested(&self.choices));
        }
        api.set_item(item);
        api.set_page(kind);
        if view.header.troubles.is_empty() {
            api.set_troubles_open(false);
        }
    }

    pub(crate) fn picture_of_card(&mut self, app: &AppWindow, picture: Option<&RgbImage>) {
        self.has_card_picture = picture.is_some();
        let api = app.global::<Api>();
        api.set_card_picture(picture.map(picture::portrait).unwrap_or_default());
        let mut item = api.get_item();
        item.has_picture = self.has_card_picture && self.wants_card_picture;
        api.set_item(item);
    }
}

fn header(header: &Header) -> HeaderItem {
    let (delivery, delivery_tone) = match (header.held, header.waiting) {
        // A terminal that belongs to no site yet has nothing that could be delivered.
        (0, 0) if header.site.is_empty() => (Words::default(), Tone::Good),
        (0, 0) => (chrome_words("ui-all-delivered", &[]), Tone::Good),
        (0, waiting) => (chrome_words("ui-waiting", &[Arg::Number(waiting.into())]), Tone::Waiting),
        (held, _) => (chrome_words("ui-held", &[Arg::Number(held.into())]), Tone::Stopped),
    };
    let n_troubles = i32::try_from(header.troubles.len()).unwrap_or(i32::MAX);
    HeaderItem {
        site: header.site.as_str().into(),
        operator: header.operator.as_deref().unwrap_or_default().into(),
        today: header.today.map(|date| shown(catalogue::day(date))).unwrap_or_default(),
        clock_doubtful: header.clock_doubtful,
        delivery,
        delivery_tone,
        n_troubles,
        troubles: chrome_words("ui-troubles", &[Arg::Number(n_troubles.into())]),
    }
}

fn page_item(page: &Page) -> (PageKind, PageItem) {
    match page {
        Page::SignIn(page) | Page::Witness(page) => (PageKind::SignIn, sign_in(page)),
        Page::Waiting(page) => {
            let landed = page.prompt != Id::LayCard;
            (
                PageKind::Waiting,
                PageItem { prompt: plain(page.prompt), good: landed, ..PageItem::default() },
            )
        }
        Page::Person(page) => (PageKind::Person, person(page)),
        Page::Consent(page) => {
            let title = words(&Id::ConsentTitle.with([Arg::Term(page.method)]));
            (PageKind::Consent, PageItem { title, ..PageItem::default() })
        }
        Page::Face(page) => {
            let item = PageItem {
                title: plain(page.title),
                prompt: words(&page.prompt),
                good: page.good,
                hint: hint(page.prompt.id),
                progress: page.progress,
                ..steps(page.step)
            };
            (PageKind::Face, item)
        }
        Page::Finger(page) => {
            let item = PageItem {
                title: plain(page.title),
                prompt: words(&page.prompt),
                progress: page.progress,
                finger: page.finger.into(),
                finger_name: plain(page.finger_name),
                ..steps(page.step)
            };
            (PageKind::Finger, item)
        }
        Page::Document(page) => {
            let item = PageItem {
                title: plain(Id::DocumentTitle),
                prompt: words(&page.prompt),
                step_words: step_words("ui-picture", page.step),
                ..steps(Some(page.step))
            };
            (PageKind::Document, item)
        }
        Page::Judge(page) => {
            let tone = if page.headline == Id::JudgeUnsure { Tone::Waiting } else { Tone::Stopped };
            (PageKind::Judge, PageItem { title: plain(page.headline), tone, ..PageItem::default() })
        }
        Page::Choice(page) => {
            (PageKind::Choice, PageItem { title: plain(page.title), ..PageItem::default() })
        }
        Page::Saving => {
            (PageKind::Saving, PageItem { title: plain(Id::Saving), ..PageItem::default() })
        }
        Page::Result(page) => (PageKind::Result, ending(page)),
        Page::People(page) => {
            (PageKind::People, PageItem { title: words(&page.headline), ..PageItem::default() })
        }
        Page::Devices(page) => {
            let (title, prompt) = (plain(Id::DevicesTitle), words(&page.headline));
            (PageKind::Devices, PageItem { title, prompt, ..PageItem::default() })
        }
        Page::Outbox(page) => {
            let title = plain(Id::OutboxTitle);
            // What was asked for just now comes before what will be tonight.
            let slip = page.slip.map(|slip| slip_words(slip).0);
            let notice = slip.or_else(|| page.update.as_ref().map(words));
            (
                PageKind::Outbox,
                PageItem {
                    title,
                    prompt: words(&page.headline),
                    has_notice: notice.is_some(),
                    notice: notice.unwrap_or_default(),
                    ..PageItem::default()
                },
            )
        }
    }
}

fn sign_in(page: &SignIn) -> PageItem {
    let sets_up = page.title == Some(Id::SetupCode);
    PageItem {
        title: plain(page.title.unwrap_or(Id::SignIn)),
        prompt: if sets_up {
            plain(Id::SetupCodeHint)
        } else if page.picked.is_some() {
            plain(Id::EnterPin)
        } else {
            chrome_words("ui-pick-first", &[])
        },
        pad_open: page.picked.is_some(),
        n_digits: page.n_digits.into(),
        n_places: if sets_up { SETUP_DIGITS } else { PIN_DIGITS },
        has_notice: page.notice.is_some(),
        notice: page.notice.as_ref().map(words).unwrap_or_default(),
        ..PageItem::default()
    }
}

fn person(page: &Person) -> PageItem {
    PageItem {
        name: page.name.as_str().into(),
        number: page.number.as_str().into(),
        age: page
            .age
            .map(|age| chrome_words("ui-age", &[Arg::Number(age.into())]))
            .unwrap_or_default(),
        has_picture: page.has_photo,
        prompt: words(&page.headline),
        ..PageItem::default()
    }
}

fn ending(page: &Ending) -> PageItem {
    let (slip, slip_tone) = slip_words(page.slip);
    let (centre, centre_tone) = delivery_step(page.delivery);
    PageItem {
        title: plain(page.headline),
        tone: tone(page.tone),
        saved: plain(Id::SavedHere),
        arrived: matches!(page.delivery, Delivery::CentreHasIt(_)),
        centre,
        centre_tone,
        slip,
        slip_tone,
        ..PageItem::default()
    }
}

fn slip_words(slip: SlipState) -> (Words, Tone) {
    match slip {
        SlipState::Printing => (chrome_words("ui-printing", &[]), Tone::Waiting),
        SlipState::Printed => (plain(Id::SlipPrinted), Tone::Good),
        SlipState::NotPrinted(why) => {
            (words(&Id::SlipNotPrinted.with([Arg::Term(why)])), Tone::Stopped)
        }
    }
}

/// The second step of a delivery; the first, saved here, is always done.
fn delivery_step(delivery: Delivery) -> (Words, Tone) {
    match delivery {
        Delivery::SavedHere => (chrome_words("ui-not-yet", &[]), Tone::Waiting),
        Delivery::CentreHasIt(receipt) => {
            let number = Arg::Text(receipt.to_string());
            (words(&Id::CentreHasIt.with([number])), Tone::Good)
        }
        Delivery::Held => (chrome_words("ui-returned", &[]), Tone::Stopped),
    }
}

fn steps(step: Option<(u8, u8)>) -> PageItem {
    let Some(step) = step else {
        return PageItem::default();
    };
    PageItem {
        step: step.0.into(),
        n_steps: step.1.into(),
        step_words: step_words("ui-step", step),
        ..PageItem::default()
    }
}

fn step_words(name: &str, (step, n_steps): (u8, u8)) -> Words {
    chrome_words(name, &[Arg::Number(step.into()), Arg::Number(n_steps.into())])
}

fn lines(page: &Page) -> Vec<Words> {
    let say: &[Say] = match page {
        Page::Consent(page) => &page.body,
        Page::Judge(page) => &page.reasons,
        Page::Choice(page) => &page.lines,
        Page::Result(page) => &page.lines,
        _ => &[],
    };
    say.iter().map(words).collect()
}

fn warnings(page: &Page) -> Vec<Words> {
    match page {
        Page::Person(page) => page.warnings.iter().map(words).collect(),
        _ => Vec::new(),
    }
}

fn benefits(page: &Page) -> Vec<BenefitItem> {
    match page {
        Page::Person(page) => page.benefits.iter().map(benefit).collect(),
        _ => Vec::new(),
    }
}

fn benefit(line: &BenefitLine) -> BenefitItem {
    BenefitItem {
        title: line.title.as_str().into(),
        state: plain(line.state),
        tone: tone(line.tone),
        due: line.due.map(|due| due_words(line.state, due)).unwrap_or_default(),
        why: line.why.as_str().into(),
    }
}

/// A day that is past, a day to come, and the day of the next time are three sentences.
fn due_words(state: Id, due: Date) -> Words {
    let sentence = match state {
        Id::StateOverdue | Id::StateSuspended => "ui-due-passed",
        Id::StateDone => "ui-due-next",
        _ => "ui-due",
    };
    chrome_words(sentence, &[Arg::Day(due)])
}

fn records(page: &Page) -> Vec<RecordItem> {
    match page {
        Page::Outbox(Outbox { lines, .. }) => lines.iter().zip(CHOICES..).map(record).collect(),
        Page::People(page) => page.lines.iter().map(listed).collect(),
        _ => Vec::new(),
    }
}

fn record((line, id): (&OutboxLine, i32)) -> RecordItem {
    let (delivery, tone) = delivery_step(line.delivery);
    RecordItem {
        seq: line.seq.to_string().into(),
        outcome: plain(line.outcome),
        day: shown(catalogue::day(line.day)),
        delivery,
        tone,
        again: ButtonItem {
            id,
            words: plain(Id::TapPrintSlip),
            enabled: true,
            ..ButtonItem::default()
        },
    }
}

fn listed(line: &PersonLine) -> RecordItem {
    let village = Words { zh: line.village.as_str().into(), en: "".into() };
    RecordItem {
        seq: format!("{}　{}", line.name, line.number).into(),
        outcome: plain(line.state),
        day: line.due.map(|due| shown(catalogue::day(due))).unwrap_or_default(),
        delivery: village,
        tone: tone(line.tone),
        ..RecordItem::default()
    }
}

fn devices(page: &Page) -> Vec<DeviceItem> {
    match page {
        Page::Devices(page) => page.lines.iter().map(device).collect(),
        _ => Vec::new(),
    }
}

fn device(line: &DeviceLine) -> DeviceItem {
    let said = |words: &kiosk_core::policy::Words| Words {
        zh: words.zh.as_str().into(),
        en: words.en.as_str().into(),
    };
    DeviceItem {
        name: said(&line.name),
        what: said(&line.what),
        todo: line.todo.as_ref().map(said).unwrap_or_default(),
        has_todo: line.todo.is_some(),
        code: line.code.as_str().into(),
        tone: tone(line.tone),
    }
}

fn page_troubles(page: &Page) -> Vec<TroubleItem> {
    match page {
        Page::Waiting(page) => {
            // The page is about the card: naming the reader again would only be one more line to read.
            let about_card = |t: &Trouble| TroubleItem { what: Words::default(), ..trouble(t) };
            page.trouble.iter().map(about_card).collect()
        }
        _ => Vec::new(),
    }
}

fn trouble(trouble: &Trouble) -> TroubleItem {
    TroubleItem {
        what: plain(trouble.what),
        err: plain(trouble.err),
        rec: plain(trouble.rec()),
        code: trouble.err.name().into(),
    }
}

fn button_items(buttons: &[Button], first_id: i32) -> Vec<ButtonItem> {
    let item = |(id, button): (i32, &Button)| ButtonItem {
        words: plain(button.label),
        id,
        enabled: button.enabled,
        primary: button.primary,
        chosen: false,
    };
    (first_id..).zip(buttons).map(item).collect()
}

fn choices(page: &Page, choice_page: usize, compact: bool) -> Vec<ButtonItem> {
    match page {
        Page::SignIn(page) | Page::Witness(page) => {
            let room = if compact { OPERATORS_COMPACT } else { OPERATORS };
            screenful(operators(page), choice_page, room)
        }
        Page::Choice(page) => {
            let room = if compact { PICKS_COMPACT } else { PICKS };
            screenful(picks(page), choice_page, room)
        }
        Page::People(page) if page.typed.is_some() => letters(),
        _ => Vec::new(),
    }
}

/// A pad of letters; it has no second screenful.
fn letters() -> Vec<ButtonItem> {
    let item = |(id, letter): (i32, char)| ButtonItem {
        words: Words { zh: letter.to_ascii_uppercase().to_string().into(), en: "".into() },
        id,
        enabled: true,
        primary: false,
        chosen: false,
    };
    (CHOICES..).zip('a'..='z').map(item).collect()
}

fn choices_per_row(page: &Page, compact: bool) -> usize {
    match (page, compact) {
        (Page::People(_), true) => LETTERS_PER_ROW_COMPACT,
        (Page::People(_), false) => LETTERS_PER_ROW,
        _ => CHOICES_PER_ROW,
    }
}

/// A text that has no English is not said twice.
fn said_once(words: Words) -> Words {
    if words.en == words.zh { Words { en: "".into(), ..words } } else { words }
}

fn picks(page: &Choice) -> Vec<ButtonItem> {
    let item = |(id, pick): (i32, &kiosk_core::view::Pick)| ButtonItem {
        words: said_once(words(&pick.words)),
        id,
        enabled: true,
        primary: false,
        chosen: false,
    };
    (CHOICES..).zip(&page.options).map(item).collect()
}

fn operators(page: &SignIn) -> Vec<ButtonItem> {
    let item = |(id, (operator, name)): (i32, &(String, String))| ButtonItem {
        words: Words { zh: name.as_str().into(), en: "".into() },
        id,
        enabled: true,
        primary: false,
        chosen: page.picked.as_ref() == Some(operator),
    };
    (CHOICES..).zip(&page.operators).map(item).collect()
}

/// As many as there is room for; when there are more, the last place turns to the next screenful.
fn screenful(items: Vec<ButtonItem>, page: usize, room: usize) -> Vec<ButtonItem> {
    if items.len() <= room {
        return items;
    }
    let n_pages = items.len().div_ceil(room - 1);
    let from = (page % n_pages) * (room - 1);
    let more = ButtonItem {
        words: chrome_words("ui-more", &[]),
        id: MORE,
        enabled: true,
        primary: false,
        chosen: false,
    };
    items.into_iter().skip(from).take(room - 1).chain([more]).collect()
}

fn per_row(page: &Page) -> usize {
    match page {
        Page::SignIn(_) | Page::Witness(_) => 2,
        _ => BUTTONS_PER_ROW,
    }
}

/// Counts out rows of at most `per_row` that differ by one at most, the fuller ones first.
fn rows<T>(items: Vec<T>, per_row: usize) -> Vec<Vec<T>> {
    let n_rows = items.len().div_ceil(per_row);
    let mut items = items.into_iter();
    let mut left = items.len();
    let mut row = |i: usize| {
        let n = left.div_ceil(n_rows - i);
        left -= n;
        items.by_ref().take(n).collect()
    };
    (0..n_rows).map(&mut row).collect()
}

/// Brings the model to these rows, touching only what differs.
fn sync<T: Clone + PartialEq + 'static>(model: &VecModel<T>, rows: Vec<T>) {
    while model.row_count() > rows.len() {
        model.remove(model.row_count() - 1);
    }
    for (i, row) in rows.into_iter().enumerate() {
        match model.row_data(i) {
            None => model.push(row),
            Some(old) if old != row => model.set_row_data(i, row),
            Some(_) => {}
        }
    }
}

/// Whether the new value is another one.
fn replace<T: PartialEq>(slot: &mut T, new: T) -> bool {
    let other = *slot != new;
    *slot = new;
    other
}

fn nested(rows: &[Vec<ButtonItem>]) -> ModelRc<ModelRc<ButtonItem>> {
    let rows: Vec<ModelRc<ButtonItem>> = rows.iter().map(|row| row.as_slice().into()).collect();
    rows.as_slice().into()
}

fn tone(tone: outcome::Tone) -> Tone {
    match tone {
        outcome::Tone::Good => Tone::Good,
        outcome::Tone::Waiting => Tone::Waiting,
        outcome::Tone::Stopped => Tone::Stopped,
    }
}

/// The drawing that goes with a coaching message.
fn hint(prompt: Id) -> Hint {
    match prompt {
        Id::FaceComeCloser => Hint::Closer,
        Id::FaceMoveBack => Hint::Back,
        Id::FaceTooDark | Id::FaceTooBright | Id::FaceBacklight => Hint::Light,
        Id::FaceHoldStill => Hint::Still,
        Id::FaceLook | Id::FaceLookHere => Hint::Look,
        Id::FaceEyesOpen | Id::FaceBlink => Hint::Eyes,
        Id::FaceOnlyOne => Hint::Alone,
        Id::FaceUncover | Id::FaceMaskOff | Id::FaceGlassesOff | Id::FaceHatOff => Hint::Uncover,
        Id::FaceOpenMouth => Hint::Mouth,
        Id::FaceTurn => Hint::Turn,
        Id::FaceNod => Hint::Nod,
        _ => Hint::None,
    }
}

fn chrome() -> ChromeItem {
    ChromeItem {
        erase: chrome_words("ui-erase", &[]),
        enter: chrome_words("ui-enter", &[]),
        close: chrome_words("ui-close", &[]),
        clock: chrome_words("ui-clock", &[]),
        no_picture: chrome_words("ui-no-picture", &[]),
    }
}

fn words(say: &Say) -> Words {
    shown(catalogue::words(say))
}

fn plain(id: Id) -> Words {
    shown(catalogue::plain(id))
}

fn chrome_words(name: &str, with: &[Arg]) -> Words {
    shown(catalogue::chrome(name, with))
}

fn shown(words: catalogue::Words) -> Words {
    Words { zh: words.zh.into(), en: words.en.into() }
}

const BUTTONS_PER_ROW: usize = 4;
const CHOICES_PER_ROW: usize = 2;
/// Letters that fit side by side and are still large enough for a finger.
const LETTERS_PER_ROW: usize = 13;
const LETTERS_PER_ROW_COMPACT: usize = 9;
/// Operators that fit beside the pad at 1280x800.
const OPERATORS: usize = 8;
/// Lines of a list that fit at 1280x800, and at 800x480.
const PICKS: usize = 8;
const PICKS_COMPACT: usize = 4;
/// Operators that fit beside the pad at 800x480.
const OPERATORS_COMPACT: usize = 6;
/// Places that a pad shows before anything is typed: of a set-up code, and of a PIN, which has six as a rule.
const SETUP_DIGITS: i32 = 10;
const PIN_DIGITS: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_even_and_keep_the_order() {
        assert_eq!(rows(vec![1, 2, 3, 4, 5, 6, 7], 4), [vec![1, 2, 3, 4], vec![5, 6, 7]]);
        assert_eq!(rows(vec![1, 2, 3, 4, 5], 4), [vec![1, 2, 3], vec![4, 5]]);
        assert_eq!(rows(Vec::<u8>::new(), 4), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_model_is_changed_only_where_it_differs() {
        let model = VecModel::from(vec![1, 2, 3]);
        sync(&model, vec![1, 5]);
        assert_eq!(model.iter().collect::<Vec<_>>(), [1, 5]);
        sync(&model, vec![1, 5, 6, 7]);
        assert_eq!(model.iter().collect::<Vec<_>>(), [1, 5, 6, 7]);
    }

    #[test]
    fn every_operator_is_on_some_screenful() {
        let page = SignIn {
            operators: (0..20).map(|i| (i.to_string(), format!("甲{i}"))).collect(),
            ..SignIn::default()
        };
        let mut seen: Vec<i32> =
            (0..4).flat_map(|n| screenful(operators(&page), n, 6)).map(|item| item.id).collect();
        seen.retain(|id| *id != MORE);
        assert_eq!(seen, (CHOICES..CHOICES + 20).collect::<Vec<_>>());
    }
}
