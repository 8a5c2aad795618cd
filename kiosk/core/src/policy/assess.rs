//! What is due for one benefit on one day, and why.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;

use super::words::{Words, cited, confirmed, date, span};
use super::{MethodRule, NotRequiredReason as Reason, Pack, Repeat};
use crate::benefit::{Entitlement, Group, Method, Stage, Success, vocabulary};
use crate::calendar::{Dates, Period, Standing};
use crate::moment::Doubt;

/// What is due for one benefit on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Pack that was applied.
    pub pack: String,
    /// Its edition.
    pub pack_version: u32,
    /// Its name in Chinese.
    pub title: String,
    /// Its name in English.
    pub title_en: String,
    /// Where the person stands.
    pub state: DueState,
    /// Last day in time; for somebody who is done, of the next one. None where no date is known.
    pub due: Option<Date>,
    /// From when on; for somebody who is done, of the next one.
    pub opens: Option<Date>,
    /// Whether a certification can be taken now. Doubt about the date never makes this false.
    pub may_certify: bool,
    /// How far `today` could be believed; dates are shown with it.
    pub doubt: Doubt,
    /// Why, in one Chinese sentence with the rule numbers in brackets.
    pub why: String,
    /// The same in English.
    pub why_en: String,
    /// The rule numbers.
    pub rules: Vec<String>,
    /// Ways that count for this person, in the order of the pack.
    pub methods: Vec<Arc<MethodRule>>,
}

/// Where a person stands with one benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueState {
    /// Nothing can or need be certified; the reason says what to do instead.
    NotRequired(NotRequiredReason),
    /// A review is running; it protects from suspension (R125).
    UnderReview,
    /// Done for the present period.
    Done(Success),
    /// The next period has not begun.
    NotOpen,
    /// Owed and in time.
    Due,
    /// Owed, and the last day is near.
    DueSoon,
    /// The last day is over.
    Overdue,
    /// Payment was stopped by the agency.
    Suspended,
}

vocabulary! {
    /// Why nothing can or need be certified.
    NotRequiredReason {
        BelowAge = "below_age", "未到领取待遇年龄，不需要认证", "below the age, nothing is required";
        NotInScheme = "not_in_scheme", "不属于本险种待遇领取人员", "not a recipient of this scheme";
        DuplicateBenefit = "duplicate_benefit", "重复领取待遇，须先清退", "drawn twice, to be cleared first";
        NotAdded = "not_added", "尚未办理人员新增，须先到窗口办理", "not yet added, to be done at the window first";
        NotApproved = "not_approved", "待遇尚未核定，核定后再认证", "not approved yet, certified after the approval";
        Ended = "ended", "待遇已终止", "the benefit has ended";
    }
}

impl NotRequiredReason {
    /// Whether the agency's window has something to put right before anything can be certified (R6, R17).
    pub fn needs_the_window(self) -> bool {
        matches!(self, Self::DuplicateBenefit | Self::NotAdded)
    }
}

impl DueState {
    /// The stable word in records, examples and lists.
    pub fn id(&self) -> &'static str {
        match self {
            Self::NotRequired(_) => "not_required",
            Self::UnderReview => "under_review",
            Self::Done(_) => "done",
            Self::NotOpen => "not_open",
            Self::Due => "due",
            Self::DueSoon => "due_soon",
            Self::Overdue => "overdue",
            Self::Suspended => "suspended",
        }
    }

    /// All the words of [`DueState::id`].
    pub const IDS: [&'static str; 8] = [
        "not_required",
        "under_review",
        "done",
        "not_open",
        "due",
        "due_soon",
        "overdue",
        "suspended",
    ];

    /// Whether a certification is owed now.
    pub fn is_owed(&self) -> bool {
        matches!(self, Self::Due | Self::DueSoon | Self::Overdue | Self::Suspended)
    }

    /// Its place in a list that shows the most urgent first.
    pub fn urgency(&self) -> u8 {
        match self {
            Self::Suspended => 0,
            Self::Overdue => 1,
            Self::DueSoon => 2,
            Self::Due => 3,
            Self::UnderReview => 4,
            Self::NotOpen => 5,
            Self::Done(_) => 6,
            Self::NotRequired(_) => 7,
        }
    }
}

/// Where somebody stands with one benefit and between which days, without a word of explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// See [`Assessment::state`].
    pub state: DueState,
    /// See [`Assessment::opens`].
    pub opens: Option<Date>,
    /// See [`Assessment::due`].
    pub due: Option<Date>,
}

impl Pack {
    /// What [`Pack::assess`] finds, for whoever asks about many people and shows nothing.
    pub fn stand(&self, entitlement: &Entitlement, born: Date, today: Date, doubt: Doubt) -> Stand {
        self.stand_of(&Case::new(self, entitlement, born, today, doubt)).0
    }

    fn stand_of(&self, case: &Case<'_>) -> (Stand, Option<Period>) {
        let standing = self.standing(case);
        let state = self.state(case, standing);
        let period = period_of(standing);
        let shown = if matches!(state, DueState::NotRequired(_)) { None } else { period };
        let (opens, due) = (shown.map(|p| p.opens), shown.map(|p| p.due));
        (Stand { state, opens, due }, period)
    }

    /// What is due for this entitlement. Missing dates and a doubtful clock never refuse anybody.
    pub fn assess(
        &self,
        entitlement: &Entitlement,
        born: Date,
        today: Date,
        doubt: Doubt,
    ) -> Assessment {
        self.assess_case(&Case::new(self, entitlement, born, today, doubt))
    }

    /// The same for a last success of which nobody told the method.
    pub(super) fn assess_unnamed(
        &self,
        entitlement: &Entitlement,
        born: Date,
        today: Date,
        doubt: Doubt,
    ) -> Assessment {
        let case = Case::new(self, entitlement, born, today, doubt);
        self.assess_case(&Case { is_method_known: false, ..case })
    }

    fn assess_case(&self, case: &Case<'_>) -> Assessment {
        let (Stand { state, opens, due }, period) = self.stand_of(case);
        let (words, rules) = self.why(case, state, period);
        Assessment {
            pack: self.id.clone(),
            pack_version: self.version,
            title: self.title.clone(),
            title_en: self.title_en.clone(),
            state,
            due,
            opens,
            may_certify: self.may_certify(case, state),
            doubt: case.doubt,
            why: words.zh,
            why_en: words.en,
            rules,
            methods: self.methods_for(case.entitlement),
        }
    }

    /// A way that counts here, for a success of which nobody told the method.
    pub(super) fn some_method(&self) -> Method {
        let usual = Method::FaceModel;
        let first = self.methods.iter().find(|rule| rule.counts).map(|rule| rule.method);
        if self.counts(usual) { usual } else { first.unwrap_or(usual) }
    }

    /// When the next certification is due after a success on this day; none if the method does not count here.
    pub(super) fn next_due_from(
        &self,
        before: &Stand,
        entitlement: &Entitlement,
        born: Date,
        on: Date,
        method: Method,
    ) -> Option<Date> {
        if !self.counts_for(entitlement, method) {
            return None;
        }
        if matches!(before.state, DueState::Done(_))
            && self.repeat_by(method) != Repeat::AllowExtend
        {
            return before.due;
        }
        let last = Some(Success { on, method });
        let after = self.stand(&Entitlement { last, ..entitlement.clone() }, born, on, Doubt::None);
        // By a clock that is behind, a new success would end before the one that is known; it takes nothing away.
        let held = before.due.filter(|_| matches!(before.state, DueState::Done(_)));
        after.due.max(held)
    }

    /// What a second success by this method does.
    pub fn repeat_by(&self, method: Method) -> Repeat {
        self.method(method).and_then(|rule| rule.repeat).unwrap_or(self.repeat)
    }

    /// Whether a success by this method is a certification for this person.
    pub fn counts_for(&self, entitlement: &Entitlement, method: Method) -> bool {
        self.rule_for(entitlement, method).is_some()
    }

    pub(super) fn rule_for(
        &self,
        entitlement: &Entitlement,
        method: Method,
    ) -> Option<&MethodRule> {
        self.rules_for(entitlement).map(Arc::as_ref).find(|rule| rule.method == method)
    }

    fn methods_for(&self, entitlement: &Entitlement) -> Vec<Arc<MethodRule>> {
        self.rules_for(entitlement).cloned().collect()
    }

    fn rules_for(&self, entitlement: &Entitlement) -> impl Iterator<Item = &Arc<MethodRule>> {
        let abode = entitlement.abode;
        let lives_there =
            move |rule: &&Arc<MethodRule>| rule.abodes.is_empty() || rule.abodes.contains(&abode);
        self.methods.iter().filter(|rule| rule.counts).filter(lives_there)
    }

    fn standing(&self, case: &Case<'_>) -> Standing {
        match (&self.pre_approval, case.entitlement.stage) {
            (Some(check), Stage::PreApproval) => case.identity_check(check.validity_months),
            _ => self.calendar.standing(&case.dates, case.today),
        }
    }

    fn state(&self, case: &Case<'_>, standing: Standing) -> DueState {
        if let Some(reason) = self.not_required(case) {
            return DueState::NotRequired(reason);
        }
        let entitlement = case.entitlement;
        let last = entitlement.last.filter(|last| Some(last.on) == case.dates.last);
        match (standing, last) {
            (Standing::Filled(_), Some(last)) => DueState::Done(last),
            _ if entitlement.under_review.is_some() => DueState::UnderReview,
            _ if entitlement.suspended => DueState::Suspended,
            (Standing::Late(_), _) => DueState::Overdue,
            (Standing::NotOpen(_), _) if case.doubt == Doubt::None => DueState::NotOpen,
            (Standing::Open(period), _) if self.is_near(period, case.today) => DueState::DueSoon,
            _ => DueState::Due,
        }
    }

    fn is_near(&self, period: Period, today: Date) -> bool {
        period.due.saturating_sub(self.remind_days_before.days()) <= today
    }

    fn not_required(&self, case: &Case<'_>) -> Option<Reason> {
        let entitlement = case.entitlement;
        let Some(group) = self.group(&entitlement.group) else {
            return Some(Reason::NotInScheme);
        };
        match entitlement.stage {
            Stage::Ended => return Some(Reason::Ended),
            Stage::NotAdded => return Some(Reason::NotAdded),
            // Who draws nothing yet is no subject, unless a notice wants the identity confirmed before (R1, R7).
            Stage::PreApproval => {
                return self.pre_approval.is_none().then_some(Reason::NotApproved);
            }
            Stage::InPayment => {}
        }
        if entitlement.duplicate {
            return Some(Reason::DuplicateBenefit);
        }
        self.is_below_age(case, group).then_some(Reason::BelowAge)
    }

    /// Somebody who is or was paid is old enough whatever the dates say; a doubtful clock proves no age.
    fn is_below_age(&self, case: &Case<'_>, group: Group) -> bool {
        let entitlement = case.entitlement;
        let paid = entitlement.last.is_some()
            || entitlement.suspended
            || entitlement.under_review.is_some()
            || entitlement.retired_on.is_some_and(|on| on <= case.today);
        let Some(rule) = self.ages.iter().find(|rule| rule.group == group) else {
            return false;
        };
        !paid && case.doubt == Doubt::None && full_years(case.dates.born, case.today) < rule.from
    }

    fn may_certify(&self, case: &Case<'_>, state: DueState) -> bool {
        match state {
            DueState::NotRequired(_) => false,
            DueState::Done(_) => case.is_doubted() || self.may_repeat(case.entitlement),
            DueState::NotOpen => false,
            _ => true,
        }
    }

    /// Whether any way may be taken a second time in the same period.
    fn may_repeat(&self, entitlement: &Entitlement) -> bool {
        let repeat = |rule: &Arc<MethodRule>| rule.repeat.unwrap_or(self.repeat);
        self.rules_for(entitlement).any(|rule| repeat(rule) != Repeat::Block)
    }

    fn why(
        &self,
        case: &Case<'_>,
        state: DueState,
        period: Option<Period>,
    ) -> (Words, Vec<String>) {
        let (mut words, mut rules) = self.general_rule(case, state);
        let changed = period.and_then(|period| self.calendar.override_of(period));
        if let (Some(changed), false) = (changed, matches!(state, DueState::NotRequired(_))) {
            let spans: Vec<Words> = changed.windows.iter().map(span).collect();
            let zh: Vec<&str> = spans.iter().map(|w| w.zh.as_str()).collect();
            let en: Vec<&str> = spans.iter().map(|w| w.en.as_str()).collect();
            let note_en = changed.note_en.as_ref().unwrap_or(&changed.note);
            words = words.then(&Words::new(
                format!("；{}年为{}：{}", changed.year, zh.join("、"), changed.note),
                format!("; in {}: {} ({note_en})", changed.year, en.join(", ")),
            ));
        }
        words = words.then(&self.present(case, state, period, &mut rules));
        if let (Some(last), false) = (case.idle, matches!(state, DueState::NotRequired(_))) {
            words = words.then(&self.idle_words(last, &mut rules));
        }
        if case.clock_is_behind && case.doubt == Doubt::None {
            words = words.then(&Words::new(
                "；上次认证的日期在今天之后，请核对登记日期和终端日期",
                "; the last success is dated after today: check what is registered, and the terminal's date",
            ));
        } else if case.is_doubted() {
            words = words
                .then(&Words::new("；终端日期存疑，请核对", "; the terminal's date is in doubt"));
        }
        words.zh.push('。');
        (words, rules)
    }

    /// The rule that everything else follows from, with its numbers.
    fn general_rule(&self, case: &Case<'_>, state: DueState) -> (Words, Vec<String>) {
        if let DueState::NotRequired(reason) = state {
            return self.reason_words(case, reason);
        }
        let (words, rules) = match (&self.pre_approval, case.entitlement.stage) {
            (Some(check), Stage::PreApproval) => (
                Words::new(
                    "核定待遇前须做一次资格认证以确认身份",
                    "one identity check before approval",
                ),
                &check.rules,
            ),
            _ => (self.calendar_words.clone(), &self.calendar_rules),
        };
        (words.then(&cited(rules)), rules.clone())
    }

    /// Why nothing is owed, for whoever asks what a success would mean.
    pub(super) fn reason_of(
        &self,
        entitlement: &Entitlement,
        born: Date,
        today: Date,
        reason: Reason,
    ) -> (Words, Vec<String>) {
        self.reason_words(&Case::new(self, entitlement, born, today, Doubt::None), reason)
    }

    /// Why nothing is owed.
    fn reason_words(&self, case: &Case<'_>, reason: Reason) -> (Words, Vec<String>) {
        let words = Words::new(reason.zh(), reason.en());
        let group = self.group(&case.entitlement.group);
        let age = self.ages.iter().find(|age| Some(age.group) == group);
        let Some(age) = age.filter(|_| reason == Reason::BelowAge) else {
            let (basis, rules) = self.basis(reason.id());
            return (words.then(&basis), rules);
        };
        let years = Words::new(
            format!("；自{}周岁起", age.from),
            format!("; from the age of {} on", age.from),
        );
        let words = words.then(&cited(&age.rules)).then(&years).then(&confirmed(!age.is_ours));
        (words, age.rules.clone())
    }

    /// What a reason rests on: rules that this pack names, or nothing that was confirmed.
    fn basis(&self, key: &str) -> (Words, Vec<String>) {
        match self.reasons.iter().find(|rule| rule.key == key) {
            Some(rule) => (cited(&rule.rules).then(&confirmed(!rule.is_ours)), rule.rules.clone()),
            None => (confirmed(false), Vec::new()),
        }
    }

    /// The clause about the present state.
    fn present(
        &self,
        case: &Case<'_>,
        state: DueState,
        period: Option<Period>,
        rules: &mut Vec<String>,
    ) -> Words {
        let due = period.map(|p| date(p.due)).unwrap_or_default();
        let due_en = period.map(|p| p.due.to_string()).unwrap_or_default();
        match state {
            DueState::NotRequired(_) => Words::default(),
            DueState::Done(last) => {
                let (zh, en) = match case.is_method_known {
                    true => {
                        (format!("（{}）", last.method.zh()), format!(" ({})", last.method.en()))
                    }
                    false => Default::default(),
                };
                let mut done = Words::new(
                    format!("；已于{}认证{zh}，下次最迟{due}", date(last.on)),
                    format!("; done on {}{en}, next by {due_en}", last.on),
                );
                if !self.may_certify(case, state) {
                    done = done.then(&Words::new(
                        format!("，{}", Repeat::Block.zh()),
                        format!(", {}", Repeat::Block.en()),
                    ));
                }
                if case.entitlement.under_review.is_some() {
                    done = done.then(&self.reviewed(case, rules));
                } else if case.entitlement.suspended {
                    done = done.then(&self.still_stopped(rules));
                }
                done
            }
            DueState::UnderReview => self.reviewed(case, rules),
            DueState::Suspended => {
                let stopped = Words::new("；待遇已暂停", "; payment is suspended");
                self.resumed(rules, stopped.then(&still_possible()))
            }
            DueState::Overdue => {
                let missed = Words::new(format!("；已过{due}"), format!("; was due on {due_en}"));
                let missed = missed.then(&still_possible());
                // Nothing is paid before approval that could be resumed.
                let is_paid = case.entitlement.stage != Stage::PreApproval;
                if is_paid { self.resumed(rules, missed) } else { missed }
            }
            DueState::NotOpen => {
                let opens = period.map(|p| date(p.opens)).unwrap_or_default();
                let opens_en = period.map(|p| p.opens.to_string()).unwrap_or_default();
                Words::new(format!("；{opens}起办理"), format!("; opens on {opens_en}"))
            }
            DueState::Due | DueState::DueSoon if period.is_none() => Words::new(
                "；没有认证记录，请现在认证",
                "; no earlier one is recorded, certify now",
            ),
            DueState::Due | DueState::DueSoon => {
                Words::new(format!("；请在{due}前认证"), format!("; due by {due_en}"))
            }
        }
    }

    /// A review is running. It keeps a payment from being stopped (R125); one that was stopped before stays stopped
    /// until a success (R26).
    fn reviewed(&self, case: &Case<'_>, rules: &mut Vec<String>) -> Words {
        let Some(by) = case.entitlement.under_review else {
            return Words::default();
        };
        let is_late = by < case.today && !case.is_doubted();
        let answer = if is_late {
            Words::new(
                format!("；正在审核，原定{}前答复，已过期，请向经办机构询问", date(by)),
                format!("; under review, an answer was due by {by} and is late, ask the agency"),
            )
        } else {
            Words::new(
                format!("；正在审核，预计{}前答复", date(by)),
                format!("; under review, an answer is expected by {by}"),
            )
        };
        let (basis, basis_rules) = self.basis("under_review");
        basis_rules.iter().for_each(|rule| add(rules, rule));
        if case.entitlement.suspended {
            return answer.then(&basis).then(&self.still_stopped(rules));
        }
        answer.then(&Words::new("，期间不停发", ", payment is protected")).then(&basis)
    }

    fn still_stopped(&self, rules: &mut Vec<String>) -> Words {
        self.resumed(rules, Words::new("；待遇仍在暂停", "; payment is still suspended"))
    }

    /// The last success is none under this pack.
    fn idle_words(&self, last: Success, rules: &mut Vec<String>) -> Words {
        let cited_by = self.method(last.method).map(|rule| rule.rules.as_slice());
        let cited_by = cited_by.unwrap_or_default();
        cited_by.iter().for_each(|rule| add(rules, rule));
        let (on, zh, en) = (last.on, last.method.zh(), last.method.en());
        Words::new(
            format!("；{}的{zh}在此不作为认证", date(on)),
            format!("; the {en} of {on} does not count here"),
        )
        .then(&cited(cited_by))
    }

    /// What follows for the payment once somebody late is certified.
    fn resumed(&self, rules: &mut Vec<String>, head: Words) -> Words {
        for rule in &self.late.rules {
            add(rules, rule);
        }
        let mut words = head;
        if let Some(resume) = self.late.resume {
            words = words.then(&Words::new(
                format!("，{}", resume.zh()),
                format!(", payment resumes {}", resume.en()),
            ));
        }
        if self.late.backpay {
            words = words.then(&Words::new("并补发", "with back pay"));
        }
        words.then(&cited(&self.late.rules))
    }
}

fn still_possible() -> Words {
    Words::new("，现在仍可认证", ", can still be certified now")
}

/// An entitlement with its dates made plausible.
struct Case<'e> {
    entitlement: &'e Entitlement,
    dates: Dates,
    today: Date,
    doubt: Doubt,
    clock_is_behind: bool,
    /// The last success was by a method that is none here.
    idle: Option<Success>,
    is_method_known: bool,
}

impl<'e> Case<'e> {
    fn new(
        pack: &Pack,
        entitlement: &'e Entitlement,
        born: Date,
        today: Date,
        doubt: Doubt,
    ) -> Self {
        let plausible = |day: &Date| PLAUSIBLE.contains(day);
        let doubt = if plausible(&today) { doubt } else { Doubt::Unknown };
        let since = entitlement.retired_on.filter(plausible);
        // Where somebody lives may have changed since: a success counts if it would for anybody.
        let counts = |last: &Success| pack.counts(last.method);
        let last = entitlement.last.filter(counts).map(|last| last.on).filter(plausible);
        let dates = Dates { born, since, last };
        let today = today.clamp(EARLIEST, LATEST);
        Self {
            entitlement,
            dates,
            today,
            doubt,
            clock_is_behind: last.is_some_and(|last| last > today),
            idle: entitlement.last.filter(|last| !counts(last)),
            is_method_known: true,
        }
    }

    /// Whether the terminal's date may be wrong, by its own word or because it lies before a success.
    fn is_doubted(&self) -> bool {
        self.doubt != Doubt::None || self.clock_is_behind
    }

    /// One success holds for so many months and nothing is owed after approval by this rule.
    fn identity_check(&self, validity_months: i32) -> Standing {
        let Some(last) = self.dates.last else {
            return Standing::Unrecorded;
        };
        let due = last.saturating_add(validity_months.months());
        let period = Period { opens: last, due };
        if self.today.max(last) <= due { Standing::Filled(period) } else { Standing::Late(period) }
    }
}

fn period_of(standing: Standing) -> Option<Period> {
    match standing {
        Standing::Filled(p) | Standing::NotOpen(p) | Standing::Open(p) | Standing::Late(p) => {
            Some(p)
        }
        Standing::Unrecorded => None,
    }
}

/// Full years on a day; somebody born on 29 February is older on 1 March in other years.
pub(crate) fn full_years(born: Date, today: Date) -> i16 {
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    today.year() - born.year() - i16::from(!had_birthday)
}

fn add(rules: &mut Vec<String>, rule: &str) {
    if !rules.iter().any(|known| known == rule) {
        rules.push(rule.to_owned());
    }
}

/// Outside of this a date is a fault of a clock or of a file.
pub(super) const PLAUSIBLE: RangeInclusive<Date> = EARLIEST..=LATEST;
const EARLIEST: Date = Date::constant(1980, 1, 1);
const LATEST: Date = Date::constant(2199, 12, 31);
