//! One test for each cause: what on the card, in the roster and in the packs speaks for it or against it.

use jiff::ToSpan;

use super::number::NumberDifference;
use super::{Cause, CauseKind, Certainty, Facts, SocialCard};
use crate::benefit::Stage;
use crate::folding::CharDifference;
use crate::policy::{DueState, NotRequiredReason, Words, date};

use Certainty::{Possible, Proved, RuledOut};

/// Tries one cause.
pub(super) fn test(facts: &Facts<'_>, kind: CauseKind) -> Cause {
    let (certainty, evidence) = match kind {
        CauseKind::Typo => typo(facts),
        CauseKind::IdInvalid => id_invalid(facts),
        CauseKind::NameDiffers | CauseKind::BaseDataDiffers => name(facts),
        CauseKind::NumberDiffers => number(facts),
        CauseKind::BelowAge => below_age(facts),
        CauseKind::NotInScheme => scheme(facts),
        CauseKind::NotRetired => retired(facts),
        CauseKind::NotYetUpdated => updated(facts),
        CauseKind::NotOpenHere => open_here(facts),
        CauseKind::NotOpenYet => open_yet(facts),
        CauseKind::AlreadyDone => done(facts),
        CauseKind::UnderReview => review(facts),
        CauseKind::DuplicateBenefit => duplicate(facts),
        CauseKind::CardAbnormal => social_card(facts),
        CauseKind::PhotoMissing | CauseKind::ModelMissing => reference(facts),
        CauseKind::PhotoSlow => photo_slow(facts),
        CauseKind::FaceChanged => face_changed(facts),
        CauseKind::Network => {
            (Possible, say("手机网络无法在本机核查", "the phone's network cannot be tested here"))
        }
        CauseKind::LivenessFailed => (
            Possible,
            say(
                "只是动作未被识别，不是身份不符",
                "the action was not recognised; it says nothing about identity",
            ),
        ),
        CauseKind::SuspectedFake => (
            Possible,
            say(
                "手机拍到的可能是照片或他人，本机现场核验",
                "the phone may have seen a photo or somebody else; certify here",
            ),
        ),
        CauseKind::PhoneProblem => (
            Possible,
            say("手机或软件的问题，本机不受影响", "the phone or its software; not this terminal"),
        ),
        CauseKind::AccountLocked => (
            Possible,
            say(
                "密码输错多次，24小时后自动解锁",
                "too many wrong passwords; unlocks after 24 hours",
            ),
        ),
    };
    Cause { kind, certainty, evidence, rules: rules(kind) }
}

/// What stays when everything else was ruled out.
pub(super) fn nothing_found() -> Cause {
    let evidence = say(
        "本机可查的原因均已排除，可在本机直接认证",
        "every cause that can be tested here is ruled out; certify at this terminal",
    );
    Cause {
        kind: CauseKind::PhoneProblem,
        certainty: Possible,
        evidence,
        rules: rules(CauseKind::PhoneProblem),
    }
}

type Finding = (Certainty, Words);

fn say(zh: impl Into<String>, en: impl Into<String>) -> Words {
    Words::new(zh, en)
}

fn not_on_roster() -> Finding {
    (
        Possible,
        say("本机名册中没有此人，无法核对", "not on this terminal's roster, cannot be compared"),
    )
}

/// Card and roster agree, so what the phone was told must have been something else.
fn typo(facts: &Facts<'_>) -> Finding {
    let (Some(names), Some(number)) = (facts.name_differences(), facts.number_difference()) else {
        return not_on_roster();
    };
    if !number.is_same() || names.iter().any(|d| !d.kind.is_spelling()) {
        return (
            RuledOut,
            say("参保信息本身与身份证不一致", "the insured data themselves differ from the card"),
        );
    }
    let easily = facts.card.name.0.chars().any(|c| u32::from(c) > LAST_COMMON || c == '·');
    let hint =
        if easily { "；姓名含生僻字或间隔点，手机上容易输错" } else { "" };
    let hint_en = if easily { "; the name has a rare character or a dot" } else { "" };
    (
        Possible,
        say(
            format!("名册与身份证一致，手机上输入的可能有误{hint}"),
            format!(
                "roster and card agree, so the phone was probably given something else{hint_en}"
            ),
        ),
    )
}

/// The chip's number passed its checksum when the card was read.
fn id_invalid(facts: &Facts<'_>) -> Finding {
    match facts.number_difference() {
        Some(NumberDifference::Malformed(_)) => {
            (Proved, say("参保信息中的号码校验不符", "the number in the roster fails its check"))
        }
        _ => (
            Possible,
            say(
                "身份证号码校验正确，手机上输入的有误",
                "the card's number is sound; the phone was given another",
            ),
        ),
    }
}

fn name(facts: &Facts<'_>) -> Finding {
    let Some(found) = facts.name_differences() else {
        return not_on_roster();
    };
    if found.is_empty() {
        return (RuledOut, say("姓名一致", "the names agree"));
    }
    let zh: Vec<String> = found.iter().map(|d| told(d, "无")).collect();
    let en: Vec<String> = found.iter().map(|d| format!("{}: {}", d.at, d.kind.en())).collect();
    let only_spelling = found.iter().all(|d| d.kind.is_spelling());
    let tail = if only_spelling { "；只是写法不同" } else { "" };
    let tail_en = if only_spelling { "; a matter of spelling" } else { "" };
    (
        Proved,
        say(
            format!("姓名不一致：{}{tail}", zh.join("；")),
            format!("names differ at {}{tail_en}", en.join("; ")),
        ),
    )
}

fn told(d: &CharDifference, none: &str) -> String {
    let shown = |c: Option<char>| c.map_or_else(|| none.to_owned(), |c| format!("“{c}”"));
    format!(
        "第{}字 身份证{}、参保信息{}（{}）",
        d.at.max(1),
        shown(d.card),
        shown(d.roster),
        d.kind.zh()
    )
}

fn number(facts: &Facts<'_>) -> Finding {
    let Some(found) = facts.number_difference() else {
        return not_on_roster();
    };
    let positions = |all: &[usize]| all.iter().map(usize::to_string).collect::<Vec<_>>();
    match found {
        NumberDifference::None => (RuledOut, say("身份证号码一致", "the numbers agree")),
        NumberDifference::Writing => {
            (Proved, say("号码相同，但参保信息中的写法不同", "the same number in another writing"))
        }
        NumberDifference::Legacy => (
            Proved,
            say(
                "参保信息中仍是15位旧号码，是同一人",
                "the roster still has the 15-digit number of the same person",
            ),
        ),
        NumberDifference::Swapped(at) => (
            Proved,
            say(
                format!("第{at}、{}位数字颠倒", at + 1),
                format!("digits {at} and {} changed places", at + 1),
            ),
        ),
        NumberDifference::Digits(at) => {
            let at = positions(&at);
            (
                Proved,
                say(
                    format!("第{}位数字不一致", at.join("、")),
                    format!("digits differ at {}", at.join(", ")),
                ),
            )
        }
        NumberDifference::Malformed(_) => {
            (Proved, say("参保信息中的号码不是有效号码", "the number in the roster cannot be one"))
        }
        NumberDifference::Other => {
            (Proved, say("参保信息中是另一个号码", "the roster has another number"))
        }
    }
}

fn below_age(facts: &Facts<'_>) -> Finding {
    let below = DueState::NotRequired(NotRequiredReason::BelowAge);
    let assessed = facts.assessed();
    if let Some((_, _, found)) = assessed.iter().find(|(_, _, found)| found.state == below) {
        return (Proved, say(found.why.clone(), found.why_en.clone()));
    }
    let age = crate::policy::full_years(facts.card.birth, facts.today);
    if !assessed.is_empty() || age >= SURELY_RETIRED {
        return (
            RuledOut,
            say(format!("已满{age}周岁或已在领取"), format!("{age} years old, or already drawing")),
        );
    }
    (
        Possible,
        say(
            format!("{age}周岁，名册中没有待遇"),
            format!("{age} years old and no benefit on the roster"),
        ),
    )
}

/// The app that spoke belongs to schemes; the person draws another.
fn scheme(facts: &Facts<'_>) -> Finding {
    let assessed = facts.assessed();
    let outside = DueState::NotRequired(NotRequiredReason::NotInScheme);
    if let Some((_, _, found)) = assessed.iter().find(|(_, _, found)| found.state == outside) {
        return (
            Proved,
            say(
                format!("{}：不属于本险种", found.title),
                format!("{}: not of this scheme", found.title_en),
            ),
        );
    }
    let Some((_, own, _)) = assessed.first() else {
        return not_on_roster();
    };
    let speaking = facts.packs_of_message();
    let foreign = !speaking.is_empty()
        && !speaking.iter().any(|pack| assessed.iter().any(|(_, own, _)| own.id == pack.id));
    match foreign {
        true => (
            Possible,
            say(
                format!("此人参加的是{}，这条提示来自其他险种或地区的软件", own.title),
                format!("the person draws {}; the message is another scheme's", own.title_en),
            ),
        ),
        false => (
            RuledOut,
            say(
                format!("是{}待遇领取人员", own.title),
                format!("is a recipient of {}", own.title_en),
            ),
        ),
    }
}

fn retired(facts: &Facts<'_>) -> Finding {
    let Some(person) = facts.roster else {
        return not_on_roster();
    };
    match person.entitlements.iter().map(|e| e.stage).find(|stage| *stage != Stage::InPayment) {
        Some(stage) => {
            (Proved, say(format!("名册状态：{}", stage.zh()), format!("roster: {}", stage.en())))
        }
        None if person.entitlements.is_empty() => {
            (Proved, say("名册中没有任何待遇", "no benefit on the roster"))
        }
        None => (RuledOut, say("名册中为在发人员", "in payment on the roster")),
    }
}

fn updated(facts: &Facts<'_>) -> Finding {
    let Some(person) = facts.roster else {
        return not_on_roster();
    };
    let since = facts.today.saturating_sub(UPDATE_DAYS.days());
    if person.entitlements.iter().any(|e| matches!(e.stage, Stage::PreApproval | Stage::NotAdded)) {
        return (Proved, say("手续尚未办完", "the procedure is not finished"));
    }
    match person
        .entitlements
        .iter()
        .find(|e| e.retired_on.is_some_and(|on| on >= since) && e.last.is_none())
    {
        Some(_) => (
            Possible,
            say("近期刚退休，可能尚未进入认证库", "retired lately, perhaps not yet in the base"),
        ),
        None => (RuledOut, say("不是新退休人员", "not newly retired")),
    }
}

fn open_here(facts: &Facts<'_>) -> Finding {
    let Some(person) = facts.roster else {
        return not_on_roster();
    };
    let known: Vec<_> =
        person.entitlements.iter().filter_map(|e| facts.packs.on(&e.pack, facts.today)).collect();
    if known.len() < person.entitlements.len() {
        return (
            Possible,
            say("本机没有该险种的策略包", "this terminal has no pack for the scheme"),
        );
    }
    match known.iter().find(|pack| pack.valid_from > facts.today) {
        Some(pack) => (
            Proved,
            say(
                format!("{}自{}起施行", pack.title, date(pack.valid_from)),
                format!("{} begins {}", pack.title_en, pack.valid_from),
            ),
        ),
        None => (RuledOut, say("本机已开通", "open at this terminal")),
    }
}

fn open_yet(facts: &Facts<'_>) -> Finding {
    match facts.assessed().into_iter().find(|(_, _, found)| found.state == DueState::NotOpen) {
        Some((_, _, found)) => (Proved, say(found.why, found.why_en)),
        None => (RuledOut, say("已到认证时间", "open now")),
    }
}

fn done(facts: &Facts<'_>) -> Finding {
    let assessed = facts.assessed();
    let told = assessed.iter().find_map(|(_, _, found)| match found.state {
        DueState::Done(last) => Some((last, found)),
        _ => None,
    });
    let Some((last, found)) = told else {
        return match facts.roster {
            Some(_) => (RuledOut, say("本期尚未认证", "not done in this period")),
            None => not_on_roster(),
        };
    };
    let next = found
        .due
        .map(|due| (format!("，下次最迟{}", date(due)), format!(", next by {due}")))
        .unwrap_or_default();
    (
        Proved,
        say(
            format!("{}已于{}认证（{}）{}", found.title, date(last.on), last.method.zh(), next.0),
            format!("{}: done on {} ({}){}", found.title_en, last.on, last.method.en(), next.1),
        ),
    )
}

fn review(facts: &Facts<'_>) -> Finding {
    match facts.assessed().into_iter().find(|(_, _, found)| found.state == DueState::UnderReview) {
        Some((_, _, found)) => (Proved, say(found.why, found.why_en)),
        None => (RuledOut, say("没有正在进行的审核", "no review is running")),
    }
}

fn duplicate(facts: &Facts<'_>) -> Finding {
    match facts.roster.is_some_and(|person| person.entitlements.iter().any(|e| e.duplicate)) {
        true => (
            Proved,
            say("名册标记为重复领取，须先清退", "marked as drawn twice; to be cleared first"),
        ),
        false => (RuledOut, say("没有重复领取标记", "not marked as drawn twice")),
    }
}

fn social_card(facts: &Facts<'_>) -> Finding {
    match facts.roster.map(|person| person.social_card) {
        None | Some(SocialCard::Unknown) => {
            (Possible, say("社保卡状态未知", "the social card's state is unknown"))
        }
        Some(SocialCard::Active) => (RuledOut, say("社保卡正常", "the social card is active")),
        Some(state) => (
            Proved,
            say(
                format!("社保卡{}，不影响在本机认证", state.zh()),
                format!("social card {}; no obstacle here", state.en()),
            ),
        ),
    }
}

fn reference(facts: &Facts<'_>) -> Finding {
    match facts.roster.and_then(|person| person.has_reference) {
        Some(true) => (RuledOut, say("已有人脸模型", "a face reference exists")),
        Some(false) => {
            (Proved, say("没有人脸模型，可在本机建模", "no face reference; it can be built here"))
        }
        None if facts.card.has_photo => (
            Possible,
            say(
                "系统照片未知；芯片中有照片可用",
                "the centre's photo is unknown; the chip has one",
            ),
        ),
        None => (Possible, say("芯片中也没有照片", "the chip has no photo either")),
    }
}

/// The first two digits of the number name the province of the first registration.
fn photo_slow(facts: &Facts<'_>) -> Finding {
    let Some(pack) = facts.home_pack() else {
        return not_on_roster();
    };
    let province = &facts.card.number.as_str()[..2];
    match pack.scope.region.starts_with(province) {
        true => (RuledOut, say("本省身份证", "a card of this province")),
        false => (
            Possible,
            say(
                "外省身份证，系统向外省照片库取照片较慢；本机用芯片照片",
                "another province's card; the chip photo serves here",
            ),
        ),
    }
}

fn face_changed(facts: &Facts<'_>) -> Finding {
    let Some(issued) = facts.card.valid_from else {
        return (Possible, say("证件照的年份未知", "the photo's age is unknown"));
    };
    let years = crate::policy::full_years(issued, facts.today).max(0);
    (
        Possible,
        say(
            format!("证件照已有{years}年，可重新建模"),
            format!("the photo is {years} years old; a new reference helps"),
        ),
    )
}

fn rules(kind: CauseKind) -> Vec<&'static str> {
    match kind {
        CauseKind::Typo => vec!["R33", "R40"],
        CauseKind::IdInvalid => vec!["R44"],
        CauseKind::NameDiffers | CauseKind::NumberDiffers | CauseKind::BaseDataDiffers => {
            vec!["R34", "R37", "R38", "R39", "R42"]
        }
        CauseKind::BelowAge => vec!["R8", "R35"],
        CauseKind::NotInScheme => vec!["R18", "R43"],
        CauseKind::NotRetired => vec!["R35"],
        CauseKind::NotYetUpdated => vec!["R36"],
        CauseKind::NotOpenHere | CauseKind::NotOpenYet => vec!["R32"],
        CauseKind::AlreadyDone => vec!["R20", "R43", "R47"],
        CauseKind::UnderReview => vec!["R76", "R125"],
        CauseKind::DuplicateBenefit => vec!["R17"],
        CauseKind::CardAbnormal => vec!["R45", "C13"],
        CauseKind::PhotoMissing => vec!["R45", "R88"],
        CauseKind::PhotoSlow => vec!["R45", "R88"],
        CauseKind::Network => vec!["R45", "R117"],
        CauseKind::FaceChanged => vec!["R63", "R64", "R65"],
        CauseKind::LivenessFailed => vec!["R60"],
        CauseKind::SuspectedFake => vec!["R66", "R67"],
        CauseKind::ModelMissing => vec!["R41", "R79"],
        CauseKind::PhoneProblem => vec!["R71", "R118"],
        CauseKind::AccountLocked => vec!["R112"],
    }
}

/// No scheme of the packs begins later than this age.
const SURELY_RETIRED: i16 = 63;
/// So long after the first day of an entitlement the base may not have it.
const UPDATE_DAYS: i64 = 60;
/// Last character of the block that every input method offers.
const LAST_COMMON: u32 = 0x9FA5;
