//! What came of a step, in the words of a `.flow` file: the page, the buttons, what was spoken, printed, sealed.

use kiosk_core::benefit::Method;
use kiosk_core::decision::Modality;
use kiosk_core::decoder::CauseKind;
use kiosk_core::event::{Action, Effect, FacePurpose, FingerPurpose, Picture, SealOrder, Slip};
use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::outcome::Outcome;
use kiosk_core::policy::NotRequiredReason;
use kiosk_core::record::{BenefitResult, Evidence};
use kiosk_core::view::{Button, Choice, Delivery, Page, SignIn, SlipState, Tap, View};

use crate::script::{Line, Word, written};
use crate::words;

/// One thing that came of a step.
#[derive(Clone, Debug)]
pub struct Fact {
    /// As in a file.
    pub keyword: &'static str,
    /// What is written into a file.
    pub words: Vec<Word>,
    /// What may be expected as well, but is not written by itself.
    pub beside: Vec<String>,
}

impl Fact {
    fn new(keyword: &'static str, words: impl IntoIterator<Item = Word>) -> Self {
        Self { keyword, words: words.into_iter().collect(), beside: Vec::new() }
    }

    /// As it would stand in a file.
    pub fn written(&self) -> String {
        let indent = if OF_A_RECORD.contains(&self.keyword) { "    " } else { "  " };
        format!("{indent}{}", written(self.keyword, &self.words))
    }

    /// Whether a story has to tell it, since money or privacy hangs on it.
    pub fn must_be_told(&self) -> bool {
        MUST_BE_TOLD.contains(&self.keyword) || OF_A_RECORD.contains(&self.keyword)
    }

    /// Whether a line of a file says this. A quoted word may be a part of what is there.
    pub fn is_said_by(&self, line: &Line) -> bool {
        let all = EXACT.contains(&self.keyword);
        self.keyword == line.keyword
            && line.words.iter().all(|word| self.has(word))
            && (!all || line.words.len() == self.words.len())
    }

    fn has(&self, word: &Word) -> bool {
        match word {
            Word::Plain(_) => self.words.contains(word),
            Word::Quoted(part) => {
                let texts =
                    self.words.iter().map(Word::text).chain(self.beside.iter().map(|t| &**t));
                texts.into_iter().any(|text| text.contains(part.as_str()))
            }
        }
    }
}

/// What is seen: the page with its texts, and its buttons.
pub fn of_view(view: &View) -> Vec<Fact> {
    let (name, shown, beside) = page(&view.page);
    let words = std::iter::once(Word::Plain(name.into()));
    let seen = Fact::new("看到", words.chain(shown.into_iter().map(Word::Quoted)));
    let mut holds = Fact::new("含有", seen.words.iter().skip(1).cloned());
    holds.beside = beside;
    let buttons = buttons(&view.page);
    let labels = |enabled: bool| {
        let those = buttons.iter().filter(move |button| button.enabled == enabled);
        those.map(|button| Word::Plain(button.label.clone())).collect::<Vec<_>>()
    };
    vec![seen, holds, Fact::new("可点", labels(true)), Fact::new("灰色", labels(false))]
}

/// What is to be done.
pub fn of_effect(effect: &Effect) -> Vec<Fact> {
    match effect {
        // A voice says the sentence without what would be filled in; of a long text the story has the first line.
        Effect::Speak(id) => {
            let text = words::id(*id).replace("{0}", "…");
            let said = match text.split_once('\n') {
                Some((first, _)) => format!("{first}…"),
                None => text,
            };
            vec![Fact::new("朗读", [Word::Quoted(said)])]
        }
        Effect::Print(slip) => vec![printed(slip)],
        Effect::WatchFace { purpose, actions, action_s, .. } => {
            let what = if *purpose == FacePurpose::Enrol { "建档" } else { "核对" };
            let mut fact = Fact::new("启用", [plain("摄像头"), plain(what)]);
            fact.words.extend(actions.iter().map(|action| plain(action_name(*action))));
            fact.words.push(Word::Plain(format!("{action_s}秒")));
            vec![fact]
        }
        Effect::ScanFinger { purpose, finger, .. } => {
            let what = if *purpose == FingerPurpose::Verify { "核对" } else { "建档" };
            vec![Fact::new("启用", [plain("指纹仪"), plain(finger_name(*finger)), plain(what)])]
        }
        Effect::TakeDocument(_, picture) => {
            vec![Fact::new("启用", [plain("摄像头"), plain(picture_name(*picture))])]
        }
        Effect::Seal(order) => sealed(order),
        Effect::Discard { operator, .. } => {
            vec![Fact::new("撤销", [plain(&operator_name(operator))])]
        }
        Effect::Send => vec![Fact::new("发送", [])],
        Effect::Forget => vec![Fact::new("清除", [])],
        _ => Vec::new(),
    }
}

/// A button as a clerk sees it.
pub struct Seen {
    /// What it says.
    pub label: String,
    /// What it means.
    pub tap: Tap,
    /// Whether it may be pressed.
    pub enabled: bool,
}

/// All that can be pressed on a page, names of colleagues among it.
pub fn buttons(page: &Page) -> Vec<Seen> {
    match page {
        Page::SignIn(page) | Page::Witness(page) => {
            names(page).chain(seen(&page.buttons)).collect()
        }
        Page::Waiting(page) => seen(&page.buttons).collect(),
        Page::Person(page) => seen(&page.buttons).collect(),
        Page::Consent(page) => seen(&page.buttons).collect(),
        Page::Face(page) => seen(&page.buttons).collect(),
        Page::Finger(page) => seen(&page.buttons).collect(),
        Page::Document(page) => seen(&page.buttons).collect(),
        Page::Judge(page) => seen(&page.buttons).collect(),
        Page::Choice(page) => picks(page).chain(seen(&page.buttons)).collect(),
        Page::Result(page) => seen(&page.buttons).collect(),
        Page::Outbox(page) => seen(&page.buttons).collect(),
        Page::People(page) => seen(&page.buttons).collect(),
        _ => Vec::new(),
    }
}

fn seen(buttons: &[Button]) -> impl Iterator<Item = Seen> {
    buttons.iter().map(|button| Seen {
        label: words::id(button.label),
        tap: button.tap.clone(),
        enabled: button.enabled,
    })
}

fn picks(page: &Choice) -> impl Iterator<Item = Seen> {
    page.options.iter().map(|pick| Seen {
        label: words::say(&pick.words),
        tap: pick.tap.clone(),
        enabled: true,
    })
}

fn names(page: &SignIn) -> impl Iterator<Item = Seen> {
    page.operators.iter().map(|(id, name)| Seen {
        label: name.clone(),
        tap: Tap::PickOperator(id.clone()),
        enabled: true,
    })
}

/// Name of a page, its texts, and texts that are not written by themselves.
fn page(page: &Page) -> (&'static str, Vec<String>, Vec<String>) {
    let none = Vec::new;
    match page {
        Page::SignIn(page) => ("登录页", sign_in(page), none()),
        Page::Witness(page) => ("核对页", sign_in(page), none()),
        Page::Waiting(page) => {
            let trouble = page.trouble.iter().flat_map(|t| [words::id(t.err), words::id(t.rec())]);
            let shown = std::iter::once(words::id(page.prompt)).chain(trouble);
            ("等候页", shown.collect(), none())
        }
        Page::Person(page) => {
            let mut shown = vec![words::say(&page.headline)];
            shown.extend(page.warnings.iter().map(words::say));
            let line =
                |b: &kiosk_core::view::BenefitLine| format!("{}：{}", b.title, words::id(b.state));
            shown.extend(page.benefits.iter().map(line));
            let mut beside: Vec<String> = page.benefits.iter().map(|b| b.why.clone()).collect();
            beside.extend(page.age.map(|age| format!("{age} 周岁")));
            beside.push(page.name.clone());
            beside.push(page.number.clone());
            ("人员页", shown, beside)
        }
        Page::Consent(page) => {
            ("告知页", vec![words::id(page.method)], page.body.iter().map(words::say).collect())
        }
        Page::Face(page) => {
            ("人脸页", vec![words::id(page.title), words::say(&page.prompt)], none())
        }
        Page::Finger(page) => {
            let mut shown = vec![words::id(page.title), words::id(page.finger_name)];
            shown.push(words::say(&page.prompt));
            shown.extend(page.step.map(|(step, of)| format!("第 {step} 次，共 {of} 次")));
            ("指纹页", shown, none())
        }
        Page::Document(page) => {
            let (step, of) = page.step;
            let shown = vec![words::say(&page.prompt), format!("第 {step} 张，共 {of} 张")];
            ("拍证件页", shown, none())
        }
        Page::Judge(page) => {
            let reasons = page.reasons.iter().map(words::say);
            ("判断页", std::iter::once(words::id(page.headline)).chain(reasons).collect(), none())
        }
        Page::Choice(page) => {
            let lines = page.lines.iter().map(words::say);
            ("选择页", std::iter::once(words::id(page.title)).chain(lines).collect(), none())
        }
        Page::Result(page) => {
            let mut shown = vec![words::id(page.headline)];
            shown.extend(page.lines.iter().map(words::say));
            shown.push(delivery(page.delivery));
            ("结果页", shown, vec![slip_state(page.slip)])
        }
        Page::People(page) => {
            let mut shown = vec![words::say(&page.headline)];
            shown.extend(page.lines.iter().map(|l| format!("{}：{}", l.name, words::id(l.state))));
            ("名单页", shown, none())
        }
        Page::Outbox(page) => ("记录页", vec![words::say(&page.headline)], none()),
        _ => ("保存页", none(), none()),
    }
}

fn sign_in(page: &SignIn) -> Vec<String> {
    let title = page.title.iter().map(|id| words::id(*id));
    title.chain(page.notice.iter().map(words::say)).collect()
}

fn delivery(delivery: Delivery) -> String {
    match delivery {
        Delivery::SavedHere => words::named("saved-here"),
        Delivery::CentreHasIt(number) => {
            words::named("centre-has-it").replace("{0}", &number.to_string())
        }
        Delivery::Held => words::named("ui-returned"),
    }
}

fn slip_state(slip: SlipState) -> String {
    match slip {
        SlipState::Printing => words::named("ui-printing"),
        SlipState::Printed => words::named("slip-printed"),
        SlipState::NotPrinted(why) => {
            words::named("slip-not-printed").replace("{0}", &words::id(why))
        }
    }
}

fn printed(slip: &Slip) -> Fact {
    let headline = std::iter::once(words::id(slip.headline));
    let lines = headline.chain(slip.lines.iter().map(words::say)).map(Word::Quoted);
    let mut fact = Fact::new("打印", lines);
    fact.beside = vec![slip.name.clone(), slip.number.clone(), slip.site.clone()];
    fact.beside.extend(slip.forms.iter().filter_map(|form| form.name.clone()));
    fact.beside.extend(slip.method.map(|method| method.zh().to_owned()));
    fact
}

/// The record, line by line, and what is kept beside it.
fn sealed(order: &SealOrder) -> Vec<Fact> {
    let record = &order.record;
    let corrects = record.supersedes.map(|_| plain("更正前一条"));
    let detail = detail(&record.outcome).map(Word::Quoted);
    let said = [plain(record.outcome.code())].into_iter().chain(detail).chain(corrects);
    let mut facts = vec![Fact::new("封存", said)];
    facts.push(captured(record.captured));
    facts.extend(record.benefits.iter().map(benefit));
    facts.extend(record.evidence.iter().map(evidence));
    facts.push(Fact::new("经办人", record.operators.iter().map(|id| plain(&operator_name(id)))));
    facts.extend(
        record
            .consent
            .iter()
            .map(|consent| Fact::new("意愿", [plain(choice_name(&consent.choice))])),
    );
    if !order.pictures.is_empty() {
        let pictures = order.pictures.iter().map(|picture| plain(picture_name(*picture)));
        facts.push(Fact::new("图片", pictures));
    }
    if !order.templates.is_empty() {
        let templates =
            order.templates.iter().map(|modality| plain(modality_name(modality.name())));
        facts.push(Fact::new("新特征", templates));
    }
    facts.extend(
        record
            .appeal
            .iter()
            .map(|appeal| Fact::new("申诉原因", [Word::Quoted(words::named(&appeal.reason))])),
    );
    facts
}

fn captured(at: Moment) -> Fact {
    let doubt = match at.doubt {
        Doubt::None => None,
        Doubt::Doubtful => Some(plain("存疑")),
        Doubt::Unknown => Some(plain("没有校准")),
    };
    let days = at.within.map(|within| within.days());
    let days = days.into_iter().flat_map(|(first, last)| [Some(first), last]).flatten();
    let days = days.map(|day| Word::Plain(words::day(day)));
    let on = [Word::Plain(words::day(at.date()))];
    Fact::new("采集于", on.into_iter().chain(doubt).chain(days))
}

/// What the code of an outcome does not say, as far as a clerk can read it.
fn detail(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::AlreadyDone { on, method } => {
            let method = Method::from_id(method).map_or(method.as_str(), |method| method.zh());
            Some(format!("{} {method}", words::day(*on)))
        }
        Outcome::UnderReview(by) => Some(words::day(*by)),
        outcome => outcome.detail().map(|detail| reason(&detail)),
    }
}

/// A reason is a message, or a word of one of core's lists.
fn reason(name: &str) -> String {
    let not_required = NotRequiredReason::from_id(name).map(NotRequiredReason::zh);
    let cause = CauseKind::from_id(name).map(CauseKind::zh);
    not_required.or(cause).map_or_else(|| words::named(name), str::to_owned)
}

fn benefit(result: &BenefitResult) -> Fact {
    let keyword = if result.counted { "计入" } else { "不计" };
    let title = crate::stage::title_of(&result.pack);
    let mut fact = Fact::new(keyword, [Word::Plain(title)]);
    if let Some(due) = result.next_due.as_ref().and_then(|due| due.parse().ok()) {
        fact.words.extend([plain("下次"), Word::Plain(words::day(due))]);
    }
    fact.beside = vec![words::named(&result.state), format!("第{}版", result.pack_version)];
    fact
}

fn evidence(found: &Evidence) -> Fact {
    let what = [plain(modality_name(&found.modality)), plain(verdict_name(&found.verdict))];
    let reasons = found.reasons.iter().map(|reason| Word::Quoted(words::named(reason)));
    Fact::new("证据", what.into_iter().chain(reasons))
}

fn plain(text: &str) -> Word {
    Word::Plain(text.to_owned())
}

fn operator_name(id: &str) -> String {
    let known = crate::stage::OPERATORS.iter().find(|(known, ..)| *known == id);
    known.map_or_else(|| id.to_owned(), |(_, name, ..)| (*name).to_owned())
}

/// Asked for only where the passive check does not convince.
fn action_name(action: Action) -> &'static str {
    match action {
        Action::Blink => "眨眼",
        Action::OpenMouth => "张嘴",
        Action::Nod => "点头",
        _ => "转头",
    }
}

fn modality_name(name: &str) -> &str {
    match name {
        name if name == Modality::Face.name() => "人脸",
        name if name == Modality::Finger.name() => "指纹",
        "document" => "证件",
        "witness" => "旁证",
        other => other,
    }
}

fn verdict_name(name: &str) -> &str {
    match name {
        "same" => "一致",
        "unsure" => "不确定",
        "different" => "不一致",
        "suspected-fake" => "疑似造假",
        "captured" => "已采集",
        "not-taken" => "没有采到",
        other => other,
    }
}

fn choice_name(name: &str) -> &str {
    match name {
        "agreed" => "同意",
        "declined-face" => "不同意采集人脸",
        "declined-finger" => "不同意采集指纹",
        "declined" => "不同意",
        other => other,
    }
}

fn picture_name(picture: Picture) -> &'static str {
    match picture.role() {
        "live-face" => "现场人脸",
        "chip-photo" => "芯片照片",
        "id-front" => "证件正面",
        "id-back" => "证件背面",
        "id-in-hand" => "手持证件",
        "finger" => "指纹图像",
        "door" => "门牌",
        "paper" => "书面证明",
        other => other,
    }
}

/// ISO 19794-2 positions in words.
pub fn finger_name(finger: u8) -> &'static str {
    FINGERS.get(usize::from(finger).wrapping_sub(1)).copied().unwrap_or("手指")
}

/// The fingers in the order of ISO 19794-2, beginning with 1.
pub const FINGERS: [&str; 10] = [
    "右手拇指",
    "右手食指",
    "右手中指",
    "右手无名指",
    "右手小指",
    "左手拇指",
    "左手食指",
    "左手中指",
    "左手无名指",
    "左手小指",
];

/// Keywords of what a story has to tell when it happens.
const MUST_BE_TOLD: [&str; 4] = ["启用", "打印", "封存", "撤销"];
/// Keywords of the record that is sealed; they follow 封存.
const OF_A_RECORD: [&str; 9] =
    ["采集于", "计入", "不计", "证据", "经办人", "意愿", "图片", "新特征", "申诉原因"];
/// Keywords whose words have to be there all, and no other.
const EXACT: [&str; 5] = ["可点", "灰色", "经办人", "图片", "新特征"];
