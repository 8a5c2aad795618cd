//! From the text of a pack to a [`Pack`]: every key, its type, its bounds, and what must fit together.

use std::fmt;
use std::sync::Arc;

use toml::de::DeTable;

use super::read::{Book, Section};
use super::{
    Abroad, AgeRule, AppMessage, Appeal, Fix, HomeVisitRule, Late, Limits, Liveness, Material,
    MethodRule, Model, Notify, Pack, PreApproval, ReasonRule, Repeat, Scope, SignInLimits, Site,
    Sms, Step, Words, example, words,
};
use crate::benefit::{Insurance, Method};
use crate::calendar::{Anchor, Calendar, Kind, MonthDay, Override, Schedule, Window};

/// What is wrong with a pack, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFault {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// Stable code: `unknown-key`, `wrong-date`, `example-fails`, ….
    pub code: &'static str,
    /// What is wrong and how to write it.
    pub words: Words,
}

impl fmt::Display for PackFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{} {} {} / {}",
            self.line, self.column, self.code, self.words.zh, self.words.en
        )
    }
}

pub(super) fn parse(text: &str) -> Result<Pack, Vec<PackFault>> {
    let book = Book::new(text);
    if text.len() > BYTES_MAX {
        let most = BYTES_MAX / 1024;
        let words = Words::new(
            format!("策略包过大，最多 {most} KiB"),
            format!("the pack is too long, {most} KiB at most"),
        );
        book.fault(0, "too-long", words);
        return Err(book.into_faults());
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    // What follows a broken line is often only its echo.
    for error in errors.iter().take(SYNTAX_FAULTS_MAX) {
        let at = error.span().map_or(0, |span| span.start);
        let words = Words::new(
            format!("TOML 写法有误：{}", error.message()),
            format!("TOML: {}", error.message()),
        );
        book.fault_of_line(at, "toml-syntax", words);
    }
    if !errors.is_empty() {
        return Err(book.into_faults());
    }
    let top = Section::new(&book, table.get_ref(), 0..0, "").forgiving(&TOP_KEYS);
    if !top.has_any(&TOP_KEYS) {
        top.excuse();
        let words = match table.get_ref().is_empty() {
            true => Words::new("文件是空的", "the file is empty"),
            false => Words::new("这不是策略包", "this is not a policy pack"),
        };
        book.fault(0, "no-pack", words);
        drop(top);
        return Err(book.into_faults());
    }
    let pack = read(&top);
    drop(top);
    match pack {
        Some(pack) if book.is_clean() => {
            example::hold(&pack, &book);
            if book.is_clean() { Ok(pack) } else { Err(book.into_faults()) }
        }
        _ => Err(book.into_faults()),
    }
}

/// Reads all that can be read, so that all faults are told; `None` only where a value has no harmless stand-in.
fn read(top: &Section<'_, '_>) -> Option<Pack> {
    let scope = top.required_section("scope").map(|s| scope(&s));
    let schedule = top.required_section("schedule");
    let calendar = schedule.as_ref().and_then(calendar);
    let (repeat, remind_days_before, calendar_rules) = schedule.as_ref().map_or_else(
        || (None, DEFAULT_REMIND_DAYS, Vec::new()),
        |s| {
            (
                s.word_or_none("repeat"),
                s.number_or("remind_days_before", 0..=180, DEFAULT_REMIND_DAYS),
                s.rules(),
            )
        },
    );
    let calendar_is_ours =
        schedule.as_ref().is_some_and(|s| CALENDAR_KEYS.iter().any(|key| s.is_ours(key)));
    let calendar =
        calendar.unwrap_or(Calendar { schedule: Schedule::HalfYear, overrides: Vec::new() });
    let valid_from = top.day("valid_from");
    let methods = methods(top);
    let pack = Pack {
        id: identifier(top),
        version: small(top.number("version", 1..=1_000_000)),
        title: top.text("title"),
        title_en: top.text("title_en"),
        valid_from: valid_from.unwrap_or_default(),
        source: top.text("source"),
        signer: top.text_or_none("signer"),
        supersedes: top.number_or_none("supersedes", 1..=1_000_000).map(small),
        calendar_words: words::schedule(&calendar).then(&words::confirmed(!calendar_is_ours)),
        calendar,
        calendar_rules,
        repeat: repeat.unwrap_or(Repeat::AllowNoEffect),
        remind_days_before: small(remind_days_before),
        pre_approval: top.section("pre_approval").map(|s| pre_approval(&s)),
        ages: ages(top, scope.as_ref()),
        late: top.section("late").map(|s| late(&s)).unwrap_or_default(),
        escalation: top.section("escalation").map(|s| ladder(&s, &methods)).unwrap_or_default(),
        methods,
        model: model(top.section("model").as_ref()),
        appeal: appeal(top.section("appeal").as_ref()),
        home_visit: home_visit(top.section("home_visit").as_ref()),
        liveness: liveness(top.section("liveness").as_ref()),
        limits: limits(top.section("limits").as_ref()),
        reasons: top.section("reasons").map(|s| reasons(&s)).unwrap_or_default(),
        fix: fix(top.section("fix").as_ref()),
        materials: each_once(top.sections("materials"), "case", material, |one| one.case.id()),
        notify: notify(top.section("notify").as_ref()),
        hkmotw: top.section("hkmotw").map(|s| abroad(&s)),
        overseas: overseas(top),
        away: top.section("away").map(|s| abroad(&s)),
        messages: each_once(top.sections("messages"), "app_text", message, |one| &one.text),
        sites: each_once(top.sections("sites"), "name", site, |one| &one.name),
        hotlines: top.texts("hotlines"),
        app: top.text_or_none("app"),
        examples: top.sections("examples").iter().filter_map(example::read).collect(),
        scope: scope?,
        unconfirmed: top.all_ours(),
    };
    fits_together(top, &pack);
    Some(pack)
}

/// Tables of a kind, of which each may stand once.
fn each_once<T>(
    sections: Vec<Section<'_, '_>>,
    key: &str,
    read: impl Fn(&Section<'_, '_>) -> Option<T>,
    name: impl Fn(&T) -> &str,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for (s, one) in sections.iter().filter_map(|s| Some((s, read(s)?))) {
        if all.iter().any(|earlier| !name(&one).is_empty() && name(earlier) == name(&one)) {
            s.twice(key, name(&one));
        }
        all.push(one);
    }
    all
}

fn methods(top: &Section<'_, '_>) -> Vec<Arc<MethodRule>> {
    let mut rules: Vec<Arc<MethodRule>> = Vec::new();
    let sections = top.sections("methods");
    for (s, rule) in sections.iter().filter_map(|s| Some((s, method(s)?))) {
        if rules.iter().any(|earlier| earlier.method == rule.method) {
            s.twice("id", rule.method.id());
        }
        rules.push(Arc::new(rule));
    }
    if sections.len() != rules.len() {
        // What cannot be read is told; who leads to it is right.
        rules.clear();
    }
    for (s, rule) in sections.iter().zip(&rules) {
        for earlier in &rule.only_if_failed {
            is_there(s, "only_if_failed", *earlier, &rules);
        }
    }
    rules
}

/// What to try after a failure: ways that the pack has, each once.
fn ladder(s: &Section<'_, '_>, methods: &[Arc<MethodRule>]) -> Vec<Step> {
    let (steps, _) = (s.some_words::<Step>("order"), s.rules());
    for method in steps.iter().filter_map(|step| method_of(*step)) {
        is_there(s, "order", method, methods);
    }
    steps
}

/// The method that a rung of the ladder leads to.
fn method_of(step: Step) -> Option<Method> {
    match step {
        Step::RetryGuided | Step::Remodel => None,
        Step::Fingerprint => Some(Method::FingerprintModel),
        Step::Voice => Some(Method::Voice),
        Step::Window => Some(Method::Window),
        Step::Appeal => Some(Method::Appeal),
        Step::HomeVisit => Some(Method::HomeVisit),
        Step::Special => Some(Method::Special),
    }
}

/// Whoever is led to a way that the pack does not have stands before a wall.
fn is_there(s: &Section<'_, '_>, key: &str, method: Method, rules: &[Arc<MethodRule>]) {
    // A list that is missing or cannot be read is told once and not for each that leads to it.
    if rules.is_empty() || rules.iter().any(|rule| rule.method == method) {
        return;
    }
    let id = method.id();
    let words = Words::new(
        format!("引向 {id}，但 [[methods]] 里没有它"),
        format!("leads to {id}, which is not among [[methods]]"),
    );
    s.fault(key, "no-method", words);
}

fn identifier(top: &Section<'_, '_>) -> String {
    let id = top.text("pack");
    let good = id.split('.').count() >= ID_PARTS_MIN
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
    if top.has("pack") && !good {
        let words = Words::new(
            "pack 应写作 cn.地区.机构.险种，小写字母、数字、下划线",
            "pack must look like cn.region.agency.insurance in lower case",
        );
        top.fault("pack", "wrong-value", words);
    }
    id
}

/// What no single key can show.
fn fits_together(top: &Section<'_, '_>, pack: &Pack) {
    if pack.supersedes.is_some_and(|old| old >= pack.version) {
        let words = Words::new("supersedes 应小于 version", "supersedes must be less than version");
        top.fault("supersedes", "wrong-value", words);
    }
    let methods_are_read = !top.has("methods") || !pack.methods.is_empty();
    if methods_are_read && !pack.methods.iter().any(|rule| rule.counts) {
        let words = Words::new("至少要有一种有效的认证方式", "at least one method must count");
        top.fault("methods", "no-method", words);
    }
    let appeal = pack.method(Method::Appeal);
    if appeal.is_some_and(|rule| !rule.two_person) {
        let words = Words::new(
            "申诉须两人：请在 appeal 写 two_person = true",
            "an appeal takes two people: write two_person = true at appeal",
        );
        top.fault("methods", "wrong-value", words);
    }
    if appeal.is_some_and(|rule| rule.counts != pack.appeal.counts_as_success) {
        let words = Words::new(
            "appeal 的 counts 与 [appeal] counts_as_success 不一致",
            "counts of the method appeal and counts_as_success of [appeal] differ",
        );
        top.fault("appeal", "wrong-value", words);
    }
    if pack.examples.is_empty() && !top.has("examples") {
        let words = Words::new("没有算例，无法核对", "a pack without examples cannot be checked");
        top.fault("examples", "no-example", words);
    }
}

fn scope(s: &Section<'_, '_>) -> Scope {
    let region = s.text("region");
    if s.has("region") && (region.len() != 6 || !region.bytes().all(|b| b.is_ascii_digit())) {
        s.fault(
            "region",
            "wrong-value",
            Words::new("region 应为六位数字", "region must have six digits"),
        );
    }
    let groups = s.some_words("groups");
    Scope {
        region,
        region_name: s.text("region_name"),
        agency: s.text("agency"),
        insurance: s.word("insurance").unwrap_or(Insurance::EnterprisePension),
        groups,
        accepts_other_sites: s.flag("accepts_other_sites", false),
        rules: s.rules(),
    }
}

fn calendar(s: &Section<'_, '_>) -> Option<Calendar> {
    let Some(schedule) = schedule(s) else {
        s.excuse();
        return None;
    };
    let mut overrides: Vec<Override> = Vec::new();
    for (of, found) in s.sections("overrides").iter().filter_map(|o| Some((o, year(o, &schedule)?)))
    {
        if overrides.iter().any(|earlier| earlier.year == found.year) {
            let year = found.year;
            let words =
                Words::new(format!("{year} 年写了两次"), format!("the year {year} stands twice"));
            of.fault("year", "twice", words);
        }
        overrides.push(found);
    }
    if let Schedule::Windows(windows) = &schedule {
        orderly(s, "windows", windows);
    }
    if let Schedule::Deadline(window) = &schedule {
        forward(s, "deadline", window);
    }
    Some(Calendar { schedule, overrides })
}

fn schedule(s: &Section<'_, '_>) -> Option<Schedule> {
    Some(match s.word::<Kind>("kind")? {
        Kind::Rolling => rolling(s),
        Kind::CalendarYear => Schedule::CalendarYear { count: count(s) },
        Kind::Windows => {
            let windows: Vec<Window> = s
                .pairs("windows")
                .into_iter()
                .map(|(opens, closes)| Window { opens, closes })
                .collect();
            if windows.is_empty() {
                let words = Words::new("windows 至少一个窗口期", "windows needs at least one");
                s.fault("windows", "wrong-value", words);
                return None;
            }
            Schedule::Windows(windows)
        }
        Kind::Monthly => monthly(s),
        Kind::Deadline => Schedule::Deadline(until(s)?),
        Kind::BirthMonth => birth_month(s),
        Kind::HalfYear => Schedule::HalfYear,
    })
}

fn rolling(s: &Section<'_, '_>) -> Schedule {
    let months = s.number("months", 1..=120);
    let usual = DEFAULT_OPEN_DAYS.min(months * MONTH_DAYS / 2);
    let open_days_before = s.number_or("open_days_before", 0..=366, usual);
    if open_days_before >= months * MONTH_DAYS {
        let words = Words::new(
            "open_days_before 应短于有效期",
            "open_days_before must be shorter than the validity",
        );
        s.fault("open_days_before", "wrong-value", words);
    }
    Schedule::Rolling { months: small(months), open_days_before: small(open_days_before) }
}

fn birth_month(s: &Section<'_, '_>) -> Schedule {
    let (before, after) =
        (s.number_or("months_before", 0..=5, 0), s.number_or("months_after", 0..=5, 0));
    let half_yearly = s.flag("half_yearly", false);
    if half_yearly && before + after >= 6 {
        let words = Words::new(
            "每半年一次时，前后月份加起来应少于 6",
            "twice a year, the months before and after must be fewer than 6",
        );
        s.fault("half_yearly", "windows-overlap", words);
    }
    Schedule::BirthMonth {
        anchor: s.word_or_none("anchor").unwrap_or(Anchor::Birth),
        months_before: small(before),
        months_after: small(after),
        half_yearly,
    }
}

fn count(s: &Section<'_, '_>) -> i8 {
    let count = small(s.number_or("count", 1..=12, 1));
    if 12 % count != 0 {
        s.fault("count", "wrong-value", Words::new("count 应能整除 12", "count must divide 12"));
    }
    count
}

fn monthly(s: &Section<'_, '_>) -> Schedule {
    let (from, to) = (small(s.number("from", 1..=28)), small(s.number("to", 1..=31)));
    if to < from {
        s.fault("to", "wrong-value", Words::new("to 不应早于 from", "to must not be before from"));
    }
    Schedule::Monthly { from, to }
}

fn until(s: &Section<'_, '_>) -> Option<Window> {
    let opens = if s.has("start") { s.month_day("start")? } else { NEW_YEAR };
    Some(Window { opens, closes: s.month_day("deadline")? })
}

fn year(s: &Section<'_, '_>, schedule: &Schedule) -> Option<Override> {
    let year = small(s.number("year", 2000..=2200));
    let note = s.text("note");
    let note_en = s.text_or_none("note_en");
    // What it rests on besides the rules of the schedule; often the same.
    s.numbers("rules");
    s.ours();
    let windows = if matches!(schedule, Schedule::Deadline(_)) {
        until(s).into_iter().collect()
    } else {
        s.pairs("windows")
            .into_iter()
            .map(|(opens, closes)| Window { opens, closes })
            .collect::<Vec<_>>()
    };
    if matches!(
        schedule,
        Schedule::Rolling { .. } | Schedule::Monthly { .. } | Schedule::BirthMonth { .. }
    ) {
        let words =
            Words::new("这种日历不能按年改写", "this kind of schedule has no overrides by year");
        s.fault("year", "wrong-value", words);
    }
    let key = if s.has("deadline") { "deadline" } else { "windows" };
    orderly(s, key, &windows);
    (!windows.is_empty()).then_some(Override { year, windows, note, note_en })
}

/// A window that ends before it begins is a slip of the pen, unless the table says that it runs into the next year.
fn forward(s: &Section<'_, '_>, key: &str, window: &Window) {
    if window.closes < window.opens && !s.flag("into_next_year", false) {
        let words = Words::new(
            "结束日早于开始日；如果确实跨年，请写 into_next_year = true",
            "it ends before it begins; if it runs into the next year, write into_next_year = true",
        );
        s.fault(key, "window-reversed", words);
    }
}

/// Windows of one year follow each other and do not touch.
fn orderly(s: &Section<'_, '_>, key: &str, windows: &[Window]) {
    let wraps = |w: &Window| w.closes < w.opens;
    let apart = windows.windows(2).all(|w| w[0].closes < w[1].opens && !wraps(&w[0]));
    let ends = match windows {
        [first, .., last] => !wraps(last) || last.closes < first.opens,
        _ => true,
    };
    windows.iter().for_each(|window| forward(s, key, window));
    let all_forward = !windows.iter().any(wraps) || s.flag("into_next_year", false);
    if all_forward && !(apart && ends) {
        let words = Words::new(
            "窗口期应按先后排列且不重叠",
            "windows must be in order and must not overlap",
        );
        s.fault(key, "windows-overlap", words);
    }
}

fn pre_approval(s: &Section<'_, '_>) -> PreApproval {
    PreApproval { validity_months: small(s.number("validity_months", 1..=60)), rules: s.rules() }
}

fn ages(top: &Section<'_, '_>, scope: Option<&Scope>) -> Vec<AgeRule> {
    let known = |s: &Section<'_, '_>| {
        let age = age(s)?;
        if scope.is_some_and(|scope| !scope.groups.contains(&age.group)) {
            let words = Words::new(
                "这个人群不在 [scope] groups 里",
                "this group is not among the groups of [scope]",
            );
            s.fault("group", "wrong-value", words);
        }
        Some(age)
    };
    each_once(top.sections("ages"), "group", known, |age| age.group.id())
}

fn age(s: &Section<'_, '_>) -> Option<AgeRule> {
    let (group, from, rules) = (s.word("group"), small(s.number("from", 0..=100)), s.rules());
    Some(AgeRule { group: group?, from, rules, is_ours: s.is_ours("from") })
}

/// Why nothing is owed, and on which rule that rests. A rule of another agency's notice is marked as ours.
fn reasons(s: &Section<'_, '_>) -> Vec<ReasonRule> {
    let said = REASON_KEYS.map(|key| (key, s.numbers(key)));
    s.ours();
    let each = |(key, rules): (&'static str, Vec<String>)| {
        (!rules.is_empty()).then(|| ReasonRule { key, rules, is_ours: s.is_ours(key) })
    };
    said.into_iter().filter_map(each).collect()
}

/// Rules for people overseas: one for each day on which one begins.
fn overseas(top: &Section<'_, '_>) -> Vec<Abroad> {
    let mut all: Vec<Abroad> = Vec::new();
    for s in &top.sections("overseas") {
        let one = abroad(s);
        if all.iter().any(|earlier| earlier.from == one.from) {
            s.twice("from", &one.from.map_or("from".to_owned(), |from| from.to_string()));
        }
        all.push(one);
    }
    all
}

fn late(s: &Section<'_, '_>) -> Late {
    Late {
        suspend: s.flag("suspend", false),
        basis: s.text_or_none("basis"),
        resume: s.word_or_none("resume"),
        backpay: s.flag("backpay", false),
        handover: s.text_or_none("handover"),
        rules: s.rules(),
    }
}

fn method(s: &Section<'_, '_>) -> Option<MethodRule> {
    let method = s.word("id");
    let rule = MethodRule {
        method: method.unwrap_or(crate::benefit::Method::Window),
        counts: s.flag("counts", true),
        needs_model: s.flag("needs_model", false),
        report_required: s.flag("report_required", false),
        advise: s.word_or_none("advise"),
        only_if_failed: s.words("only_if_failed"),
        abodes: s.words("abodes"),
        two_person: s.flag("two_person", false),
        supervisor: s.flag("supervisor", false),
        digit_strings: s.number_or_none("digit_strings", 1..=20).map(small),
        repeat: s.word_or_none("repeat"),
        rules: s.rules(),
    };
    method.map(|_| rule)
}

fn model(s: Option<&Section<'_, '_>>) -> Model {
    Model {
        steps: s.map(|s| s.some_words("steps")).unwrap_or_default(),
        max_uploads: small(s.map_or(3, |s| s.number_or("max_uploads", 1..=20, 3))),
        review_days: s.and_then(|s| s.number_or_none("review_days", 0..=365)).map(small),
        counts_as_success: s.is_some_and(|s| s.flag("counts_as_success", false)),
        bring: s.map(|s| s.texts("bring")).unwrap_or_default(),
        rules: s.map(Section::rules).unwrap_or_default(),
    }
}

fn appeal(s: Option<&Section<'_, '_>>) -> Appeal {
    Appeal {
        who: s
            .map(|s| s.some_words("who"))
            .unwrap_or_else(|| vec![super::Actor::OperatorAndSupervisor]),
        counts_as_success: s.is_some_and(|s| s.flag("counts_as_success", false)),
        review_days: s.and_then(|s| s.number_or_none("review_days", 0..=365)).map(small),
        on_reject: s
            .and_then(|s| s.text_or_none("on_reject"))
            .unwrap_or_else(|| DEFAULT_ON_REJECT.to_owned()),
        rules: s.map(Section::rules).unwrap_or_default(),
    }
}

fn home_visit(s: Option<&Section<'_, '_>>) -> HomeVisitRule {
    HomeVisitRule {
        reported_by: s.map(|s| s.some_words("reported_by")).unwrap_or_default(),
        rules: s.map(Section::rules).unwrap_or_default(),
    }
}

fn liveness(s: Option<&Section<'_, '_>>) -> Liveness {
    let found = Liveness {
        passive: s.is_none_or(|s| s.flag("passive", true)),
        actions: s.map(|s| s.words("actions")).unwrap_or_default(),
        n_actions: small(s.map_or(0, |s| s.number_or("n_actions", 0..=4, 0))),
        timeout_s: small(s.map_or(10, |s| s.number_or("timeout_s", 3..=120, 10))),
        exempt: s.map(|s| s.words("exempt")).unwrap_or_default(),
        rules: s.map(Section::rules).unwrap_or_default(),
    };
    if let Some(s) = s.filter(|_| usize::from(found.n_actions) > found.actions.len()) {
        let words =
            Words::new("n_actions 多于 actions", "n_actions is more than there are actions");
        s.fault("n_actions", "wrong-value", words);
    }
    if let Some(s) = s.filter(|_| !found.passive && found.n_actions == 0) {
        let words = Words::new(
            "既不做静默检测也不要求动作，照片也能通过",
            "neither a passive check nor an action: a photograph would pass",
        );
        s.fault("passive", "wrong-value", words);
    }
    found
}

fn limits(s: Option<&Section<'_, '_>>) -> Limits {
    let number =
        |key, most, otherwise| s.map_or(otherwise, |s| s.number_or(key, 1..=most, otherwise));
    let usual = SignInLimits::default();
    let limits = Limits {
        tries: small(number("tries", 20, 3)),
        sign_in: SignInLimits {
            pin_tries: small(number("operator_pin_tries", 20, usual.pin_tries.into())),
            lock_h: small(number("operator_lock_h", 720, usual.lock_h.into())),
        },
        social_card_pin: s.is_some_and(|s| s.flag("social_card_pin", false)),
    };
    if let Some(s) = s {
        s.rules();
    }
    limits
}

fn fix(s: Option<&Section<'_, '_>>) -> Fix {
    Fix {
        places: s
            .map(|s| s.some_words("where"))
            .unwrap_or_else(|| vec![super::FixPlace::AgencyWindow]),
        effective_after_days: s
            .and_then(|s| s.number_or_none("effective_after_days", 0..=60))
            .map(small),
        rules: s.map(Section::rules).unwrap_or_default(),
    }
}

fn material(s: &Section<'_, '_>) -> Option<Material> {
    let case = s.word("case");
    let rest = Material {
        case: case.unwrap_or(super::Case::Late),
        form: s.text_or_none("form"),
        copies: small(s.number_or("copies", 0..=9, 0)),
        id_copies: small(s.number_or("id_copies", 0..=9, 0)),
        stamp: s.text_or_none("stamp"),
        also: s.texts("also"),
        download: s.text_or_none("download"),
        rules: s.rules(),
    };
    case.map(|_| rest)
}

fn notify(s: Option<&Section<'_, '_>>) -> Notify {
    Notify {
        sms: s.and_then(|s| s.word_or_none("sms")).unwrap_or(Sms::None),
        next_date: s.is_none_or(|s| s.flag("next_date", true)),
        ask_phone: s.is_some_and(|s| s.flag("ask_phone", false)),
        rules: s.map(Section::rules).unwrap_or_default(),
    }
}

fn abroad(s: &Section<'_, '_>) -> Abroad {
    Abroad {
        rule: s.text("rule"),
        from: s.day_or_none("from"),
        ways: s.some_texts("ways"),
        list_to: s.text_or_none("list_to"),
        rules: s.rules(),
    }
}

fn message(s: &Section<'_, '_>) -> Option<AppMessage> {
    let (text, causes, rules) = (s.text("app_text"), s.some_words("causes"), s.rules());
    Some(AppMessage { text, causes, rules })
}

/// A site rests on no rule of its own: that there are lists of them, and gaps in the lists, is R110.
fn site(s: &Section<'_, '_>) -> Option<Site> {
    Some(Site {
        name: s.text("name"),
        address: s.text_or_none("address"),
        phone: s.text_or_none("phone"),
        hours: s.text_or_none("hours"),
    })
}

/// A number that its range check has already made fit.
pub(super) fn small<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

/// A pack of a whole province with all its sites is a tenth of it.
pub const BYTES_MAX: usize = 256 * 1024;
const SYNTAX_FAULTS_MAX: usize = 10;
const MONTH_DAYS: i64 = 28;
/// What a pack may hold at its top.
const TOP_KEYS: [&str; 32] = [
    "pack",
    "version",
    "title",
    "title_en",
    "valid_from",
    "source",
    "signer",
    "supersedes",
    "hotlines",
    "app",
    "scope",
    "schedule",
    "pre_approval",
    "ages",
    "reasons",
    "late",
    "methods",
    "escalation",
    "model",
    "appeal",
    "home_visit",
    "liveness",
    "limits",
    "fix",
    "materials",
    "notify",
    "hkmotw",
    "overseas",
    "away",
    "messages",
    "sites",
    "examples",
];
/// Keys of `[schedule]` that make the calendar.
const CALENDAR_KEYS: [&str; 11] = [
    "kind",
    "months",
    "count",
    "windows",
    "from",
    "to",
    "start",
    "deadline",
    "anchor",
    "months_before",
    "months_after",
];
/// Why nothing is owed now, as [`super::NotRequiredReason`] names it, and why nobody has to come during a review.
const REASON_KEYS: [&str; 6] =
    ["not_in_scheme", "duplicate_benefit", "not_added", "not_approved", "ended", "under_review"];
const ID_PARTS_MIN: usize = 3;
const NEW_YEAR: MonthDay = MonthDay { month: 1, day: 1 };
const DEFAULT_REMIND_DAYS: i64 = 30;
const DEFAULT_OPEN_DAYS: i64 = 90;
const DEFAULT_ON_REJECT: &str = "携带证明到社保经办机构窗口办理";
