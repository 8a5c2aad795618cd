//! A pack that holds, in the words of a clerk: all that the terminal understood, and what nobody has confirmed.

use std::fmt::Write;

use super::words::{cited, schedule, span};
use super::{Abroad, MethodRule, Pack, SignInLimits, UNCONFIRMED, Words};
use crate::benefit::{Insurance, Word};

/// A page of lines, each about one table of the pack.
struct Page<'p> {
    pack: &'p Pack,
    text: String,
}

/// The whole pack, a line for each thing that it says.
pub(super) fn describe(pack: &Pack) -> String {
    let head = format!("{}（{} 第{}版）\n", pack.title, pack.id, pack.version);
    let mut page = Page { pack, text: head };
    page.whom();
    page.when();
    page.how();
    page.failures();
    page.afterwards();
    page.elsewhere();
    page.help();
    page.line("算例", &format!("{} 个，全部相符", pack.examples.len()), "");
    if !pack.unconfirmed.is_empty() {
        page.line(
            "暂定",
            &format!("通知没有写、待经办机构确认的项：{}", pack.unconfirmed.join("、")),
            "",
        );
    }
    page.text
}

impl Page<'_> {
    /// A line, with a mark if the key of this path, or any in the table of this path, is not from the notice.
    fn line(&mut self, head: &str, words: &str, path: &str) {
        let ours = self.pack.unconfirmed.iter().filter(|_| !path.is_empty());
        let keys: Vec<&str> = ours.filter_map(|known| known.strip_prefix(path)).collect();
        let mark = match (keys.is_empty(), path.ends_with('.') && !keys.contains(&"id")) {
            (true, _) => String::new(),
            (false, true) => format!("（其中 {} 暂定，待经办机构确认）", keys.join("、")),
            (false, false) => UNCONFIRMED.to_owned(),
        };
        writeln!(self.text, "  {head}：{words}{mark}").expect("a String takes all");
    }

    fn whom(&mut self) {
        let pack = self.pack;
        let scope = &pack.scope;
        self.line("依据", &pack.source, "");
        self.line("施行", &super::date(pack.valid_from), "");
        if let Some(old) = pack.supersedes {
            self.line("取代", &format!("第{old}版"), "");
        }
        if let Some(signer) = &pack.signer {
            self.line("签发", signer, "");
        }
        let insurance: Insurance = scope.insurance;
        let place = format!(
            "{}（{}），{}，{}",
            scope.region_name,
            scope.region,
            scope.agency,
            insurance.zh()
        );
        self.line("范围", &place, "");
        let groups: Vec<&str> = scope.groups.iter().map(|group| group.zh()).collect();
        self.line("人群", &(groups.join("、") + &rules(&scope.rules)), "scope.groups");
        let sites = if scope.accepts_other_sites {
            "区内任一网点可办"
        } else {
            "只在本网点办"
        };
        self.line("网点", sites, "scope.accepts_other_sites");
        for age in &pack.ages {
            let words = format!("{}，自{}周岁起{}", age.group.zh(), age.from, rules(&age.rules));
            self.line("年龄", &words, &format!("ages.{}.", age.group.id()));
        }
        if let Some(check) = &pack.pre_approval {
            let words = format!("须认证一次，{}个月有效", check.validity_months);
            self.line("核定前", &(words + &rules(&check.rules)), "pre_approval.");
        }
        for reason in &pack.reasons {
            let zh =
                super::NotRequiredReason::from_id(reason.key).map_or("正在审核", |r| r.zh());
            self.line(
                "缘由",
                &(zh.to_owned() + &rules(&reason.rules)),
                &format!("reasons.{}", reason.key),
            );
        }
    }

    fn when(&mut self) {
        let pack = self.pack;
        let calendar = schedule(&pack.calendar).zh + &rules(&pack.calendar_rules);
        let is_ours = pack.calendar_words.zh.ends_with(UNCONFIRMED);
        let mark = if is_ours { UNCONFIRMED } else { "" };
        self.line("日历", &(calendar + mark), "");
        for year in &pack.calendar.overrides {
            let spans: Vec<String> = year.windows.iter().map(|w| span(w).zh).collect();
            self.line(
                "年度",
                &format!("{}年 {}（{}）", year.year, spans.join("、"), year.note),
                "",
            );
        }
        self.line("重复", pack.repeat.zh(), "schedule.repeat");
        let remind = format!("到期前 {} 天", pack.remind_days_before);
        self.line("提醒", &remind, "schedule.remind_days_before");
    }

    fn how(&mut self) {
        let pack = self.pack;
        for rule in &pack.methods {
            let conditions = conditions(rule).zh + &rules(&rule.rules);
            let path = format!("methods.{}.", rule.method.id());
            self.line("方式", &format!("{}，{conditions}", rule.method.zh()), &path);
        }
        let live = &pack.liveness;
        let mut words =
            String::from(if live.passive { "静默检测" } else { "不做静默检测" });
        if live.n_actions > 0 {
            let (n, all) = (live.n_actions, names(&live.actions, |action| action.zh()));
            words += &format!("，{all}中做 {n} 个动作，限 {} 秒", live.timeout_s);
        }
        if !live.exempt.is_empty() {
            words += &format!("，{}免动作", names(&live.exempt, |condition| condition.zh()));
        }
        self.line("活体", &(words + &rules(&live.rules)), "liveness.");
        self.line("每次办理", &format!("每种方式最多 {} 次", pack.limits.tries), "limits.tries");
        let SignInLimits { pin_tries, lock_h } = pack.limits.sign_in;
        let words = format!("密码错 {pin_tries} 次锁定 {lock_h} 小时");
        self.line("经办登录", &words, "limits.operator");
        if pack.limits.social_card_pin {
            self.line("社保卡", "锁定的社保卡请本人输入密码", "limits.social_card_pin");
        }
    }

    fn failures(&mut self) {
        let pack = self.pack;
        let steps: Vec<&str> = pack.escalation.iter().map(|step| step.zh()).collect();
        if !steps.is_empty() {
            self.line("不通过时", &steps.join(" → "), "escalation.");
        }
        self.line("建模", &model(pack), "model.");
        let who = names(&pack.appeal.who, |actor| actor.zh()).replace('、', "或");
        let means = if pack.appeal.counts_as_success { "即算认证" } else { "后再认证" };
        let days = pack.appeal.review_days.map_or(String::new(), |n| format!("，{n} 天内答复"));
        let refused = &pack.appeal.on_reject;
        let words = format!("{who}提出{days}，通过{means}，不通过的{refused}");
        self.line("申诉", &(words + &rules(&pack.appeal.rules)), "appeal.");
        let visit = &pack.home_visit;
        if !visit.reported_by.is_empty() {
            let who = names(&visit.reported_by, |actor| actor.zh());
            self.line("上门", &format!("由{who}上报{}", rules(&visit.rules)), "home_visit.");
        }
        if pack.late.suspend {
            let basis = pack.late.basis.as_deref().unwrap_or("本策略");
            let words = format!("停发（依据：{basis}），{}", pack.late.words().zh);
            self.line("逾期", &(words + &rules(&pack.late.rules)), "late.");
        }
    }

    fn afterwards(&mut self) {
        let pack = self.pack;
        let mut words = pack.notify.sms.zh().to_owned();
        if pack.notify.next_date {
            words += "，写明下次日期";
        }
        if pack.notify.ask_phone {
            words += "，登记手机号";
        }
        self.line("短信", &(words + &rules(&pack.notify.rules)), "notify.");
        let mut words = names(&pack.fix.places, |place| place.zh());
        if let Some(days) = pack.fix.effective_after_days {
            words += &format!("，{days} 天后生效");
        }
        self.line("更正信息", &(words + &rules(&pack.fix.rules)), "fix.");
        for paper in &pack.materials {
            let mut words = paper.case.zh().to_owned();
            if let Some(form) = &paper.form {
                words += &format!("，《{form}》{} 份", paper.copies);
            }
            if paper.id_copies > 0 {
                words += &format!("，身份证复印件 {} 份", paper.id_copies);
            }
            if let Some(stamp) = &paper.stamp {
                words += &format!("，{stamp}盖章");
            }
            for more in &paper.also {
                words += &format!("，{more}");
            }
            if let Some(place) = &paper.download {
                words += &format!("，表格见{place}");
            }
            let path = format!("materials.{}.", paper.case.id());
            self.line("材料", &(words + &rules(&paper.rules)), &path);
        }
    }

    fn elsewhere(&mut self) {
        let pack = self.pack;
        let away = pack.away.as_ref().map(|told| ("异地", told, "away."));
        let hkmotw = pack.hkmotw.as_ref().map(|told| ("港澳台", told, "hkmotw."));
        for (head, told, path) in away.into_iter().chain(hkmotw) {
            self.line(head, &abroad(told), path);
        }
        for told in &pack.overseas {
            self.line("境外", &abroad(told), &format!("overseas.{}.", told.rule));
        }
    }

    fn help(&mut self) {
        let pack = self.pack;
        for message in &pack.messages {
            let causes = names(&message.causes, |cause| cause.zh());
            let words = format!("“{}”：{causes}{}", message.text, rules(&message.rules));
            self.line("手机提示", &words, &format!("messages.{}.", message.text));
        }
        for site in &pack.sites {
            let gap = || "未知".to_owned();
            let words = format!(
                "{}，地址{}，电话{}，时间{}",
                site.name,
                site.address.clone().unwrap_or_else(gap),
                site.phone.clone().unwrap_or_else(gap),
                site.hours.clone().unwrap_or_else(gap)
            );
            self.line("办理点", &words, "");
        }
        if !pack.hotlines.is_empty() {
            self.line("电话", &pack.hotlines.join("、"), "");
        }
        if let Some(app) = &pack.app {
            self.line("手机软件", app, "");
        }
    }
}

/// How a way counts and what it takes.
pub(super) fn conditions(rule: &MethodRule) -> Words {
    let mut words = match rule.counts {
        true => Words::new("有效", "counts"),
        false => Words::new("不作为认证", "is no certification"),
    };
    let mut add = |holds: bool, zh: &str, en: &str| {
        if holds {
            words.zh += &format!("，{zh}");
            words.en += &format!(", {en}");
        }
    };
    add(rule.report_required, "须上报后生效", "once it is reported");
    add(rule.needs_model, "须先建模", "needs a reference");
    let failed = names(&rule.only_if_failed, |method| method.zh());
    let failed_en = names(&rule.only_if_failed, |method| method.en());
    let after = format!("only after {failed_en} has failed");
    add(!rule.only_if_failed.is_empty(), &format!("{failed}不成功时"), &after);
    if let Some(n) = rule.digit_strings {
        add(true, &format!("念数字 {n} 组"), &format!("{n} strings of digits"));
    }
    let there = names(&rule.abodes, |abode| abode.zh());
    let there_en = names(&rule.abodes, |abode| abode.en());
    add(
        !rule.abodes.is_empty(),
        &format!("限{there}居住"),
        &format!("for whoever lives {there_en}"),
    );
    add(rule.two_person, "须两人在场", "takes two people");
    add(rule.supervisor, "须主管同意", "takes a supervisor");
    if let Some(advice) = rule.advise {
        add(true, advice.zh(), advice.en());
    }
    words
}

fn model(pack: &Pack) -> String {
    let model = &pack.model;
    let mut words =
        format!("{}，最多 {} 次", names(&model.steps, |step| step.zh()), model.max_uploads);
    if !model.bring.is_empty() {
        words += &format!("，须出示{}", model.bring.join("、"));
    }
    if let Some(days) = model.review_days {
        words += &format!("，不成的人工审核 {days} 天");
    }
    words += if model.counts_as_success {
        "，审核通过即算认证"
    } else {
        "，建模后另须认证"
    };
    words + &rules(&model.rules)
}

fn abroad(told: &Abroad) -> String {
    let from = told.from.map_or(String::new(), |day| format!("{}起，", super::date(day)));
    let list = told.list_to.as_ref().map_or(String::new(), |to| format!("；名单报{to}"));
    format!("{from}{}：{}{list}{}", told.rule, told.ways.join("；"), rules(&told.rules))
}

fn rules(rules: &[String]) -> String {
    cited(rules).zh
}

fn names<T: Word>(all: &[T], name: impl Fn(T) -> &'static str) -> String {
    all.iter().map(|one| name(*one)).collect::<Vec<_>>().join("、")
}
