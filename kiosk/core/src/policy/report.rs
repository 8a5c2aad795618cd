//! What `kiosk policy` prints: the list of packs, the check of a file for its author, and the case of one person.

use std::fmt::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use super::{Assessment, DueState, Pack, PackFault, PackSet, Words};
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
    /// Line, from 1.
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
    let Err(error) = std::str::from_utf8(bytes) else {
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

fn checked(text: &str, fault: &PackFault) -> CheckedFault {
    CheckedFault {
        line: fault.line,
        column: fault.column,
        code: fault.code,
        zh: fault.words.zh.clone(),
        en: fault.words.en.clone(),
        source: text.lines().nth(fault.line - 1).unwrap_or_default().trim_end().to_owned(),
    }
}

impl fmt::Display for CheckedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, code, zh, en, source } = self;
        write!(f, "第{line}行 第{column}字 [{code}] {zh}\n    line {line}: {en}\n    {source}")
    }
}

/// A pack that holds, in the words of a clerk.
fn describe(pack: &Pack) -> String {
    let listed = listed(pack);
    let mut text = format!("{}（{} 第{}版）\n", pack.title, pack.id, pack.version);
    let mut line =
        |head: &str, words: &str| writeln!(text, "  {head}：{words}").expect("a String takes all");
    line("依据", &pack.source);
    line("日历", &format!("{}{}", listed.schedule, super::words::cited(&pack.calendar_rules).zh));
    for year in &pack.calendar.overrides {
        let spans: Vec<String> = year.windows.iter().map(|w| super::words::span(w).zh).collect();
        line("年度", &format!("{}年 {}（{}）", year.year, spans.join("、"), year.note));
    }
    line("重复", pack.repeat.zh());
    for rule in &pack.methods {
        line("方式", &method_line(rule));
    }
    let steps: Vec<&str> = pack.escalation.iter().map(|step| step.zh()).collect();
    line("不通过时", &steps.join(" → "));
    line("建模", &model_line(pack));
    line("申诉", &appeal_line(pack));
    line("每次办理", &format!("每种方式最多 {} 次", pack.limits.tries));
    let crate::policy::SignInLimits { pin_tries, lock_h } = pack.limits.sign_in;
    line("经办登录", &format!("密码错 {pin_tries} 次锁定 {lock_h} 小时"));
    if pack.late.suspend {
        let basis = pack.late.basis.as_deref().unwrap_or("本策略");
        line("逾期", &format!("停发（依据：{basis}），{}", pack.late.words().zh));
    }
    line("短信", pack.notify.sms.zh());
    line("算例", &format!("{} 个，全部相符", pack.examples.len()));
    text
}

fn method_line(rule: &super::MethodRule) -> String {
    let mut words = rule.method.zh().to_owned();
    words += if rule.counts { "，有效" } else { "，不作为认证" };
    if rule.report_required {
        words += "，须上报后生效";
    }
    if rule.needs_model {
        words += "，须先建模";
    }
    if !rule.only_if_failed.is_empty() {
        let failed: Vec<&str> = rule.only_if_failed.iter().map(|method| method.zh()).collect();
        words += &format!("，{}不成功时", failed.join("、"));
    }
    if let Some(n) = rule.digit_strings {
        words += &format!("，念数字 {n} 组");
    }
    if rule.two_person {
        words += "，须两人在场";
    }
    if rule.supervisor {
        words += "，须主管同意";
    }
    if let Some(advice) = rule.advise {
        words += "，";
        words += advice.zh();
    }
    words + &super::words::cited(&rule.rules).zh
}

fn model_line(pack: &Pack) -> String {
    let steps: Vec<&str> = pack.model.steps.iter().map(|step| step.zh()).collect();
    let mut words = format!("{}，最多 {} 次", steps.join("、"), pack.model.max_uploads);
    if !pack.model.bring.is_empty() {
        words += &format!("，须出示{}", pack.model.bring.join("、"));
    }
    if let Some(days) = pack.model.review_days {
        words += &format!("，不成的人工审核 {days} 天");
    }
    words
}

fn appeal_line(pack: &Pack) -> String {
    let who: Vec<&str> = pack.appeal.who.iter().map(|actor| actor.zh()).collect();
    let means = if pack.appeal.counts_as_success { "即算认证" } else { "后再认证" };
    format!("{}提出，通过{means}，不通过的{}", who.join("或"), pack.appeal.on_reject)
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

/// What is due for one person and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Pack that was applied.
    pub pack: String,
    /// Its edition.
    pub version: u32,
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
    /// Ids of the ways that count.
    pub methods: Vec<String>,
    /// Whether a certification can be taken now.
    pub may_certify: bool,
    /// Why nothing is required, as examples name it; only for `not_required`.
    pub not_required: Option<&'static str>,
    /// What a success on the day would mean; only where one was asked about.
    pub success: Option<ExplainedSuccess>,
}

/// What a success on a day would mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSuccess {
    /// By this method.
    pub method: &'static str,
    /// It is a certification.
    pub counts: bool,
    /// Until when the next one is due.
    pub next: Option<String>,
}

/// What is due for this person on this day.
pub fn explain(pack: &Pack, question: &Question, today: Date) -> Explanation {
    let method = question.last_method.unwrap_or(Method::FaceModel);
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
    let born = question.born.unwrap_or(OLD_ENOUGH);
    let success = question.by.map(|method| {
        let before = pack.stand(&entitlement, born, today, Doubt::None);
        let next = pack.next_if_counted(&before, &entitlement, born, today, method);
        ExplainedSuccess {
            method: method.id(),
            counts: next.is_some(),
            next: next.map(|day| day.to_string()),
        }
    });
    let mut found = pack.assess(&entitlement, born, today, question.doubt);
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
    Explanation { success, ..Explanation::from(found) }
}

impl From<Assessment> for Explanation {
    fn from(found: Assessment) -> Self {
        Self {
            pack: found.pack,
            version: found.pack_version,
            state: found.state.id().to_owned(),
            due: found.due.map(|day| day.to_string()),
            opens: found.opens.map(|day| day.to_string()),
            reason: found.why,
            reason_en: found.why_en,
            rules: found.rules,
            methods: found.methods.iter().map(|rule| rule.method.id().to_owned()).collect(),
            may_certify: found.may_certify,
            not_required: found.state.reason_id(),
            success: None,
        }
    }
}

impl Explanation {
    /// As a clerk reads it.
    pub fn to_text(&self) -> String {
        let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "-".to_owned());
        let mut text = format!(
            "state    {}\nopens    {}\ndue      {}\nreason   {}\n         {}\nmethods  {}\n",
            self.state,
            day(&self.opens),
            day(&self.due),
            self.reason,
            self.reason_en,
            self.methods.join(", ")
        );
        if let Some(ExplainedSuccess { method, next, .. }) = &self.success {
            let meaning = match next {
                Some(next) => format!("counts, next {next}"),
                None => "does not count".to_owned(),
            };
            text += &format!("success  {method} {meaning}\n");
        }
        text
    }
}

impl DueState {
    /// Why nothing is required, if so.
    pub fn reason_id(&self) -> Option<&'static str> {
        match self {
            Self::NotRequired(reason) => Some(reason.id()),
            _ => None,
        }
    }
}

/// Stands in for an unknown birth.
const OLD_ENOUGH: Date = Date::constant(1945, 6, 15);
