//! All packs of the reference, what an author is told, and properties that hold for every pack and date.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::benefit::{Entitlement, Stage, Success};
use crate::moment::Doubt;

mod author;
mod clerk;

const PACKS: [&str; 9] = [
    include_str!("../../../policy/cn.gd.province.resident_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.enterprise_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.resident_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.unemployment.toml"),
    include_str!("../../../policy/cn.nm.region.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sn.province.institution_pension.toml"),
    include_str!("../../../policy/cn.sn.xian.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sx.jinzhong.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sx.province.enterprise_pension.toml"),
];

/// The packs of the reference, read once.
pub(crate) fn all() -> &'static PackSet {
    static SET: std::sync::OnceLock<PackSet> = std::sync::OnceLock::new();
    SET.get_or_init(read_all)
}

fn read_all() -> PackSet {
    let told = |faults: Vec<PackFault>| faults.iter().map(|f| format!("{f}\n")).collect::<String>();
    PackSet::from_packs(
        PACKS.map(|text| Pack::parse(text).unwrap_or_else(|faults| panic!("{}", told(faults)))),
    )
}

#[test]
fn all_nine_packs_load_and_their_examples_hold() {
    check_list(&expect![[r#"
        cn.gd.province.resident_pension v1 440000 resident_pension | 每个自然年度认证一次（暂定，待经办机构确认） | 8 examples
        cn.he.tangshan.enterprise_pension v2 130200 enterprise_pension | 每年4月1日至5月31日认证一次 | 14 examples
        cn.he.tangshan.resident_pension v2 130200 resident_pension | 每年4月1日至5月31日、11月1日至12月31日各认证一次 | 10 examples
        cn.he.tangshan.unemployment v2 130200 unemployment | 每月1日至20日认证一次 | 12 examples
        cn.nm.region.enterprise_pension v3 150000 enterprise_pension | 每年10月31日前认证一次 | 15 examples
        cn.sn.province.institution_pension v2 610000 institution_pension | 每个自然年度认证一次 | 14 examples
        cn.sn.xian.enterprise_pension v2 610100 enterprise_pension | 每个自然年度认证一次 | 8 examples
        cn.sx.jinzhong.enterprise_pension v1 140700 enterprise_pension | 认证一次，有效期12个月（暂定，待经办机构确认） | 8 examples
        cn.sx.province.enterprise_pension v2 140000 enterprise_pension | 认证一次，有效期12个月 | 18 examples
    "#]]);
}

fn check_list(expect: &Expect) {
    let lines = list(all()).into_iter().map(|p| {
        format!(
            "{} v{} {} {} | {} | {} examples\n",
            p.pack, p.version, p.region_code, p.benefit, p.schedule, p.n_examples
        )
    });
    expect.assert_eq(&lines.collect::<String>());
}

const NEI_MENGGU: &str = PACKS[4];

#[test]
fn an_author_is_told_every_fault_with_its_line() {
    check_faults(
        &[("repeat = ", "repaet = ")],
        &expect![[r#"
        25 unknown-key: [schedule] 没有 repaet 这一项，是否想写 repeat | repaet = "allow_no_effect"                    # C2 "at least once"
    "#]],
    );
    check_faults(
        &[("valid_from = \"2019-08-01\"", "valid_from = \"2019-02-29\"")],
        &expect![[r#"
        8 wrong-date: valid_from 不是存在的日期：2019-02-29，应写作 2019-10-31 | valid_from = "2019-02-29"                     # R25
    "#]],
    );
    check_faults(
        &[("deadline = \"10-31\"", "deadline = \"10-32\"")],
        &expect![[r#"
        24 wrong-date: deadline 不是月-日：10-32，应写作 10-31 | deadline = "10-32"                            # R24
    "#]],
    );
    check_faults(
        &[("kind = \"deadline\"", "kind = \"dedline\"")],
        &expect![[r#"
        22 unknown-word: kind 不认识“dedline”，是否想写 deadline；可用：rolling、calendar_year、windows、monthly、deadline、birth_month、half_year | kind = "dedline"                             # R24 C1
    "#]],
    );
    check_faults(
        &[("max_uploads = 3", "max_uploads = 300"), ("rules = [\"R24\"]", "rules = [\"R240\"]")],
        &expect![[r#"
            28 unknown-rule: 没有编号为 R240 的规则 | rules = ["R240"]
            118 out-of-range: max_uploads 应在 1 至 20 之间 | max_uploads = 300                               # R75 C8
        "#]],
    );
    check_faults(
        &[("agency = ", "# agency = "), ("suspend = true", "suspend = \"yes\"")],
        &expect![[r#"
            12 missing-key: [scope] 缺少 agency | [scope]
            54 wrong-type: suspend 应为 true 或 false | suspend = "yes"                                # R26
        "#]],
    );
    check_faults(
        &[("due = \"2020-10-31\"", "due = \"2020-10-30\"")],
        &expect![[r#"
            186 example-fails: 算例不符：due 应为 2020-10-30，算得 2020-10-31 | due = "2020-10-30"
        "#]],
    );
    check_faults(
        &[("expect = \"done\"", "expect = \"finished\"")],
        &expect![[r#"
            185 unknown-word: expect 不认识“finished”；可用：not_required, under_review, done, not_open, due, due_soon, overdue, suspended | expect = "finished"
        "#]],
    );
    check_faults(
        &[("[scope]", "[scope")],
        &expect![[r#"
        12 toml-syntax: TOML 写法有误：unclosed table, expected `]` | [scope
    "#]],
    );
    check_faults(
        &[("id = \"voice\"", "id = \"phone\"")],
        &expect![[r#"
            71 twice: phone 写了两次 | id = "phone"                                  # R83
            113 no-method: 引向 voice，但 [[methods]] 里没有它 | order = ["retry_guided", "remodel", "voice", "window", "appeal", "home_visit", "special"]   # C7
        "#]],
    );
    check_faults(
        &[("supersedes", "supersedes"), ("version = 3", "version = 3\nsupersedes = 3")],
        &expect![[r#"
        6 wrong-value: supersedes 应小于 version | supersedes = 3
    "#]],
    );
}

/// Changes the pack of Inner Mongolia once at each place and shows what its author is told.
fn check_faults(changes: &[(&str, &str)], expect: &Expect) {
    let text =
        changes.iter().fold(NEI_MENGGU.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let report = check(&text);
    assert!(!report.ok && report.pack.is_none());
    let lines =
        report.faults.iter().map(|f| format!("{} {}: {} | {}\n", f.line, f.code, f.zh, f.source));
    expect.assert_eq(&lines.collect::<String>());
}

#[test]
fn an_appeal_of_one_person_is_refused() {
    let (before, rule) = NEI_MENGGU.split_once("id = \"appeal\"").unwrap();
    let alone = rule.replacen("two_person = true", "two_person = false", 1);
    let faults = Pack::parse(&format!("{before}id = \"appeal\"{alone}")).unwrap_err();
    assert_eq!((faults[0].code, faults.len()), ("wrong-value", 1));
}

#[test]
fn operators_are_locked_by_the_strictest_of_the_packs() {
    let limits = |more: &str| {
        let text = NEI_MENGGU.replace("[limits]", &format!("[limits]\n{more}"));
        let pack = Pack::parse(&text.replace("version = 3", "version = 4")).unwrap();
        let SignInLimits { pin_tries, lock_h } =
            PackSet::from_packs(all().editions().cloned().chain([pack])).sign_in_limits();
        (pin_tries, lock_h)
    };
    assert_eq!(limits(""), (3, 24));
    assert_eq!(limits("operator_pin_tries = 2\noperator_lock_h = 1"), (2, 24));
    assert_eq!(limits("operator_pin_tries = 9\noperator_lock_h = 48"), (3, 48));
}

#[test]
fn overlapping_windows_are_refused() {
    let text = PACKS[2]
        .replace("[\"11-01\", \"12-31\"]]   # R23\nrepeat", "[\"05-31\", \"12-31\"]]\nrepeat");
    let faults = Pack::parse(&text).unwrap_err();
    assert_eq!((faults[0].code, faults.len()), ("windows-overlap", 1));
}

#[test]
fn the_author_of_a_good_pack_reads_what_the_terminal_understood() {
    expect![[r#"
        内蒙古自治区本级企业职工养老保险（cn.nm.region.enterprise_pension 第3版）
          依据：内蒙古自治区本级2019年认证通知（S4）
          施行：2019年8月1日
          范围：内蒙古自治区（150000），自治区本级社会保险经办机构，企业职工养老保险
          人群：离退休人员（R1、C25）
          网点：区内任一网点可办
          年龄：离退休人员，自45周岁起（R8）（其中 from 暂定，待经办机构确认）
          缘由：不属于本险种待遇领取人员（R18）（暂定，待经办机构确认）
          缘由：重复领取待遇，须先清退（R17）（暂定，待经办机构确认）
          缘由：尚未办理人员新增，须先到窗口办理（R6）（暂定，待经办机构确认）
          缘由：待遇尚未核定，核定后再认证（R1）（暂定，待经办机构确认）
          缘由：待遇已终止（R18）（暂定，待经办机构确认）
          缘由：正在审核（R125）（暂定，待经办机构确认）
          日历：每年10月31日前认证一次（R24）
          年度：2019年 8月1日至10月31日（通知内8月至11月与10月31日两处不一致，取较早者）
          重复：可再次认证，期限不变
          提醒：到期前 30 天（暂定，待经办机构确认）
          方式：人脸与身份证照片比对，有效（R16、R98）
          方式：人脸与已建模型比对，有效，须先建模（R78）
          方式：手机自助认证，有效（R31）
          方式：声纹，有效，人脸与已建模型比对不成功时，念数字 5 组（R82、R83、R84）
          方式：数据比对，有效（R31）
          方式：窗口认证，有效（R16）
          方式：上门认证，有效，须两人在场（R15）（其中 two_person 暂定，待经办机构确认）
          方式：特殊认证，有效，须主管同意（R91）（暂定，待经办机构确认）
          方式：书面生存证明，有效，限港澳台居住（R11、C18）（暂定，待经办机构确认）
          方式：指静脉，有效，限港澳台居住（R11、R87、C18）（暂定，待经办机构确认）
          方式：指纹，不作为认证（C19）
          方式：申诉通过，不作为认证，须两人在场（R89、C6）（暂定，待经办机构确认）
          活体：静默检测，张嘴、摇头中做 1 个动作，限 15 秒，耳聋、痴呆、卧床、失明、面部变形免动作（R62、C20）（其中 passive 暂定，待经办机构确认）
          每次办理：每种方式最多 3 次
          经办登录：密码错 3 次锁定 24 小时
          不通过时：按提示再试一次 → 重新建模 → 改用声纹 → 到窗口认证 → 申诉 → 上门认证 → 特殊认证
          建模：身份证人像面、身份证国徽面、手持身份证、正面人脸，最多 3 次，不成的人工审核 7 天，建模后另须认证（R72、R75、R76、R78）
          申诉：经办人员与主管提出，7 天内答复，通过后再认证，不通过的携带证明到社保经办机构窗口办理（R89、C6、C26）
          逾期：停发（依据：人社厅发〔2018〕107号 第十九条），认证后恢复发放并补发（R26、C24）
          短信：不发短信，写明下次日期（C21、R29）
          更正信息：社保经办机构窗口，1 天后生效（R30、C10）（其中 where、effective_after_days 暂定，待经办机构确认）
          港澳台：山西（民生山西）答疑第十二条（本地通知未写，暂参照）：持大陆居民身份证认证；以港澳台居民身份证件申领社保卡的，持该证件认证；由当地官方社会保险机构按年度出具生存状况证明，或指静脉比对（R9、R10、R11、C18）（其中 rule、ways 暂定，待经办机构确认）
          手机提示：“人脸建模审核未通过”：现在相貌与证件照差异大、系统中没有可比对的照片（R64、R76）
          手机提示：“您的语音建模审核未通过”：尚未建模（R82）
          手机提示：“暂不支持苹果手机”：手机或系统不支持（R118）
          手机软件：内蒙社保
          算例：15 个，全部相符
          暂定：通知没有写、待经办机构确认的项：schedule.remind_days_before、methods.home_visit.two_person、methods.special.id、methods.special.supervisor、methods.paper_statement.id、methods.finger_vein.id、methods.appeal.id、methods.appeal.two_person、ages.retiree.from、liveness.passive、reasons.not_in_scheme、reasons.duplicate_benefit、reasons.not_added、reasons.not_approved、reasons.ended、reasons.under_review、fix.where、fix.effective_after_days、hkmotw.rule、hkmotw.ways
    "#]]
    .assert_eq(&check(NEI_MENGGU).text);
}

#[test]
fn hostile_text_is_refused_and_breaks_nothing() {
    for text in [
        "",
        "\0",
        "pack",
        "[[examples]]\n",
        "pack = 1\nscope = 2\nschedule = []\nmethods = {}",
        &"a=1\n".repeat(90_000),
    ] {
        assert!(!check(text).ok);
    }
    for cut in (0..NEI_MENGGU.len()).step_by(97).filter(|at| NEI_MENGGU.is_char_boundary(*at)) {
        check(&NEI_MENGGU[..cut]);
    }
}

#[test]
fn every_line_of_every_pack_names_its_rule() {
    for text in PACKS {
        let mut in_example = false;
        for (n, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                in_example = line.starts_with("[[examples]]");
            }
            let Some((key, rest)) =
                line.split_once(" = ").filter(|_| !in_example && !line.starts_with('#'))
            else {
                continue;
            };
            let plain = ["pack", "version", "title", "title_en", "source", "rules", "ours", "name"]
                .contains(&key);
            let cited = rest
                .split_once("# ")
                .is_some_and(|(_, why)| why.starts_with(['R', 'C']) || why.starts_with("ours"));
            assert!(
                plain || cited,
                "{}: {}: {line}",
                text.lines().next().unwrap_or_default(),
                n + 1
            );
        }
    }
}

#[test]
fn a_person_is_explained_to_a_clerk() {
    let day = |text: &str| text.parse().unwrap();
    let someone = Question {
        last: Some(day("2019-10-05")),
        last_method: Some(Method::FaceModel),
        ..Question::default()
    };
    let pack = all().get("cn.nm.region.enterprise_pension").unwrap();
    expect![[r#"
        pack     cn.nm.region.enterprise_pension v3  内蒙古自治区本级企业职工养老保险
        state    done 本期已认证
        opens    2020-01-01
        due      2020-10-31
        now      yes 现在可以办理
        reason   每年10月31日前认证一次（R24）；已于2019年10月5日认证（人脸与已建模型比对），下次最迟2020年10月31日。
                 once a year until 31 Oct (R24); done on 2019-10-05 (face against the enrolled model), next by 2020-10-31
        repeat   allow_no_effect 可再次认证，期限不变
                 allowed, changes nothing
        methods  face_id_photo, face_model, phone, voice, data_match, window, home_visit, special
        rules    R24
    "#]].assert_eq(&explain(pack, &someone, day("2019-10-20")).to_text());
    expect![[r#"
        pack     cn.nm.region.enterprise_pension v3  内蒙古自治区本级企业职工养老保险
        state    due 应认证
        opens    2019-08-01
        due      2019-10-31
        now      yes 现在可以办理
        reason   每年10月31日前认证一次（R24）；2019年为8月1日至10月31日：通知内8月至11月与10月31日两处不一致，取较早者；请在2019年10月31日前认证。
                 once a year until 31 Oct (R24); in 2019: 1 Aug to 31 Oct (the notice names both August to November and 31 October; the earlier end holds); due by 2019-10-31
        repeat   allow_no_effect 可再次认证，期限不变
                 allowed, changes nothing
        methods  face_id_photo, face_model, phone, voice, data_match, window, home_visit, special
        rules    R24
    "#]].assert_eq(&explain(pack, &Question::default(), day("2019-09-01")).to_text());
    let late = Question { last: Some(day("2018-10-05")), ..Question::default() };
    expect![[r#"
        pack     cn.nm.region.enterprise_pension v3  内蒙古自治区本级企业职工养老保险
        state    overdue 已逾期
        opens    2019-08-01
        due      2019-10-31
        now      yes 现在可以办理
        reason   每年10月31日前认证一次（R24）；2019年为8月1日至10月31日：通知内8月至11月与10月31日两处不一致，取较早者；已过2019年10月31日，现在仍可认证，认证后恢复发放并补发（R26、C24）。
                 once a year until 31 Oct (R24); in 2019: 1 Aug to 31 Oct (the notice names both August to November and 31 October; the earlier end holds); was due on 2019-10-31, can still be certified now, payment resumes after the success with back pay (R26, C24)
        repeat   allow_no_effect 可再次认证，期限不变
                 allowed, changes nothing
        methods  face_id_photo, face_model, phone, voice, data_match, window, home_visit, special
        rules    R24, R26, C24
    "#]].assert_eq(&explain(pack, &late, day("2019-11-01")).to_text());
    let young = Question { born: Some(day("1999-10-05")), ..Question::default() };
    expect![[r#"
        pack     cn.nm.region.enterprise_pension v3  内蒙古自治区本级企业职工养老保险
        state    not_required 不需要认证
        opens    -
        due      -
        now      no 现在不能办理
        reason   未到领取待遇年龄，不需要认证（R8）；自45周岁起（暂定，待经办机构确认）。
                 below the age, nothing is required (R8); from the age of 45 on (ours, to be confirmed by the agency)
        methods  -
        rules    R8
    "#]]
    .assert_eq(&explain(pack, &young, day("2019-11-01")).to_text());
    let pack = all().get("cn.sx.province.enterprise_pension").unwrap();
    expect![[r#"
        pack     cn.sx.province.enterprise_pension v2  山西省本级企业职工养老保险
        state    due_soon 即将到期
        opens    2019-07-07
        due      2019-10-05
        now      yes 现在可以办理
        reason   认证一次，有效期12个月（R19）；请在2019年10月5日前认证。
                 one certification is valid for 12 months (R19); due by 2019-10-05
        repeat   allow_extend 可再次认证，有效期顺延
                 allowed, extends the validity
        methods  face_id_photo, face_model, phone, fingerprint_model, appeal, special, home_visit, data_match, window
        rules    R19
    "#]].assert_eq(&explain(pack, &late, day("2019-10-05")).to_text());
}

/// One line a day: state, first and last day.
fn check_days(pack: &str, question: &Question, days: &[&str], expect: &Expect) {
    let pack = all().get(pack).unwrap();
    let line = |day: &&str| {
        let found = explain(pack, question, day.parse().unwrap());
        let [opens, due] = [found.opens, found.due].map(|day| day.unwrap_or("-".into()));
        let may = if found.may_certify { "" } else { " not now" };
        format!("{day} {} {opens} {due}{may}\n", found.state)
    };
    expect.assert_eq(&days.iter().map(line).collect::<String>());
}

#[test]
fn somebody_who_was_never_certified_is_not_sent_away_after_the_last_day() {
    let nobody = Question::default();
    check_days(
        "cn.he.tangshan.enterprise_pension",
        &nobody,
        &["2020-03-31", "2020-04-01", "2020-05-31", "2020-06-01", "2020-12-31", "2019-04-30"],
        &expect![[r#"
            2020-03-31 not_open 2020-04-01 2020-05-31 not now
            2020-04-01 due 2020-04-01 2020-05-31
            2020-05-31 due_soon 2020-04-01 2020-05-31
            2020-06-01 overdue 2020-04-01 2020-05-31
            2020-12-31 overdue 2020-04-01 2020-05-31
            2019-04-30 not_open 2019-05-01 2019-06-30 not now
        "#]],
    );
    check_days(
        "cn.he.tangshan.resident_pension",
        &nobody,
        &["2020-01-01", "2020-05-31", "2020-06-01", "2020-10-31", "2020-11-01", "2021-01-01"],
        &expect![[r#"
            2020-01-01 not_open 2020-04-01 2020-05-31 not now
            2020-05-31 due_soon 2020-04-01 2020-05-31
            2020-06-01 overdue 2020-04-01 2020-05-31
            2020-10-31 overdue 2020-04-01 2020-05-31
            2020-11-01 due 2020-11-01 2020-12-31
            2021-01-01 not_open 2021-04-01 2021-05-31 not now
        "#]],
    );
    check_days(
        "cn.he.tangshan.unemployment",
        &nobody,
        &["2020-02-01", "2020-02-20", "2020-02-21", "2020-02-29", "2020-03-01"],
        &expect![[r#"
            2020-02-01 due 2020-02-01 2020-02-20
            2020-02-20 due_soon 2020-02-01 2020-02-20
            2020-02-21 overdue 2020-02-01 2020-02-20
            2020-02-29 overdue 2020-02-01 2020-02-20
            2020-03-01 due 2020-03-01 2020-03-20
        "#]],
    );
    check_days(
        "cn.nm.region.enterprise_pension",
        &nobody,
        &["2019-07-31", "2019-08-01", "2019-11-01", "2020-10-31", "2020-11-01", "2021-01-01"],
        &expect![[r#"
            2019-07-31 not_open 2019-08-01 2019-10-31 not now
            2019-08-01 due 2019-08-01 2019-10-31
            2019-11-01 overdue 2019-08-01 2019-10-31
            2020-10-31 due_soon 2020-01-01 2020-10-31
            2020-11-01 overdue 2020-01-01 2020-10-31
            2021-01-01 due 2021-01-01 2021-10-31
        "#]],
    );
    check_days(
        "cn.sn.xian.enterprise_pension",
        &nobody,
        &["2020-01-01", "2020-12-31"],
        &expect![[r#"
            2020-01-01 due 2020-01-01 2020-12-31
            2020-12-31 due_soon 2020-01-01 2020-12-31
        "#]],
    );
}

#[test]
fn what_does_not_count_here_settles_nothing() {
    let finger = Question {
        last: Some(Date::constant(2020, 3, 3)),
        last_method: Some(Method::FingerprintModel),
        ..Question::default()
    };
    let today = Date::constant(2020, 4, 4);
    let pack = all().get("cn.sn.province.institution_pension").unwrap();
    expect![[r#"
        pack     cn.sn.province.institution_pension v2  陕西省机关事业单位养老保险
        state    due 应认证
        opens    2020-01-01
        due      2020-12-31
        now      yes 现在可以办理
        reason   每个自然年度认证一次（R20）；请在2020年12月31日前认证；2020年3月3日的指纹在此不作为认证（C19）。
                 once in each natural year (R20); due by 2020-12-31; the fingerprint of 2020-03-03 does not count here (C19)
        repeat   block 本期内不再重复认证
                 refused in the same period
        methods  phone, face_id_photo, face_model, home_visit, window, data_match, appeal, special
        rules    R20, C19
    "#]].assert_eq(&explain(pack, &finger, today).to_text());
    let pack = all().get("cn.sx.province.enterprise_pension").unwrap();
    let asked = Question { by: Some(Method::FaceIdPhoto), ..finger };
    expect![[r#"
        pack     cn.sx.province.enterprise_pension v2  山西省本级企业职工养老保险
        state    done 本期已认证
        opens    2020-12-03
        due      2021-03-03
        now      yes 现在可以办理
        reason   认证一次，有效期12个月（R19）；已于2020年3月3日认证（指纹），下次最迟2021年3月3日。
                 one certification is valid for 12 months (R19); done on 2020-03-03 (fingerprint), next by 2021-03-03
        success  face_id_photo counts, next 2021-04-04：有效；可再次认证，有效期顺延（R88）
                 counts; allowed, extends the validity (R88)
        repeat   allow_extend 可再次认证，有效期顺延
                 allowed, extends the validity
        methods  face_id_photo, face_model, phone, fingerprint_model, appeal, special, home_visit, data_match, window
        rules    R19
    "#]].assert_eq(&explain(pack, &asked, today).to_text());
}

/// What a success on a day would mean, a method a line.
fn check_success(pack: &str, question: &Question, today: &str, expect: &Expect) {
    let pack = all().get(pack).unwrap();
    let methods = [Method::FaceIdPhoto, Method::FingerprintModel, Method::Phone];
    let line = |by: Method| {
        let asked = Question { by: Some(by), ..question.clone() };
        let found = explain(pack, &asked, today.parse().unwrap()).success.unwrap();
        format!("{} {} {}\n", found.method, found.counts, found.next.unwrap_or("-".into()))
    };
    expect.assert_eq(&methods.map(line).concat());
}

#[test]
fn a_success_that_is_none_is_not_said_to_count() {
    let done = Question { last: Some(Date::constant(2020, 3, 3)), ..Question::default() };
    check_success(
        "cn.sn.province.institution_pension",
        &done,
        "2020-04-04",
        &expect![[r#"
        face_id_photo false -
        fingerprint_model false -
        phone false -
    "#]],
    );
    check_success(
        "cn.nm.region.enterprise_pension",
        &done,
        "2020-04-04",
        &expect![[r#"
        face_id_photo true 2021-10-31
        fingerprint_model false -
        phone true 2021-10-31
    "#]],
    );
    let young = Question { born: Some(Date::constant(1999, 1, 1)), ..Question::default() };
    check_success(
        "cn.nm.region.enterprise_pension",
        &young,
        "2020-04-04",
        &expect![[r#"
        face_id_photo false -
        fingerprint_model false -
        phone false -
    "#]],
    );
}

/// A pack with another calendar and nothing but one example, as an agency would write one from its own notice.
fn with_schedule(schedule: &str, example: &str) -> Result<Pack, Vec<PackFault>> {
    let (head, rest) = NEI_MENGGU.split_once("[schedule]").unwrap();
    let (_, rest) = rest.split_once("[[ages]]").unwrap();
    let (body, _) = rest.split_once("[[examples]]").unwrap();
    Pack::parse(&format!(
        "{head}[schedule]\nrules = [\"R19\"]\n{schedule}\n[[ages]]{body}[[examples]]\n{example}\n"
    ))
}

#[test]
fn the_calendars_of_other_cities_can_be_written_and_explained() {
    let half = with_schedule(
        "kind = \"half_year\"",
        "last = \"2024-02-29\"\ntoday = \"2024-06-30\"\nexpect = \"done\"\ndue = \"2024-12-31\"",
    )
    .unwrap();
    let born = with_schedule(
        "kind = \"birth_month\"\nmonths_before = 1",
        "born = \"1952-02-29\"\nlast = \"2023-02-10\"\ntoday = \"2024-02-29\"\nexpect = \"due_soon\"\n\
         due = \"2024-02-29\"",
    )
    .unwrap();
    let told = |pack: &Pack, born: &str, last: &str, today: &str| {
        let question =
            Question { born: born.parse().ok(), last: last.parse().ok(), ..Question::default() };
        let found = explain(pack, &question, today.parse().unwrap());
        let day = |day: Option<String>| day.unwrap_or("-".into());
        format!("{} {} {} {}\n", found.state, day(found.opens), day(found.due), found.reason)
    };
    let mut all = String::new();
    all += &told(&half, "1890-01-01", "-", "2024-07-01");
    all += &told(&half, "-", "2024-12-31", "2024-07-01");
    all += &told(&born, "1952-02-29", "2024-02-29", "2024-03-01");
    all += &told(&born, "1952-02-29", "2024-02-29", "2025-03-01");
    all += &told(&born, "1899-12-31", "-", "2025-12-31");
    all += &told(&born, "-", "2024-06-01", "2025-05-01");
    all += &told(&born, "2030-01-01", "-", "2025-05-01");
    expect![[r#"
        due 2024-07-01 2024-12-31 每半年认证一次（R19）；请在2024年12月31日前认证。
        done 2025-01-01 2025-06-30 每半年认证一次（R19）；已于2024年12月31日认证，下次最迟2025年6月30日；上次认证的日期在今天之后，请核对登记日期和终端日期。
        done 2025-01-01 2025-02-28 每年在出生月份前后认证一次（R19）；已于2024年2月29日认证，下次最迟2025年2月28日。
        overdue 2025-01-01 2025-02-28 每年在出生月份前后认证一次（R19）；已过2025年2月28日，现在仍可认证，认证后恢复发放并补发（R26、C24）。
        due_soon 2025-11-01 2025-12-31 每年在出生月份前后认证一次（R19）；请在2025年12月31日前认证。
        due 2025-05-01 2025-06-30 每年在出生月份前后认证一次（R19）；请在2025年6月30日前认证。（没有给出生日期，按六月推算。）
        not_required - - 未到领取待遇年龄，不需要认证（R8）；自45周岁起（暂定，待经办机构确认）。
    "#]].assert_eq(&all);
    let overridden = with_schedule(
        "kind = \"half_year\"\n[[schedule.overrides]]\nyear = 2020\nnote = \"n\"\n\
         windows = [[\"07-01\", \"02-30\"]]",
        "today = \"2020-08-01\"\nexpect = \"due\"",
    );
    assert_eq!(overridden.unwrap_err()[0].code, "wrong-date");
}

#[test]
fn a_file_in_another_encoding_is_a_fault_with_its_line() {
    let cut = NEI_MENGGU.find("title = \"").unwrap() + 9;
    let bytes = [&NEI_MENGGU.as_bytes()[..cut], b"\xC4\xDA\xC3\xC9\"\n"].concat();
    let report = check_bytes(&bytes);
    let [fault] = &report.faults[..] else { panic!("one fault") };
    assert_eq!((fault.code, fault.line, fault.column), ("not-utf8", 6, 10));
    assert_eq!(check_bytes(NEI_MENGGU.as_bytes()), check(NEI_MENGGU));
    let windows = format!("\u{feff}{}", NEI_MENGGU.replace('\n', "\r\n"));
    assert!(check(&windows).ok, "{}", check(&windows).text);
}

#[test]
fn the_last_good_pack_stays_until_a_better_one_is_proved() {
    let mut set = PackSet::default();
    let good = Signature::Good("agency".to_owned());
    let next = NEI_MENGGU.replacen("version = 3", "version = 4", 1).replacen(
        "2019-08-01",
        "2021-01-01",
        1,
    );
    let signed = NEI_MENGGU.replacen("version = 3", "version = 5\nsigner = \"somebody\"", 1);
    let broken = NEI_MENGGU.replacen("version = 3", "version = 6", 1).replacen(
        "due = \"2020-10-31\"",
        "due = \"2020-01-01\"",
        1,
    );
    let id = "cn.nm.region.enterprise_pension";
    let accepted = |version| Offer::Accepted { pack: id.to_owned(), version };
    assert_eq!(set.offer(NEI_MENGGU, &Signature::Bad), Offer::Unsigned);
    assert_eq!(set.offer(NEI_MENGGU, &good), accepted(3));
    assert!(matches!(set.offer(NEI_MENGGU, &good), Offer::Older { in_force: 3, offered: 3, .. }));
    assert_eq!(set.offer(&signed, &good), Offer::Unsigned);
    assert!(
        matches!(set.offer(&broken, &good), Offer::Faulty(faults) if faults[0].code == "example-fails")
    );
    assert_eq!(set.offer(&next, &good), accepted(4));
    assert_eq!(set.get(id).map(|pack| pack.version), Some(4));
    for (day, version) in [("2019-01-01", 3), ("2020-12-31", 3), ("2021-01-01", 4)] {
        assert_eq!(
            set.on(id, day.parse().unwrap()).map(|pack| pack.version),
            Some(version),
            "{day}"
        );
    }
}

#[test]
fn one_success_settles_every_benefit_that_accepts_it() {
    let drawn = |pack: &str, last: &str, suspended| Entitlement {
        pack: pack.to_owned(),
        last: last.parse().ok().map(|on| Success { on, method: Method::Phone }),
        suspended,
        ..Entitlement::default()
    };
    let all_benefits = [
        drawn("cn.sx.province.enterprise_pension", "2019-04-01", false),
        drawn("cn.sn.province.institution_pension", "2018-02-02", true),
        drawn("cn.he.tangshan.resident_pension", "2020-05-02", false),
        Entitlement {
            stage: Stage::PreApproval,
            ..drawn("cn.sx.province.enterprise_pension", "-", false)
        },
        drawn("cn.nowhere.no.pension", "2018-02-02", true),
    ];
    let born = Date::constant(1950, 1, 1);
    let settled = |method| {
        let day = (Date::constant(2020, 6, 1), Doubt::None);
        let settlement = all().settle(&all_benefits, born, day, method);
        let line = |l: &Settled| {
            let next = l.next.map_or_else(|| "-".to_owned(), |day| day.to_string());
            let resume = l.resume.as_ref().map_or("", |words| &words.zh);
            let advice = l.advice.map_or("", |advice| advice.id());
            let counted = if l.counted { "counts" } else { "does not count" };
            format!(
                "{} {} {counted}, next {next} {} {resume} {advice}\n",
                l.pack,
                l.before.id(),
                l.kind.id()
            )
        };
        let lines: String = settlement.lines.iter().map(line).collect();
        format!("{lines}earliest {}\n", settlement.earliest.unwrap())
    };
    expect![[r#"
        cn.sx.province.enterprise_pension overdue counts, next 2021-06-01 certification 认证后恢复发放并补发 
        cn.sn.province.institution_pension suspended counts, next 2021-12-31 certification 经办机构核实后恢复发放并补发（由经办机构办理） 
        cn.he.tangshan.resident_pension done does not count, next 2020-12-31 certification  
        cn.sx.province.enterprise_pension due counts, next 2021-06-01 pre_approval_identity  
        earliest 2020-12-31
    "#]].assert_eq(&settled(Method::FaceIdPhoto));
    expect![[r#"
        cn.sx.province.enterprise_pension overdue counts, next 2021-06-01 certification 认证后恢复发放并补发 one_phone_check
        cn.sn.province.institution_pension suspended does not count, next 2019-12-31 certification  
        cn.he.tangshan.resident_pension done does not count, next 2020-12-31 certification  
        cn.sx.province.enterprise_pension due counts, next 2021-06-01 pre_approval_identity  one_phone_check
        earliest 2019-12-31
    "#]].assert_eq(&settled(Method::FingerprintModel));
}

#[test]
fn a_site_may_lack_its_phone_number() {
    let pack = all().get("cn.he.tangshan.enterprise_pension").unwrap();
    let office = pack.sites.iter().find(|site| site.name == "友谊街道办事处").unwrap();
    assert_eq!((office.phone.as_deref(), office.address.as_deref()), (None, None));
    assert!(office.hours.is_some() && pack.hotlines.len() > 1);
}

#[test]
fn the_rule_for_people_overseas_is_the_one_of_the_day() {
    let pack = all().get("cn.sn.province.institution_pension").unwrap();
    let rule = |day: &str| pack.overseas_on(day.parse().unwrap()).map(|found| found.rule.as_str());
    assert_eq!(rule("2020-01-01"), Some("人社险中心〔2019〕46号"));
    assert_eq!(rule("2021-05-31"), Some("“中国领事”APP"));
}

proptest! {
    #[test]
    fn a_success_settles_the_period_in_every_pack(born in day(), on in day(), last in any_last(), doubt in doubt()) {
        for pack in all().iter() {
            let before = entitlement(last);
            for rule in &pack.assess(&before, born, on, Doubt::None).methods {
                let after = entitlement(Some(Success { on, method: rule.method }));
                let found = pack.assess(&after, born, on, doubt);
                prop_assert!(matches!(found.state, DueState::Done(_)), "{}: {}", pack.id, found.why);
                prop_assert!(found.due.is_some_and(|due| due >= on), "{}: {}", pack.id, found.why);
                let stood = pack.stand(&before, born, on, Doubt::None);
                let promised = pack.next_due_from(&stood, &before, born, on, rule.method);
                prop_assert!(promised.is_some_and(|due| due >= on));
            }
        }
    }

    #[test]
    fn only_a_way_that_counts_makes_somebody_done(born in day(), on in day(), group in 0..3usize) {
        for pack in all().iter() {
            let group = pack.scope.groups[group % pack.scope.groups.len()].id().to_owned();
            for method in Method::ALL {
                let last = Some(Success { on, method: *method });
                let found = pack.assess(&Entitlement { group: group.clone(), ..entitlement(last) }, born, on, Doubt::None);
                prop_assert_eq!(matches!(found.state, DueState::Done(_)), pack.counts(*method), "{}", found.why);
            }
        }
    }

    #[test]
    fn without_words_the_same_is_found(born in day(), today in any_day(), last in any_last(), doubt in doubt()) {
        for pack in all().iter() {
            let someone = entitlement(last);
            let (found, stand) = (pack.assess(&someone, born, today, doubt), pack.stand(&someone, born, today, doubt));
            prop_assert_eq!((found.state, found.opens, found.due), (stand.state, stand.opens, stand.due));
            for method in Method::ALL {
                let named = found.methods.iter().any(|rule| rule.method == *method);
                prop_assert_eq!(named, pack.counts_for(&someone, *method));
            }
        }
    }

    #[test]
    fn with_time_nobody_gets_less_urgent(born in day(), last in day(), today in day(), later in 0..1500) {
        for pack in all().iter() {
            let someone = entitlement(Some(Success { on: last, method: Method::Phone }));
            let now = pack.assess(&someone, born, today, Doubt::None);
            let then = pack.assess(&someone, born, today.saturating_add(jiff::Span::new().days(later)), Doubt::None);
            prop_assert!(then.state.urgency() <= now.state.urgency(), "{}: {} then {}", pack.id, now.why, then.why);
            prop_assert!(now.due >= Some(last), "{}: due before the last success", pack.id);
        }
    }

    #[test]
    fn doubt_about_the_date_never_refuses(born in day(), today in any_day(), last in any_last(), since in proptest::option::of(any_day())) {
        for pack in all().iter() {
            let someone = Entitlement { retired_on: since, ..entitlement(last) };
            let found = pack.assess(&someone, born, today, Doubt::Doubtful);
            prop_assert!(found.may_certify, "{}: {}", pack.id, found.why);
            prop_assert!(found.why.ends_with('。') && !found.why.contains("；；"));
        }
    }
}

fn day() -> impl Strategy<Value = Date> {
    (1990i16..2080, 1i8..=12, 1i8..=31).prop_map(|(y, m, d)| {
        let first = Date::constant(y, m, 1);
        first.last_of_month().min(first.saturating_add(jiff::Span::new().days(d - 1)))
    })
}

fn any_day() -> impl Strategy<Value = Date> {
    prop_oneof![9 => day(), 1 => (-9000i16..9000).prop_map(|y| Date::constant(y, 2, 28))]
}

fn any_last() -> impl Strategy<Value = Option<Success>> {
    proptest::option::of(day().prop_map(|on| Success { on, method: Method::Window }))
}

fn doubt() -> impl Strategy<Value = Doubt> {
    prop_oneof![Just(Doubt::None), Just(Doubt::Doubtful), Just(Doubt::Unknown)]
}

fn entitlement(last: Option<Success>) -> Entitlement {
    Entitlement { last, stage: Stage::InPayment, ..Entitlement::default() }
}
