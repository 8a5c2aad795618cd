//! Stories at the counter: what the phone said, what was found, what is done about it.

use expect_test::{Expect, expect};

use super::*;
use crate::benefit::{Method, Stage, Success};
use crate::identity::{IdNumber, IdentitySource, PersonName, Sex, ValidTo};

const XIAN: &str = "cn.sn.xian.enterprise_pension";
const SHANXI: &str = "cn.sx.province.enterprise_pension";
const TODAY: Date = Date::constant(2020, 6, 15);

struct Counter {
    message: &'static str,
    card: CardIdentity,
    name: &'static str,
    number: &'static str,
    entitlements: Vec<Entitlement>,
    has_reference: Option<bool>,
    social_card: SocialCard,
    on_roster: bool,
}

fn counter(message: &'static str, pack: &str) -> Counter {
    let drawn = Entitlement {
        pack: pack.to_owned(),
        last: Some(Success { on: Date::constant(2019, 5, 1), method: Method::Phone }),
        ..Entitlement::default()
    };
    Counter {
        message,
        card: card("王建国", "11010519491231002X"),
        name: "王建国",
        number: "11010519491231002X",
        entitlements: vec![drawn],
        has_reference: Some(true),
        social_card: SocialCard::Active,
        on_roster: true,
    }
}

fn card(name: &str, number: &str) -> CardIdentity {
    let number = IdNumber::parse(number).unwrap();
    CardIdentity {
        name: PersonName(name.to_owned()),
        sex: Sex::Female,
        birth: number.birth(),
        number,
        address: "幸福路1号".to_owned(),
        issuer: "某某公安局".to_owned(),
        valid_from: Some(Date::constant(2008, 1, 1)),
        valid_to: ValidTo::Open,
        source: IdentitySource::Chip,
        has_photo: true,
    }
}

impl Counter {
    fn decode(&self) -> Decoded {
        let person = OnRoster {
            number: self.number,
            name: self.name,
            entitlements: &self.entitlements,
            has_reference: self.has_reference,
            social_card: self.social_card,
        };
        let packs = crate::policy::tests::all();
        decode(
            self.message,
            &self.card,
            self.on_roster.then_some(person),
            packs,
            TODAY,
            Doubt::None,
        )
    }
}

fn check(counter: &Counter, expect: &Expect) {
    let found = counter.decode();
    let ids = |causes: &[Cause]| causes.iter().map(|c| c.kind.id()).collect::<Vec<_>>().join(" ");
    let mut text = format!(
        "{} {}: {}\nothers: {}\nruled out: {}\n-> {} {}\n",
        found.likely.kind.id(),
        found.likely.certainty.id(),
        found.likely.evidence.zh,
        ids(&found.others),
        ids(&found.ruled_out),
        found.remedy.here.id(),
        found.remedy.words.zh,
    );
    for form in &found.remedy.forms {
        let name = form.name.as_deref().unwrap_or("-");
        text += &format!(
            "form: {name} x{}, id copies x{}, {} fields\n",
            form.copies,
            form.id_copies,
            form.filled.len()
        );
    }
    expect.assert_eq(&text);
}

#[test]
fn a_traditional_character_is_found_and_three_copies_are_asked_for() {
    let case = Counter { name: "王建國", ..counter("身份信息不符", XIAN) };
    check(
        &case,
        &expect![[r#"
        name_differs proved: 姓名不一致：第3字 身份证“国”、参保信息“國”（繁体字与简体字）；只是写法不同
        others: 
        ruled out: number_differs
        -> certify_and_fix 先在本机认证，再更正参保信息，更正后次日生效。
        form: 基本信息变更明细表 x3, id copies x3, 6 fields
    "#]],
    );
}

#[test]
fn a_legacy_number_is_the_same_person_and_two_copies_are_asked_for() {
    let case = Counter { number: "110105491231002", ..counter("身份信息不符。", XIAN) };
    check(
        &case,
        &expect![[r#"
        number_differs proved: 参保信息中仍是15位旧号码，是同一人
        others: 
        ruled out: name_differs
        -> certify_and_fix 先在本机认证，再更正参保信息，更正后次日生效。
        form: 基本信息变更明细表 x2, id copies x2, 6 fields
    "#]],
    );
}

#[test]
fn another_number_is_corrected_before_anything_is_certified() {
    let case =
        Counter {
            number: "110105194912310034", name: "王建园", ..counter("身份信息不符", XIAN)
        };
    check(
        &case,
        &expect![[r#"
        name_differs proved: 姓名不一致：第3字 身份证“国”、参保信息“园”（不同的字）
        others: number_differs
        ruled out: 
        -> fix 先更正参保信息，更正后次日生效。
        form: 基本信息变更明细表 x3, id copies x3, 6 fields
        form: 基本信息变更明细表 x2, id copies x2, 6 fields
    "#]],
    );
}

#[test]
fn a_grey_button_is_a_success_of_this_year_with_date_and_method() {
    let mut case = counter("认证按钮为灰色", XIAN);
    case.entitlements[0].last =
        Some(Success { on: Date::constant(2020, 3, 3), method: Method::DataMatch });
    check(
        &case,
        &expect![[r#"
        already_done proved: 西安市城镇职工养老保险已于2020年3月3日认证（数据比对），下次最迟2021年12月31日
        others: 
        ruled out: not_in_scheme name_differs number_differs
        -> show_proof 已认证，打印凭据。
    "#]],
    );
}

#[test]
fn nothing_to_certify_is_a_matter_of_age() {
    let mut case = counter("您没有需要认证的业务", SHANXI);
    case.card = card("王建国", "110105198712310023");
    case.number = "110105198712310023";
    case.entitlements[0].last = None;
    check(
        &case,
        &expect![[r#"
            below_age proved: 未到领取待遇年龄，不需要认证（R8）；自45周岁起（暂定，待经办机构确认）。
            others: typo
            ruled out: name_differs number_differs not_open_here not_retired not_yet_updated
            -> nothing_owed 不需要认证。
        "#]],
    );
}

#[test]
fn nothing_to_certify_without_any_other_cause_was_typed_wrongly() {
    check(
        &counter("您沒有需要認證的業務！", SHANXI),
        &expect![[r#"
        typo possible: 名册与身份证一致，手机上输入的可能有误
        others: 
        ruled out: name_differs number_differs below_age not_open_here not_retired not_yet_updated
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn nothing_to_certify_because_the_procedure_is_not_finished() {
    let mut case = counter("您没有需要认证的业务", SHANXI);
    case.entitlements[0].stage = Stage::NotAdded;
    case.entitlements[0].group = "survivor".to_owned();
    check(
        &case,
        &expect![[r#"
        not_retired proved: 名册状态：尚未办理新增
        others: not_yet_updated typo
        ruled out: name_differs number_differs below_age not_open_here
        -> refer 到窗口办理。
        form: - x0, id copies x0, 4 fields
    "#]],
    );
}

#[test]
fn an_incomplete_photo_is_a_frozen_social_card_which_stops_nobody_here() {
    let case =
        Counter { social_card: SocialCard::Frozen, ..counter("照片信息不完善", SHANXI) };
    check(
        &case,
        &expect![[r#"
        card_abnormal proved: 社保卡已冻结，不影响在本机认证
        others: photo_slow network
        ruled out: photo_missing
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn an_incomplete_photo_of_somebody_without_a_reference_is_built_here() {
    let case = Counter { has_reference: Some(false), ..counter("照片信息不完善", SHANXI) };
    check(
        &case,
        &expect![[r#"
        photo_missing proved: 没有人脸模型，可在本机建模
        others: model_missing photo_slow network
        ruled out: card_abnormal
        -> remodel 在本机重新建模并认证。
        form: - x0, id copies x0, 4 fields
    "#]],
    );
}

#[test]
fn the_longer_message_is_not_taken_for_the_shorter_one() {
    let pack = "cn.sn.province.institution_pension";
    let mut case =
        Counter { social_card: SocialCard::NotActivated, ..counter("查无此人信息", pack) };
    check(
        &case,
        &expect![[r#"
        card_abnormal proved: 社保卡未激活，不影响在本机认证
        others: 
        ruled out: name_differs number_differs
        -> certify 在本机直接认证。
    "#]],
    );
    case.message = "查无此人";
    check(
        &case,
        &expect![[r#"
        card_abnormal proved: 社保卡未激活，不影响在本机认证
        others: typo
        ruled out: name_differs number_differs
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn somebody_who_is_not_on_the_roster_is_never_left_without_a_way() {
    let case = Counter { on_roster: false, ..counter("查无此人", XIAN) };
    check(
        &case,
        &expect![[r#"
        name_differs possible: 本机名册中没有此人，无法核对
        others: number_differs typo
        ruled out: 
        -> refer 到窗口办理。
        form: - x0, id copies x0, 4 fields
    "#]],
    );
}

#[test]
fn an_unknown_message_tries_every_cause() {
    let mut case = counter("系统开小差了", SHANXI);
    assert!(!case.decode().known);
    case.entitlements[0].duplicate = true;
    check(
        &case,
        &expect![[r#"
        duplicate_benefit proved: 名册标记为重复领取，须先清退
        others: typo id_invalid photo_slow network face_changed liveness_failed suspected_fake phone_problem account_locked
        ruled out: name_differs number_differs below_age not_in_scheme not_retired not_yet_updated not_open_here not_open_yet already_done under_review card_abnormal photo_missing model_missing
        -> refer 到窗口办理，办理清退手续后再认证。
        form: - x0, id copies x0, 4 fields
    "#]],
    );
}

#[test]
fn somebody_done_with_one_benefit_certifies_for_the_other() {
    let mut case = counter("认证按钮为灰色", XIAN);
    case.entitlements[0].last =
        Some(Success { on: Date::constant(2020, 3, 3), method: Method::Phone });
    case.entitlements.push(Entitlement {
        pack: SHANXI.to_owned(),
        suspended: true,
        ..Entitlement::default()
    });
    check(
        &case,
        &expect![[r#"
        already_done proved: 西安市城镇职工养老保险已于2020年3月3日认证（手机自助认证），下次最迟2021年12月31日
        others: 
        ruled out: not_in_scheme name_differs number_differs
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn a_new_retiree_who_is_not_in_the_base_certifies_before_approval() {
    let mut case = counter("您没有需要认证的业务", SHANXI);
    case.entitlements[0].stage = Stage::PreApproval;
    case.entitlements[0].last = None;
    check(
        &case,
        &expect![[r#"
        not_retired proved: 名册状态：待遇核定前
        others: not_yet_updated typo
        ruled out: name_differs number_differs below_age not_open_here
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn a_fake_suspected_by_the_phone_locks_nobody_out() {
    check(
        &counter("检测到您的账号存在疑似造假行为", "cn.sx.jinzhong.enterprise_pension"),
        &expect![[r#"
        suspected_fake possible: 手机拍到的可能是照片或他人，本机现场核验
        others: 
        ruled out: 
        -> certify 在本机直接认证；本人不会因此被锁定。
    "#]],
    );
}

#[test]
fn the_app_of_another_scheme_is_named() {
    let case = counter("此人不是陕西机关事业单位基本养老保险待遇领取人员", XIAN);
    check(
        &case,
        &expect![[r#"
        not_in_scheme possible: 此人参加的是西安市城镇职工养老保险，这条提示来自其他险种或地区的软件
        others: 
        ruled out: 
        -> certify 在本机直接认证。
    "#]],
    );
}

#[test]
fn every_message_of_every_pack_has_a_way_out_for_everybody() {
    for text in messages(crate::policy::tests::all(), None, TODAY) {
        for on_roster in [true, false] {
            let text: &'static str = text.clone().leak();
            let found =
                Counter { on_roster, name: "王园", number: "1", ..counter(text, SHANXI) }.decode();
            assert!(
                found.known
                    && !found.remedy.words.zh.is_empty()
                    && !found.likely.evidence.zh.is_empty(),
                "{text}"
            );
            let mut kinds: Vec<CauseKind> = found.others.iter().map(|cause| cause.kind).collect();
            kinds.push(found.likely.kind);
            kinds.extend(found.ruled_out.iter().map(|cause| cause.kind));
            let n = kinds.len();
            kinds.sort_unstable();
            kinds.dedup();
            assert_eq!(kinds.len(), n, "{text}: a cause is told twice");
        }
    }
}

#[test]
fn nothing_about_a_person_is_printed_for_a_log() {
    let case =
        Counter {
            name: "王建國", number: "110105491231002", ..counter("身份信息不符", XIAN)
        };
    let printed = format!("{:?}", case.decode());
    for secret in ["王", "國", "110105", "幸福路"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
