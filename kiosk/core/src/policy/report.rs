//! What `kiosk policy` prints: the list of packs, the check of a file for its author, and the case of one person.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::assess::PLAUSIBLE;
use super::describe::{conditions, describe};
use super::parse::BYTES_MAX;
use super::read::printable;
use super::words::{cited, confirmed};
use super::{Assessment, DueState, Pack, PackFault, PackSet, Repeat, Words};
use crate::benefit::{Abode, Entitlement, Group, Method, Stage, Success};
use crate::calendar::{Anchor, Schedule};
use crate::moment::Doubt;

/// A pack in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedPack {
    /// Its name.
    pub pack: String,
    /// Its edition.
    pub version: u32,
    /// Title in Chinese.
    pub title: String,
    /// Name of the region.
    pub region: String,
    /// Code of the region, GB/T 2260.
    pub region_code: String,
    /// Agency.
    pub agency: String,
    /// Insurance that pays.
    pub benefit: String,
    /// Groups of people.
    pub groups: Vec<String>,
    /// The rule in words.
    pub schedule: String,
    /// The notice behind it.
    pub source: String,
    /// First day of validity.
    pub valid_from: String,
    /// Number of its own examples, all of which hold.
    pub n_examples: usize,
    /// The file that it was read from, where a folder is listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A folder of packs: the good ones, and what has to be said about the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFolder {
    /// By name and edition.
    pub packs: Vec<ListedPack>,
    /// A sentence for each file that is none or that a terminal would pass over.
    pub problems: Vec<Words>,
}

/// Lists the files of a folder: a bad one hides no good one, and of two with the same edition both are named.
pub fn list_files(files: impl IntoIterator<Item = (String, CheckReport)>) -> ListedFolder {
    let mut folder = ListedFolder { packs: Vec::new(), problems: Vec::new() };
    for (file, report) in files {
        let n = report.faults.len();
        match (report.pack, report.faults.first()) {
            (Some(pack), _) => folder.packs.push(ListedPack { file: Some(file), ..pack }),
            (None, Some(first)) => folder.problems.push(Words::new(
                format!("{file} 不能载入，{n} 处有误，第一处：{}", first.zh),
                format!("{file} does not load, faults: {n}, the first: {}", first.en),
            )),
            (None, None) => {}
        }
    }
    folder.packs.sort_by(|a, b| (&a.pack, a.version, &a.file).cmp(&(&b.pack, b.version, &b.file)));
    for pair in folder.packs.windows(2) {
        let [first, second] = pair else { continue };
        let name = |listed: &ListedPack| listed.file.clone().unwrap_or_default();
        if (&first.pack, first.version) == (&second.pack, second.version) {
            let (one, other, pack, version) =
                (name(first), name(second), &first.pack, first.version);
            folder.problems.push(Words::new(
                format!("{one} 和 {other} 都是 {pack} 第{version}版，终端只认先读到的一个"),
                format!("{one} and {other} are both {pack} v{version}; a terminal takes one"),
            ));
        }
    }
    folder
}

/// The packs in force.
pub fn list(set: &PackSet) -> Vec<ListedPack> {
    set.iter().map(listed).collect()
}

fn listed(pack: &Pack) -> ListedPack {
    ListedPack {
        pack: pack.id.clone(),
        version: pack.version,
        title: pack.title.clone(),
        region: pack.scope.region_name.clone(),
        region_code: pack.scope.region.clone(),
        agency: pack.scope.agency.clone(),
        benefit: pack.scope.insurance.id().to_owned(),
        groups: pack.scope.groups.iter().map(|group| group.id().to_owned()).collect(),
        schedule: pack.calendar_words.zh.clone(),
        source: pack.source.clone(),
        valid_from: pack.valid_from.to_string(),
        n_examples: pack.examples.len(),
        file: None,
    }
}

/// What a file looks like to its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Whether it would load, its signature aside.
    pub ok: bool,
    /// The pack, if it would.
    pub pack: Option<ListedPack>,
    /// All that is wrong, by line.
    pub faults: Vec<CheckedFault>,
    /// The file as the terminal understood it, for a person to read.
    pub text: String,
}

/// A fault as printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckedFault {
    /// Line, from 1; 0 where the file could not be read at all.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// Stable code.
    pub code: &'static str,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
    /// The line itself.
    pub source: String,
}

/// Explains a pack, or its errors, to the person who wrote it.
pub fn check(text: &str) -> CheckReport {
    match Pack::parse(text) {
        Ok(pack) => {
            let text = describe(&pack);
            CheckReport { ok: true, pack: Some(listed(&pack)), faults: Vec::new(), text }
        }
        Err(faults) => {
            let faults: Vec<CheckedFault> =
                faults.iter().map(|fault| checked(text, fault)).collect();
            let text = faults.iter().map(|fault| format!("{fault}\n")).collect();
            CheckReport { ok: false, pack: None, faults, text }
        }
    }
}

/// The same for a file's bytes: one that was saved in another encoding is a fault with its line as well.
pub fn check_bytes(bytes: &[u8]) -> CheckReport {
    let text = String::from_utf8_lossy(bytes);
    // A file that was cut off because of its length may end in the middle of a character.
    let is_too_long = bytes.len() > BYTES_MAX;
    let Some(error) = std::str::from_utf8(bytes).err().filter(|_| !is_too_long) else {
        return check(&text);
    };
    let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let words = Words::new(
        "文件不是 UTF-8 编码，请另存为 UTF-8",
        "the file is not in UTF-8; save it as UTF-8",
    );
    let fault = checked(&text, &PackFault { line, column, code: "not-utf8", words });
    CheckReport { ok: false, pack: None, text: fault.to_string(), faults: vec![fault] }
}

/// The same for a file of which nothing could be read.
pub fn unreadable(why: Words) -> CheckReport {
    let fault = checked("", &PackFault { line: 0, column: 0, code: "unreadable", words: why });
    CheckReport { ok: false, pack: None, text: fault.to_string(), faults: vec![fault] }
}

/// A fault as it may be printed: what a file holds does not steer the screen.
fn checked(text: &str, fault: &PackFault) -> CheckedFault {
    let line = fault.line.checked_sub(1).and_then(|line| text.lines().nth(line));
    let source = printable(line.unwrap_or_default().trim_end());
    CheckedFault {
        line: fault.line,
        column: fault.column,
        code: fault.code,
        zh: printable(&fault.words.zh),
        en: printable(&fault.words.en),
        source: source.chars().take(SOURCE_CHARS).collect(),
    }
}

impl fmt::Display for CheckedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, code, zh, en, source } = self;
        if *line == 0 {
            return write!(f, "[{code}] {zh}\n    {en}");
        }
        write!(f, "第{line}行 第{column}字 [{code}] {zh}\n    line {line}: {en}\n    {source}")
    }
}

/// One person for [`explain`]. What is not known has a harmless stand-in.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Birth.
    pub born: Option<Date>,
    /// Last success.
    pub last: Option<Date>,
    /// Its method.
    pub last_method: Option<Method>,
    /// Group of people.
    pub group: Option<Group>,
    /// First day of the entitlement.
    pub retired_on: Option<Date>,
    /// Where the entitlement stands in its life.
    pub stage: Stage,
    /// Where the person lives.
    pub abode: Abode,
    /// Payment was stopped.
    pub suspended: bool,
    /// A review is running; answer expected by this day.
    pub under_review: Option<Date>,
    /// Paid twice.
    pub duplicate: bool,
    /// How far the day is to be believed.
    pub doubt: Doubt,
    /// A success on that day by this method: would it count, and until when?
    pub by: Option<Method>,
}

impl Question {
    /// What cannot be true of anybody; asked before [`explain`]. A day of today that is in doubt proves nothing.
    pub fn problem(&self, today: Date) -> Option<Words> {
        let before = self.born.and_then(|born| self.before_birth(born, today));
        let strange = || self.last.filter(|day| !PLAUSIBLE.contains(day));
        before.or_else(|| {
            let day = strange()?;
            Some(Words::new(
                format!("上次认证日期 {day} 不可信"),
                format!("the last success of {day} is not plausible"),
            ))
        })
    }

    fn before_birth(&self, born: Date, today: Date) -> Option<Words> {
        if self.doubt == Doubt::None && born > today {
            return Some(Words::new(
                format!("出生日期 {born} 晚于今天 {today}"),
                format!("the day of birth {born} is after today, {today}"),
            ));
        }
        let later =
            [("上次认证", "last success", self.last), ("退休", "retirement", self.retired_on)];
        let (zh, en, day) = later
            .into_iter()
            .find_map(|(zh, en, day)| day.filter(|day| *day < born).map(|day| (zh, en, day)))?;
        Some(Words::new(
            format!("{zh}日期 {day} 早于出生日期 {born}"),
            format!("the {en} of {day} is before the day of birth {born}"),
        ))
    }
}

/// What is due for one person and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Pack that was applied.
    pub pack: String,
    /// Its edition.
    pub version: u32,
    /// Its name in Chinese.
    pub title: String,
    /// `due`, `done`, `not_required`, ….
    pub state: String,
    /// Last day in time.
    pub due: Option<String>,
    /// From when on.
    pub opens: Option<String>,
    /// Why, with the rule numbers in brackets.
    pub reason: String,
    /// The same in English.
    pub reason_en: String,
    /// The rule numbers.
    pub rules: Vec<String>,
    /// Ids of the ways that count; none where nothing can be certified.
    pub methods: Vec<String>,
    /// Whether a certification can be taken now.
    pub may_certify: bool,
    /// What a second success in the same period does: `block`, `allow_no_effect`, `allow_extend`.
    pub repeat: &'static str,
    /// Why nothing is required, as examples name it; only for `not_required`.
    pub not_required: Option<&'static str>,
    /// What the notice says to somebody who lives elsewhere; only where an abode was named.
    pub abode: Option<ExplainedAbode>,
    /// What a success on the day would mean; only where one was asked about.
    pub success: Option<ExplainedSuccess>,
    #[serde(skip)]
    state_zh: &'static str,
    #[serde(skip)]
    repeat_words: Words,
}

/// What holds for somebody who lives elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedAbode {
    /// Where: `elsewhere`, `hkmotw`, `overseas`.
    pub abode: &'static str,
    /// What they are told, with the rule numbers in brackets.
    pub reason: String,
    /// The same in English, as far as the pack says it.
    pub reason_en: String,
    /// The rule numbers.
    pub rules: Vec<String>,
}

/// What a success on a day would mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSuccess {
    /// By this method.
    pub method: &'static str,
    /// It is a certification.
    pub counts: bool,
    /// It counts when the centre has it (R85).
    pub report_required: bool,
    /// Until when the next one is due.
    pub next: Option<String>,
    /// Why, with the rule numbers in brackets.
    pub reason: String,
    /// The same in English.
    pub reason_en: String,
    /// The rule numbers.
    pub rules: Vec<String>,
}

/// What is due for this person on this day.
pub fn explain(pack: &Pack, question: &Question, today: Date) -> Explanation {
    let method = question.last_method.unwrap_or_else(|| pack.some_method());
    let entitlement = Entitlement {
        pack: pack.id.clone(),
        group: question.group.map(|group| group.id().to_owned()).unwrap_or_default(),
        last: question.last.map(|on| Success { on, method }),
        suspended: question.suspended,
        under_review: question.under_review,
        retired_on: question.retired_on,
        stage: question.stage,
        abode: question.abode,
        duplicate: question.duplicate,
    };
    let (born, doubt) = (question.born.unwrap_or(OLD_ENOUGH), question.doubt);
    let success =
        question.by.map(|method| explain_success(pack, &entitlement, born, (today, doubt), method));
    let mut found = match question.last_method {
        Some(_) => pack.assess(&entitlement, born, today, doubt),
        None => pack.assess_unnamed(&entitlement, born, today, doubt),
    };
    let by_birth =
        matches!(pack.calendar.schedule, Schedule::BirthMonth { anchor: Anchor::Birth, .. });
    if by_birth && question.born.is_none() {
        found.why += "（没有给出生日期，按六月推算。）";
        found.why_en += " (no day of birth is given; June stands in)";
    }
    if today < pack.valid_from {
        let begins = super::date(pack.valid_from);
        found.why += &format!("（本版策略自{begins}起施行。）");
        found.why_en += &format!(" (this edition is in force from {})", pack.valid_from);
    }
    let abode = explain_abode(pack, question.abode, today);
    Explanation { success, abode, ..Explanation::of(pack, found) }
}

/// What a success by this method on this day would mean, and why.
fn explain_success(
    pack: &Pack,
    entitlement: &Entitlement,
    born: Date,
    (today, doubt): (Date, Doubt),
    method: Method,
) -> ExplainedSuccess {
    let before = pack.stand(entitlement, born, today, doubt);
    let next = pack.next_if_counted(&before, entitlement, born, (today, doubt), method);
    let (words, rules) = match (pack.method(method), before.state) {
        (_, DueState::NotRequired(reason)) => pack.reason_of(entitlement, born, today, reason),
        (None, _) => (
            Words::new(
                format!("本策略没有列出{}，不作为认证", method.zh()),
                format!("the pack does not name {}; it is no certification", method.en()),
            ),
            Vec::new(),
        ),
        (Some(rule), _) if !rule.counts => (
            Words::new("在此不作为认证", "no certification here").then(&cited(&rule.rules)),
            rule.rules.clone(),
        ),
        (Some(rule), _) if !pack.counts_for(entitlement, method) => {
            let zh: Vec<&str> = rule.abodes.iter().map(|abode| abode.zh()).collect();
            let en: Vec<&str> = rule.abodes.iter().map(|abode| abode.en()).collect();
            let only = Words::new(
                format!("只用于居住在{}的人员", zh.join("、")),
                format!("only for those who live {}", en.join(" or ")),
            );
            (only.then(&cited(&rule.rules)), rule.rules.clone())
        }
        (Some(_), DueState::Done(_)) if next.is_none() => {
            let repeated = Words::new(Repeat::Block.zh(), Repeat::Block.en());
            (repeated.then(&cited(&pack.calendar_rules)), pack.calendar_rules.clone())
        }
        (Some(_), DueState::NotOpen) => {
            let words = Words::new("本期还没有开始", "the period has not begun");
            (words.then(&cited(&pack.calendar_rules)), pack.calendar_rules.clone())
        }
        (Some(rule), state) => {
            let mut words = conditions(rule);
            if matches!(state, DueState::Done(_)) {
                let repeat = pack.repeat_by(method);
                words = words
                    .then(&Words::new(format!("；{}", repeat.zh()), format!("; {}", repeat.en())));
            }
            (words.then(&cited(&rule.rules)), rule.rules.clone())
        }
    };
    let counted = pack.method(method).filter(|_| next.is_some());
    ExplainedSuccess {
        method: method.id(),
        counts: next.is_some(),
        report_required: counted.is_some_and(|rule| rule.report_required),
        next: next.map(|day| day.to_string()),
        reason: words.zh,
        reason_en: words.en,
        rules,
    }
}

/// What the notice says to somebody who lives there.
fn explain_abode(pack: &Pack, abode: Abode, today: Date) -> Option<ExplainedAbode> {
    let (told, table) = match abode {
        Abode::Local => return None,
        Abode::Elsewhere => (pack.away.as_ref(), "away"),
        Abode::HkMoTw => (pack.hkmotw.as_ref(), "hkmotw"),
        Abode::Overseas => (pack.overseas_on(today), "overseas"),
    };
    let Some(told) = told else {
        return Some(ExplainedAbode {
            abode: abode.id(),
            reason: format!("{}居住：本策略没有专门规定，请询问经办机构", abode.zh()),
            reason_en: format!("lives {}: the pack says nothing, ask the agency", abode.en()),
            rules: Vec::new(),
        });
    };
    let paths =
        [format!("{table}.{}.", told.rule), format!("{table}.rule"), format!("{table}.ways")];
    let is_ours =
        pack.unconfirmed.iter().any(|known| paths.iter().any(|path| known.starts_with(path)));
    let list = told.list_to.as_ref().map_or(String::new(), |to| format!("；名单报{to}"));
    let words = Words::new(
        format!("{}居住，按{}：{}{list}", abode.zh(), told.rule, told.ways.join("；")),
        format!("lives {}, by {}", abode.en(), told.rule),
    );
    let words = words.then(&cited(&told.rules)).then(&confirmed(!is_ours));
    let (reason, reason_en) = (words.zh, words.en);
    Some(ExplainedAbode { abode: abode.id(), reason, reason_en, rules: told.rules.clone() })
}

impl Explanation {
    fn of(pack: &Pack, found: Assessment) -> Self {
        let can_never = matches!(found.state, DueState::NotRequired(_));
        let methods = found.methods.iter().filter(|_| !can_never);
        Self {
            methods: methods.map(|rule| rule.method.id().to_owned()).collect(),
            pack: found.pack,
            version: found.pack_version,
            title: found.title,
            state: found.state.id().to_owned(),
            due: found.due.map(|day| day.to_string()),
            opens: found.opens.map(|day| day.to_string()),
            reason: found.why,
            reason_en: found.why_en,
            rules: found.rules,
            may_certify: found.may_certify,
            repeat: pack.repeat.id(),
            not_required: found.state.reason_id(),
            abode: None,
            success: None,
            state_zh: found.state.zh(),
            repeat_words: Words::new(pack.repeat.zh(), pack.repeat.en()),
        }
    }

    /// As a clerk reads it.
    pub fn to_text(&self) -> String {
        let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "-".to_owned());
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        let may = if self.may_certify { "yes 现在可以办理" } else { "no 现在不能办理" };
        let mut text = format!(
            "pack     {} v{}  {}\nstate    {} {}\nopens    {}\ndue      {}\nnow      {may}\n",
            self.pack,
            self.version,
            self.title,
            self.state,
            self.state_zh,
            day(&self.opens),
            day(&self.due),
        );
        let mut put = |head: &str, zh: &str, en: &str| {
            text += &format!("{head:<9}{zh}\n         {en}\n");
        };
        put("reason", &self.reason, &self.reason_en);
        if let Some(told) = &self.abode {
            put("abode", &told.reason, &told.reason_en);
        }
        if let Some(told) = &self.success {
            let meaning = match &told.next {
                Some(next) => format!("counts, next {next}"),
                None => "does not count".to_owned(),
            };
            put("success", &format!("{} {meaning}：{}", told.method, told.reason), &told.reason_en);
        }
        if self.not_required.is_none() {
            put(
                "repeat",
                &format!("{} {}", self.repeat, self.repeat_words.zh),
                &self.repeat_words.en,
            );
        }
        text + &format!("methods  {}\nrules    {}\n", list(&self.methods), list(&self.rules))
    }
}

impl DueState {
    fn zh(&self) -> &'static str {
        match self {
            Self::NotRequired(reason) if reason.needs_the_window() => "先到窗口办理",
            Self::NotRequired(_) => "不需要认证",
            Self::UnderReview => "正在审核",
            Self::Done(_) => "本期已认证",
            Self::NotOpen => "还没有开始",
            Self::Due => "应认证",
            Self::DueSoon => "即将到期",
            Self::Overdue => "已逾期",
            Self::Suspended => "已暂停发放",
        }
    }

    /// Why nothing is required, if so.
    pub fn reason_id(&self) -> Option<&'static str> {
        match self {
            Self::NotRequired(reason) => Some(reason.id()),
            _ => None,
        }
    }
}

/// As much of a line as fits a screen beside a fault.
const SOURCE_CHARS: usize = 200;
/// Stands in for an unknown birth.
const OLD_ENOUGH: Date = Date::constant(1945, 6, 15);
