//! What a clerk is told of one person: nothing invented, nothing left out, and every reason with its rule.

use expect_test::expect;

use super::*;
use crate::benefit::{Abode, Group};

fn told(pack: &str, question: &Question, today: &str) -> String {
    explain(all().get(pack).unwrap(), question, today.parse().unwrap()).to_text()
}

fn day(text: &str) -> Option<Date> {
    Some(text.parse().unwrap())
}

const SHANXI: &str = "cn.sx.province.enterprise_pension";
const SHAANXI: &str = "cn.sn.province.institution_pension";
const TANGSHAN: &str = "cn.he.tangshan.enterprise_pension";
const INNER_MONGOLIA: &str = "cn.nm.region.enterprise_pension";

#[test]
fn no_method_is_invented() {
    for pack in all().iter() {
        let question = Question { last: day("2024-05-05"), ..Question::default() };
        let found = explain(pack, &question, Date::constant(2024, 5, 5));
        assert_eq!(found.state, "done", "{}: {}", pack.id, found.reason);
        assert!(!found.reason.contains("人脸") && !found.reason_en.contains("model"));
        let named = Question { last_method: Some(Method::Phone), ..question };
        let found = explain(pack, &named, Date::constant(2024, 5, 5));
        assert!(found.reason.contains("手机自助认证"), "{}", found.reason);
    }
}

#[test]
fn what_cannot_be_true_is_refused() {
    let today = Date::constant(2020, 4, 4);
    let problem = |question: Question| question.problem(today).map(|words| words.zh);
    let future = Question { born: day("2020-04-05"), ..Question::default() };
    assert_eq!(problem(future.clone()).as_deref(), Some("出生日期 2020-04-05 晚于今天 2020-04-04"));
    let by_a_bad_clock = Question { doubt: Doubt::Unknown, ..future };
    assert_eq!(problem(by_a_bad_clock), None);
    let born = day("1950-01-01");
    let last = Question { born, last: day("1949-12-31"), ..Question::default() };
    assert_eq!(problem(last).as_deref(), Some("上次认证日期 1949-12-31 早于出生日期 1950-01-01"));
    let long_ago = Question { last: day("1920-01-01"), ..Question::default() };
    assert_eq!(problem(long_ago).as_deref(), Some("上次认证日期 1920-01-01 不可信"));
    let retired = Question { born, retired_on: day("1949-12-31"), ..Question::default() };
    assert!(problem(retired).is_some());
    let ordinary = Question { born, last: day("2020-05-01"), ..Question::default() };
    assert_eq!(problem(ordinary), None, "a clock behind is no mistake of the clerk");
}

#[test]
fn who_is_not_paid_yet_owes_nothing_and_who_has_just_begun_may_certify() {
    let told = |since: &str| {
        let question = Question { retired_on: day(since), ..Question::default() };
        let found = explain(all().get(SHANXI).unwrap(), &question, Date::constant(2026, 11, 22));
        format!("{} {} {}", found.state, found.opens.unwrap(), found.due.unwrap())
    };
    assert_eq!(told("2026-12-01"), "not_open 2026-12-01 2027-12-01");
    assert_eq!(told("2026-10-01"), "due 2026-10-01 2027-10-01");
}

#[test]
fn a_success_is_explained_with_its_rule() {
    let asked = |pack: &str, question: Question, by: Method, today: &str| {
        let question = Question { by: Some(by), ..question };
        let found = explain(all().get(pack).unwrap(), &question, today.parse().unwrap());
        let success = found.success.unwrap();
        let next = success.next.unwrap_or("-".into());
        format!("{} {next} | {} | {}\n", success.counts, success.reason, success.reason_en)
    };
    let late = || Question { last: day("2019-05-01"), ..Question::default() };
    let done = || Question { last: day("2020-02-02"), ..Question::default() };
    let abroad = || Question { abode: Abode::HkMoTw, ..late() };
    let finger = Method::FingerprintModel;
    let mut all = String::new();
    all += &asked(SHANXI, late(), finger, "2020-04-04");
    all += &asked(SHANXI, done(), finger, "2020-04-04");
    all += &asked(SHANXI, late(), Method::FingerVein, "2020-04-04");
    all += &asked(SHANXI, abroad(), Method::FingerVein, "2020-04-04");
    all += &asked(SHANXI, late(), Method::Voice, "2020-04-04");
    all += &asked(SHAANXI, late(), finger, "2020-04-04");
    all += &asked(SHAANXI, done(), Method::Phone, "2020-04-04");
    all += &asked(INNER_MONGOLIA, late(), finger, "2020-04-04");
    all += &asked(INNER_MONGOLIA, late(), Method::Voice, "2020-04-04");
    all += &asked(INNER_MONGOLIA, late(), Method::Appeal, "2020-04-04");
    all += &asked(INNER_MONGOLIA, abroad(), Method::PaperStatement, "2020-04-04");
    let new = Question { retired_on: day("2020-01-01"), ..Question::default() };
    all += &asked(TANGSHAN, new, Method::Phone, "2020-03-03");
    let twice = Question { duplicate: true, ..late() };
    all += &asked(TANGSHAN, twice, Method::Phone, "2020-04-04");
    expect![[r#"
        true 2021-04-04 | 有效，须上报后生效，须先建模，建议再用手机APP认证一次，完善个人信息（R85、R86、C19） | counts, once it is reported, needs a reference, certify once by phone as well, to complete the data (R85, R86, C19)
        true 2021-02-02 | 有效，须上报后生效，须先建模，建议再用手机APP认证一次，完善个人信息；可再次认证，期限不变（R85、R86、C19） | counts, once it is reported, needs a reference, certify once by phone as well, to complete the data; allowed, changes nothing (R85, R86, C19)
        false - | 只用于居住在港澳台的人员（R11、R87） | only for those who live in Hong Kong, Macau or Taiwan (R11, R87)
        true 2021-04-04 | 有效，限港澳台居住（R11、R87） | counts, for whoever lives in Hong Kong, Macau or Taiwan (R11, R87)
        false - | 本策略没有列出声纹，不作为认证 | the pack does not name voice; it is no certification
        false - | 在此不作为认证（C19） | no certification here (C19)
        false - | 本期内不再重复认证（R20） | refused in the same period (R20)
        false - | 在此不作为认证（C19） | no certification here (C19)
        true 2021-10-31 | 有效，人脸与已建模型比对不成功时，念数字 5 组（R82、R83、R84） | counts, only after face against the enrolled model has failed, 5 strings of digits (R82, R83, R84)
        false - | 在此不作为认证（R89、C6） | no certification here (R89, C6)
        true 2021-10-31 | 有效，限港澳台居住（R11、C18） | counts, for whoever lives in Hong Kong, Macau or Taiwan (R11, C18)
        false - | 本期还没有开始（R21） | the period has not begun (R21)
        false - | 重复领取待遇，须先清退（R17）（暂定，待经办机构确认） | drawn twice, to be cleared first (R17) (ours, to be confirmed by the agency)
    "#]].assert_eq(&all);
}

#[test]
fn the_words_say_as_much_as_the_json() {
    let done = Question { last: day("2020-02-02"), ..Question::default() };
    let mut text = told(SHAANXI, &done, "2020-04-04");
    let abroad =
        Question { abode: Abode::Overseas, last: day("2019-02-02"), ..Question::default() };
    text += &told(SHAANXI, &abroad, "2020-04-04");
    let hong_kong = Question { abode: Abode::HkMoTw, ..abroad.clone() };
    text += &told(SHANXI, &hong_kong, "2020-04-04");
    text += &told("cn.sn.xian.enterprise_pension", &abroad, "2020-04-04");
    let twice = Question { duplicate: true, last: day("2019-02-02"), ..Question::default() };
    text += &told(TANGSHAN, &twice, "2020-04-04");
    expect![[r#"
        pack     cn.sn.province.institution_pension v2  陕西省机关事业单位养老保险
        state    done 本期已认证
        opens    2021-01-01
        due      2021-12-31
        now      no 现在不能办理
        reason   每个自然年度认证一次（R20）；已于2020年2月2日认证，下次最迟2021年12月31日，本期内不再重复认证。
                 once in each natural year (R20); done on 2020-02-02, next by 2021-12-31, refused in the same period
        repeat   block 本期内不再重复认证
                 refused in the same period
        methods  phone, face_id_photo, face_model, home_visit, window, data_match, appeal, special
        rules    R20
        pack     cn.sn.province.institution_pension v2  陕西省机关事业单位养老保险
        state    due 应认证
        opens    2020-01-01
        due      2020-12-31
        now      yes 现在可以办理
        reason   每个自然年度认证一次（R20）；请在2020年12月31日前认证。
                 once in each natural year (R20); due by 2020-12-31
        abode    境外居住，按人社险中心〔2019〕46号：由人社部会同外交部统一采集建模，再用人脸自助认证；由国内亲属用国内手机号注册绑定后协助；名单报省基金中心（R13、R14、C17）
                 lives overseas, by 人社险中心〔2019〕46号 (R13, R14, C17)
        repeat   block 本期内不再重复认证
                 refused in the same period
        methods  phone, face_id_photo, face_model, home_visit, window, data_match, appeal, special
        rules    R20
        pack     cn.sx.province.enterprise_pension v2  山西省本级企业职工养老保险
        state    overdue 已逾期
        opens    2019-11-04
        due      2020-02-02
        now      yes 现在可以办理
        reason   认证一次，有效期12个月（R19）；已过2020年2月2日，现在仍可认证，认证后恢复发放并补发（R26）。
                 one certification is valid for 12 months (R19); was due on 2020-02-02, can still be certified now, payment resumes after the success with back pay (R26)
        abode    港澳台居住，按手机APP自助认证答疑第十二条：持大陆居民身份证认证；以港澳台居民身份证件申领社保卡的，持该证件认证；由当地官方社会保险机构按年度出具生存状况证明，或指纹、指静脉比对（R9、R10、R11、C18）
                 lives in Hong Kong, Macau or Taiwan, by 手机APP自助认证答疑第十二条 (R9, R10, R11, C18)
        repeat   allow_extend 可再次认证，有效期顺延
                 allowed, extends the validity
        methods  face_id_photo, face_model, phone, fingerprint_model, finger_vein, paper_statement, appeal, special, home_visit, data_match, window
        rules    R19, R26
        pack     cn.sn.xian.enterprise_pension v2  西安市城镇职工养老保险
        state    due 应认证
        opens    2020-01-01
        due      2020-12-31
        now      yes 现在可以办理
        reason   每个自然年度认证一次（R20）；请在2020年12月31日前认证。
                 once in each natural year (R20); due by 2020-12-31
        abode    境外居住：本策略没有专门规定，请询问经办机构
                 lives overseas: the pack says nothing, ask the agency
        repeat   block 本期内不再重复认证
                 refused in the same period
        methods  phone, face_id_photo, face_model, window, home_visit, data_match, appeal, special
        rules    R20
        pack     cn.he.tangshan.enterprise_pension v2  唐山市企业职工养老保险（含工伤伤残津贴、供养亲属）
        state    not_required 先到窗口办理
        opens    -
        due      -
        now      no 现在不能办理
        reason   重复领取待遇，须先清退（R17）（暂定，待经办机构确认）。
                 drawn twice, to be cleared first (R17) (ours, to be confirmed by the agency)
        methods  -
        rules    R17
    "#]].assert_eq(&text);
}

#[test]
fn every_reason_names_rules_that_its_pack_names() {
    let questions = [
        Question { group: Some(Group::Unemployed), ..Question::default() },
        Question { group: Some(Group::Resident), ..Question::default() },
        Question { duplicate: true, ..Question::default() },
        Question { stage: Stage::NotAdded, ..Question::default() },
        Question { stage: Stage::PreApproval, ..Question::default() },
        Question { stage: Stage::Ended, ..Question::default() },
        Question { born: day("2001-01-01"), ..Question::default() },
        Question { under_review: day("2020-05-05"), ..Question::default() },
        Question { suspended: true, ..Question::default() },
        Question { last: day("2018-05-05"), ..Question::default() },
        Question { retired_on: day("2020-01-01"), ..Question::default() },
        Question {
            last: day("2020-03-05"),
            last_method: Some(Method::Voice),
            ..Question::default()
        },
    ];
    for text in PACKS {
        let pack = Pack::parse(text).unwrap();
        for question in &questions {
            let found = explain(&pack, question, Date::constant(2020, 3, 3));
            assert!(!found.rules.is_empty(), "{}: {}", pack.id, found.reason);
            for rule in &found.rules {
                let body = text.split("[[examples]]").next().unwrap();
                assert!(
                    body.contains(&format!("\"{rule}\"")),
                    "{}: {rule}: {}",
                    pack.id,
                    found.reason
                );
                assert!(found.reason.contains(rule.as_str()), "{rule}: {}", found.reason);
                assert!(found.reason_en.contains(rule.as_str()), "{rule}: {}", found.reason_en);
            }
        }
    }
}

#[test]
fn a_review_protects_from_suspension_and_undoes_none() {
    let reason = |suspended, by: &str, today: &str| {
        let question = Question {
            last: day("2018-01-01"),
            under_review: day(by),
            suspended,
            ..Question::default()
        };
        let found = explain(all().get(SHANXI).unwrap(), &question, today.parse().unwrap());
        assert!(found.state == "under_review" && found.may_certify);
        format!("{}\n{}\n", found.reason, found.reason_en)
    };
    let mut all = reason(false, "2020-05-01", "2020-04-01");
    all += &reason(true, "2020-05-01", "2020-04-01");
    all += &reason(false, "2020-05-01", "2020-05-01");
    all += &reason(false, "2020-05-01", "2020-05-02");
    all += &reason(true, "2020-05-01", "2020-05-02");
    expect![[r#"
        认证一次，有效期12个月（R19）；正在审核，预计2020年5月1日前答复，期间不停发（R125）（暂定，待经办机构确认）。
        one certification is valid for 12 months (R19); under review, an answer is expected by 2020-05-01, payment is protected (R125) (ours, to be confirmed by the agency)
        认证一次，有效期12个月（R19）；正在审核，预计2020年5月1日前答复（R125）（暂定，待经办机构确认）；待遇仍在暂停，认证后恢复发放并补发（R26）。
        one certification is valid for 12 months (R19); under review, an answer is expected by 2020-05-01 (R125) (ours, to be confirmed by the agency); payment is still suspended, payment resumes after the success with back pay (R26)
        认证一次，有效期12个月（R19）；正在审核，预计2020年5月1日前答复，期间不停发（R125）（暂定，待经办机构确认）。
        one certification is valid for 12 months (R19); under review, an answer is expected by 2020-05-01, payment is protected (R125) (ours, to be confirmed by the agency)
        认证一次，有效期12个月（R19）；正在审核，原定2020年5月1日前答复，已过期，请向经办机构询问，期间不停发（R125）（暂定，待经办机构确认）。
        one certification is valid for 12 months (R19); under review, an answer was due by 2020-05-01 and is late, ask the agency, payment is protected (R125) (ours, to be confirmed by the agency)
        认证一次，有效期12个月（R19）；正在审核，原定2020年5月1日前答复，已过期，请向经办机构询问（R125）（暂定，待经办机构确认）；待遇仍在暂停，认证后恢复发放并补发（R26）。
        one certification is valid for 12 months (R19); under review, an answer was due by 2020-05-01 and is late, ask the agency (R125) (ours, to be confirmed by the agency); payment is still suspended, payment resumes after the success with back pay (R26)
    "#]].assert_eq(&all);
    let done = Question {
        last: day("2020-03-01"),
        under_review: day("2020-05-01"),
        ..Question::default()
    };
    let found = told(SHANXI, &done, "2020-04-01");
    assert!(found.contains("预计2020年5月1日前答复"), "{found}");
}

#[test]
fn a_wrong_clock_refuses_no_success() {
    let behind = Question { last: day("2020-09-01"), ..Question::default() };
    let doubted =
        Question { last: day("2020-02-01"), doubt: Doubt::Doubtful, ..Question::default() };
    for pack in all().iter() {
        for question in [&behind, &doubted] {
            let asked = Question { by: Some(Method::Phone), ..question.clone() };
            let found = explain(pack, &asked, Date::constant(2020, 3, 3));
            assert!(found.may_certify, "{}: {}", pack.id, found.reason);
            let success = found.success.unwrap();
            assert!(success.counts && success.next >= found.due, "{}: {}", pack.id, success.reason);
        }
        let drawn = Entitlement {
            pack: pack.id.clone(),
            last: Some(Success { on: Date::constant(2020, 9, 1), method: Method::Phone }),
            ..Entitlement::default()
        };
        let day = (Date::constant(2020, 3, 3), Doubt::None);
        let settled = all().settle(&[drawn], Date::constant(1945, 6, 15), day, Method::FaceIdPhoto);
        assert!(settled.lines[0].counted, "{}", pack.id);
    }
}
