//! One view of each page and of each hard case. Nobody in here exists.

use jiff::civil::{Date, date};
use kiosk_core::lists::Ask;
use kiosk_core::message::{Arg, Id, Say};
use kiosk_core::outcome::Tone;
use kiosk_core::view::*;

/// Every sample with its name.
pub(crate) fn all() -> Vec<(&'static str, View)> {
    vec![
        ("setup", choice(Id::SetupTitle, setup_lines(), Vec::new(), Vec::new())),
        ("setup-code", setup_code(Some(Id::SetupWrongCode))),
        ("sign-in", sign_in(None, 0, None)),
        ("sign-in-pin", sign_in(Some("02"), 3, None)),
        ("sign-in-wrong", sign_in(Some("02"), 0, Some(Id::PinWrong))),
        ("sign-in-many", sign_in_many()),
        ("waiting", waiting(Id::LayCard, None)),
        ("card-pin", card_pin(3, None)),
        ("card-pin-wrong", card_pin(0, Some(Id::CardPinWrong.with([Arg::Number(2)])))),
        ("waiting-trouble", waiting(Id::LayCard, Some(Id::ErrCardUnverifiable))),
        ("waiting-reading", waiting(Id::ReadingCard, None)),
        ("person", person_due()),
        ("person-nothing-due", person_done()),
        ("person-worst", person_worst()),
        ("consent", consent()),
        ("face", face(Id::FaceComeCloser, false, 0.35)),
        ("face-good", face(Id::FaceHoldStill, true, 0.7)),
        ("face-long-prompt", face(Id::FaceUncover, false, 0.0)),
        ("finger", finger(2, Id::FingerRightIndex, Id::FingerPlace, None)),
        ("finger-enrol", finger(6, Id::FingerLeftThumb, Id::FingerDry, Some((2, 3)))),
        ("finger-other", finger(10, Id::FingerOther, Id::FingerAgain, None)),
        ("document", document()),
        ("judge-unsure", judge_unsure()),
        ("judge-different", judge_different()),
        ("judge-suspected-fake", judge_fake()),
        ("judge-fault", judge_fault()),
        ("appeal", appeal()),
        ("ways", ways()),
        ("phone-messages", messages()),
        ("phone-message-decoded", decoded()),
        ("discard", discard()),
        ("witness", witness()),
        ("saving", with(Page::Saving)),
        ("result-good", result_good(Delivery::CentreHasIt(40213), SlipState::Printed)),
        ("result-good-saved", result_good(Delivery::SavedHere, SlipState::Printing)),
        ("result-waiting", result_appeal()),
        ("result-stopped", result_fake()),
        ("result-worst", result_worst()),
        ("outbox", outbox()),
        ("people", people(None)),
        ("people-letters", people(Some("lxy"))),
        ("devices-checking", devices(&[])),
        ("devices", devices(&DEVICES)),
    ]
}

/// A header with everything in it.
pub(crate) fn troubled(view: View) -> View {
    let trouble = |what, err| Trouble { what, err };
    let header = Header {
        site: "桂花坪镇社会保障和医疗保障综合服务中心便民大厅".into(),
        operator: Some("阿卜杜热西提·买买提依明·艾合买提".into()),
        clock_doubtful: true,
        waiting: 12,
        held: 0,
        troubles: vec![
            trouble(Id::DeviceIdCard, Id::ErrIdCardSilent),
            trouble(Id::DeviceCamera, Id::ErrCameraSilent),
            trouble(Id::DevicePrinter, Id::ErrPrinterPaper),
            trouble(Id::DeviceModels, Id::ErrFingerModelMissing),
        ],
        ..view.header
    };
    View { header, ..view }
}

/// Today in every sample.
const TODAY: Date = date(2026, 11, 21);

fn with(page: Page) -> View {
    let header = Header {
        site: "桂花坪镇便民服务中心".into(),
        operator: Some("王小明".into()),
        today: Some(TODAY),
        clock_doubtful: false,
        waiting: 3,
        held: 0,
        troubles: Vec::new(),
        update: None,
    };
    View { header, page }
}

fn button(label: Id, tap: Tap) -> Button {
    Button { label, tap, enabled: true, primary: false }
}

fn primary(label: Id, tap: Tap) -> Button {
    Button { primary: true, ..button(label, tap) }
}

fn off(button: Button) -> Button {
    Button { enabled: false, primary: false, ..button }
}

fn setup_lines() -> Vec<Say> {
    vec![Id::SetupStick.into(), Id::SetupCodeApart.into(), Id::SetupHelp.into()]
}

fn setup_code(notice: Option<Id>) -> View {
    with(Page::SignIn(SignIn {
        title: Some(Id::SetupCode),
        picked: Some(String::new()),
        n_digits: 10,
        notice: notice.map(Into::into),
        ..SignIn::default()
    }))
}

fn sign_in(picked: Option<&str>, n_digits: u8, notice: Option<Id>) -> View {
    let operators =
        [("01", "李静"), ("02", "王小明"), ("03", "欧阳建国"), ("04", "阿依古丽·买买提")];
    let view = with(Page::SignIn(SignIn {
        title: Some(Id::SignIn),
        operators: operators.map(|(id, name)| (id.into(), name.into())).into(),
        picked: picked.map(Into::into),
        n_digits,
        notice: notice.map(|id| id.with([Arg::Number(2)])),
        buttons: vec![button(Id::TapDevices, Tap::ShowDevices)],
    }));
    View { header: Header { operator: None, waiting: 0, ..view.header }, ..view }
}

fn sign_in_many() -> View {
    let operators = (1..=19).map(|i| (format!("{i:02}"), format!("经办员{i}"))).collect();
    with(Page::SignIn(SignIn {
        title: Some(Id::SignIn),
        operators,
        picked: Some("03".into()),
        n_digits: 6,
        notice: Some(Id::OperatorLocked.with([Arg::Number(15)])),
        buttons: vec![button(Id::TapDevices, Tap::ShowDevices)],
    }))
}

fn witness() -> View {
    let operators = [("01", "李静"), ("03", "阿卜杜热西提·买买提依明·艾合买提"), ("04", "赵敏")];
    with(Page::Witness(SignIn {
        title: Some(Id::WitnessTitle),
        operators: operators.map(|(id, name)| (id.into(), name.into())).into(),
        picked: Some("01".into()),
        n_digits: 4,
        notice: Some(Id::WitnessIsOperator.into()),
        buttons: vec![button(Id::TapBack, Tap::Back)],
    }))
}

fn card_pin(n_digits: u8, notice: Option<Say>) -> View {
    with(Page::Witness(SignIn {
        title: Some(Id::CardPinTitle),
        picked: Some(String::new()),
        n_digits,
        notice,
        buttons: vec![button(Id::TapBack, Tap::Back)],
        ..SignIn::default()
    }))
}

fn waiting(prompt: Id, err: Option<Id>) -> View {
    with(Page::Waiting(Waiting {
        prompt,
        trouble: err.map(|err| Trouble { what: Id::DeviceIdCard, err }),
        buttons: vec![button(Id::TapOutbox, Tap::ShowOutbox), button(Id::TapSignOut, Tap::SignOut)],
    }))
}

fn benefit(title: &str, state: Id, tone: Tone, due: Option<Date>, why: &str) -> BenefitLine {
    BenefitLine { title: title.into(), state, tone, due, why: why.into() }
}

fn person_buttons(due: bool) -> Vec<Button> {
    let first = if due {
        vec![
            primary(Id::TapCertifyFace, Tap::CertifyFace),
            button(Id::TapCertifyFinger, Tap::CertifyFinger),
        ]
    } else {
        vec![primary(Id::TapDone, Tap::Done)]
    };
    let rest = [
        button(Id::TapReEnrolFace, Tap::ReEnrolFace),
        off(button(Id::TapReEnrolFinger, Tap::ReEnrolFinger)),
        button(Id::TapOtherWays, Tap::OtherWays),
        button(Id::TapNotTheirCard, Tap::NotTheirCard),
    ];
    first.into_iter().chain(rest).collect()
}

fn person_due() -> View {
    with(Page::Person(Person {
        name: "林秀英".into(),
        number: "110105********002X".into(),
        age: Some(76),
        has_photo: true,
        warnings: Vec::new(),
        benefits: vec![
            benefit(
                "城乡居民养老金",
                Id::StateDueSoon,
                Tone::Waiting,
                Some(date(2026, 12, 31)),
                "每年认证一次（规则 3）",
            ),
            benefit(
                "高龄津贴",
                Id::StateDone,
                Tone::Good,
                Some(date(2027, 6, 30)),
                "今年 6 月已认证（规则 1）",
            ),
        ],
        headline: Id::DueBy.with([Arg::Day(date(2026, 12, 31))]),
        buttons: person_buttons(true),
    }))
}

fn person_done() -> View {
    let title = "企业职工基本养老保险";
    with(Page::Person(Person {
        name: "陈福".into(),
        number: "430102********1234".into(),
        age: Some(82),
        has_photo: true,
        warnings: Vec::new(),
        benefits: vec![benefit(
            title,
            Id::StateDone,
            Tone::Good,
            Some(date(2027, 9, 30)),
            "本年度已认证（规则 2）",
        )],
        headline: Id::NothingDueUntil.with([Arg::Text(title.into()), Arg::Day(date(2027, 9, 30))]),
        buttons: person_buttons(false),
    }))
}

fn person_worst() -> View {
    let why =
        "上次认证 2025年11月30日，周期 12 个月，宽限 30 天已过，逾期 90 天后暂停（规则 4、7、12）";
    with(Page::Person(Person {
        name: "阿卜杜热西提·买买提依明·艾合买提·吐尔逊江·热合曼䶮𬎆".into(),
        number: "650102********0016".into(),
        age: Some(101),
        has_photo: false,
        warnings: [
            Id::WarnBirthDiffers,
            Id::WarnSexDiffers,
            Id::WarnExpired,
            Id::WarnValidityReversed,
            Id::WarnNameDiffers,
            Id::DateDoubtful,
        ]
        .map(Say::from)
        .into(),
        benefits: vec![
            benefit(
                "机关事业单位工作人员基本养老保险",
                Id::StateOverdue,
                Tone::Stopped,
                Some(date(2026, 10, 31)),
                why,
            ),
            benefit(
                "被征地农民养老保障待遇（第三批次补充登记人员）",
                Id::StateSuspended,
                Tone::Stopped,
                Some(date(2026, 6, 30)),
                why,
            ),
            benefit("供养直系亲属定期抚恤金", Id::StateUnderReview, Tone::Waiting, None, why),
            benefit("高龄津贴", Id::StateNotOpen, Tone::Good, Some(date(2027, 1, 1)), ""),
        ],
        headline: Id::NotOnRoster.into(),
        buttons: person_buttons(true),
    }))
}

fn consent() -> View {
    with(Page::Consent(Consent {
        method: Id::MethodFacePhoto,
        body: vec![Id::ConsentBody.into(), Id::ConsentAlternatives.into()],
        buttons: vec![
            primary(Id::TapAgree, Tap::Agree),
            button(Id::TapDecline, Tap::Decline),
            button(Id::TapBack, Tap::Back),
        ],
    }))
}

fn capture_buttons() -> Vec<Button> {
    vec![button(Id::TapCannotTake, Tap::CannotTake), button(Id::TapBack, Tap::Back)]
}

fn face(prompt: Id, good: bool, progress: f32) -> View {
    with(Page::Face(Face {
        title: Id::FaceTitle,
        prompt: prompt.into(),
        good,
        progress,
        step: None,
        buttons: capture_buttons(),
    }))
}

fn finger(finger: u8, finger_name: Id, prompt: Id, step: Option<(u8, u8)>) -> View {
    with(Page::Finger(Finger {
        title: if step.is_some() { Id::FingerEnrolTitle } else { Id::FingerTitle },
        finger,
        finger_name,
        prompt: prompt.into(),
        progress: 0.4,
        step,
        buttons: capture_buttons(),
    }))
}

fn document() -> View {
    with(Page::Document(Document {
        which: Id::DocumentFront,
        prompt: Id::DocumentFront.into(),
        step: (1, 3),
        buttons: vec![
            primary(Id::TapTakePicture, Tap::TakePicture),
            button(Id::TapCannotTake, Tap::CannotTake),
            button(Id::TapBack, Tap::Back),
        ],
    }))
}

fn judge_unsure() -> View {
    with(Page::Judge(Judge {
        headline: Id::JudgeUnsure,
        reasons: vec![Id::WhyScoreBetween.into(), Id::WhyPhotoOld.into(), Id::WhyQualityLow.into()],
        buttons: vec![
            primary(Id::TapTryAgain, Tap::TryAgain),
            button(Id::TapCertifyFinger, Tap::CertifyFinger),
            button(Id::TapAppeal, Tap::Appeal),
            button(Id::TapBack, Tap::Back),
            button(Id::TapHomeVisit, Tap::HomeVisit),
        ],
    }))
}

fn judge_different() -> View {
    with(Page::Judge(Judge {
        headline: Id::JudgeDifferent,
        reasons: vec![Id::WhyScoreLow.into(), Id::WhyPhotoOld.into(), Id::WhyTriesUsed.into()],
        buttons: vec![
            button(Id::TapCertifyFinger, Tap::CertifyFinger),
            button(Id::TapAppeal, Tap::Appeal),
            button(Id::TapBack, Tap::Back),
            button(Id::TapHomeVisit, Tap::HomeVisit),
        ],
    }))
}

fn judge_fake() -> View {
    with(Page::Judge(Judge {
        headline: Id::JudgeSuspectedFake,
        reasons: vec![Id::WhyNotLive.into()],
        buttons: vec![primary(Id::TapDone, Tap::Done), button(Id::TapHomeVisit, Tap::HomeVisit)],
    }))
}

fn judge_fault() -> View {
    with(Page::Judge(Judge {
        headline: Id::ErrStoreFault,
        reasons: vec![Id::RecStoreFault.into()],
        buttons: vec![primary(Id::TapTryAgain, Tap::TryAgain)],
    }))
}

fn choice(title: Id, lines: Vec<Say>, options: Vec<Pick>, buttons: Vec<Button>) -> View {
    with(Page::Choice(Choice { title, lines, options, buttons }))
}

fn reasons(ids: &[Id]) -> Vec<Pick> {
    ids.iter().map(|id| Pick { words: Say::from(*id), tap: Tap::Reason(*id) }).collect()
}

fn back() -> Vec<Button> {
    vec![button(Id::TapBack, Tap::Back)]
}

fn appeal() -> View {
    let options = reasons(&[
        Id::AppealReasonAged,
        Id::AppealReasonIll,
        Id::AppealReasonPhotoBad,
        Id::AppealReasonOther,
    ]);
    choice(Id::AppealTitle, vec![Id::AppealBody.into()], options, back())
}

fn ways() -> View {
    let ways = [
        Way::Message,
        Way::VisitHere,
        Way::VisitFailed,
        Way::Exempt,
        Way::Proxy,
        Way::NotHere,
        Way::Paper,
        Way::Special,
        Way::Correct,
        Way::Park,
        Way::Help,
        Way::Discard,
    ];
    let pick = |way: Way| Pick { words: way.label().into(), tap: Tap::Way(way) };
    choice(Id::WaysTitle, vec![Id::WaysBody.into()], ways.map(pick).into(), back())
}

fn messages() -> View {
    let texts = [
        "您没有需要认证的业务",
        "您的姓名或身份证号码有误",
        "查无此人信息",
        "人脸与对比照片相似度低，请确认是本人后重新操作",
        "检测到您的账号存在疑似造假行为，请本人在光线充足处重新进行认证操作",
    ];
    let pick = |(index, text): (u16, &str)| Pick {
        words: Id::Plain.with([Arg::Text(text.into())]),
        tap: Tap::Message(index),
    };
    let options = (0..).zip(texts).map(pick).collect();
    choice(Id::MessageTitle, vec![Id::MessageBody.into()], options, back())
}

fn decoded() -> View {
    let words = |zh: &str, en: &str| Arg::Words(kiosk_core::policy::Words::new(zh, en));
    let lines = vec![
        Id::DecodedCause.with([words(
            "姓名与参保信息不一致：第二个字，身份证为“琇”，参保信息为“秀”。",
            "the name differs in its second character",
        )]),
        Id::DecodedOther.with([words("本期已认证。", "already done")]),
        Id::Plain.with([words(
            "先在本机认证，再更正参保信息，更正后次日生效。",
            "certify here, then have the data corrected",
        )]),
        Id::DecodedForm.with([
            Arg::Text("基本信息变更明细表".into()),
            Arg::Number(3),
            Arg::Number(3),
        ]),
        Id::DecodedBring.with([Arg::Text("公安机关变更证明、原单位盖章".into())]),
        Id::DecodedPlace
            .with([words("先到原单位盖章，再到经办机构", "the old unit, then the agency")]),
        Id::DecodedCall.with([Arg::Text("12333、12345".into())]),
        Id::DecodedEffective.with([Arg::Day(date(2026, 11, 22))]),
    ];
    let buttons = vec![
        primary(Id::TapCertifyFace, Tap::CertifyFace),
        button(Id::TapSettle, Tap::Settle),
        button(Id::TapBack, Tap::Back),
    ];
    choice(Id::DecodedTitle, lines, Vec::new(), buttons)
}

fn discard() -> View {
    let buttons = vec![button(Id::TapDiscard, Tap::Discard), button(Id::TapBack, Tap::Back)];
    choice(Id::DiscardTitle, vec![Id::DiscardBody.into()], Vec::new(), buttons)
}

fn ending(headline: Id, tone: Tone, lines: Vec<kiosk_core::message::Say>) -> Ending {
    Ending {
        headline,
        tone,
        lines,
        delivery: Delivery::SavedHere,
        slip: SlipState::Printed,
        buttons: vec![primary(Id::TapDone, Tap::Done), button(Id::TapPrintAgain, Tap::PrintAgain)],
    }
}

fn next_due(title: &str, year: i16) -> kiosk_core::message::Say {
    Id::NextDue.with([Arg::Text(title.into()), Arg::Day(date(year, 12, 31))])
}

fn result_good(delivery: Delivery, slip: SlipState) -> View {
    let lines = vec![next_due("城乡居民养老金", 2027), Id::NextCall.into()];
    with(Page::Result(Ending { delivery, slip, ..ending(Id::OutcomeCertified, Tone::Good, lines) }))
}

fn result_appeal() -> View {
    let lines = vec![Id::NextAppealAnswer.into(), Id::NextCall.into()];
    with(Page::Result(ending(Id::OutcomeAppealFiled, Tone::Waiting, lines)))
}

fn result_fake() -> View {
    let lines = vec![Id::NextSupervisor.into(), Id::NextCall.into()];
    let ending = ending(Id::OutcomeStoppedSuspectedFake, Tone::Stopped, lines);
    with(Page::Result(Ending {
        delivery: Delivery::Held,
        slip: SlipState::NotPrinted(Id::ErrPrinterPaper),
        ..ending
    }))
}

fn result_worst() -> View {
    let lines = vec![
        next_due("机关事业单位工作人员基本养老保险", 2027),
        next_due("被征地农民养老保障待遇（第三批次补充登记人员）", 2027),
        next_due("供养直系亲属定期抚恤金", 2028),
        next_due("高龄津贴", 2027),
        Id::NextPhoneCheck.into(),
        Id::NextCall.into(),
    ];
    let ending = ending(Id::OutcomeModelBuiltAndCertified, Tone::Good, lines);
    with(Page::Result(Ending {
        delivery: Delivery::CentreHasIt(1_844_674_407_370),
        slip: SlipState::NotPrinted(Id::ErrPrinterSilent),
        ..ending
    }))
}

fn outbox() -> View {
    let line = |seq, outcome, day, delivery| OutboxLine { seq, outcome, day, delivery };
    with(Page::Outbox(Outbox {
        headline: Id::OutboxWaiting.with([Arg::Number(3)]),
        lines: vec![
            line(1042, Id::OutcomeCertified, TODAY, Delivery::SavedHere),
            line(1041, Id::OutcomeAppealFiled, TODAY, Delivery::SavedHere),
            line(1040, Id::OutcomeModelBuiltAndCertified, TODAY, Delivery::SavedHere),
            line(1039, Id::OutcomeCertified, date(2026, 11, 20), Delivery::CentreHasIt(40212)),
            line(1038, Id::OutcomeStoppedSuspectedFake, date(2026, 11, 20), Delivery::Held),
            line(1037, Id::OutcomeCertified, date(2026, 11, 20), Delivery::CentreHasIt(40210)),
            line(1036, Id::OutcomeAlreadyDone, date(2026, 11, 19), Delivery::CentreHasIt(40209)),
            line(1035, Id::OutcomeCertified, date(2026, 11, 19), Delivery::CentreHasIt(40208)),
        ],
        slip: None,
        update: Some(Id::OutboxUpdate.with([Arg::Text("0.1.1".into())])),
        buttons: vec![button(Id::TapBack, Tap::Back)],
    }))
}

fn people(typed: Option<&str>) -> View {
    let line = |name: &str, village: &str, state, tone, due| PersonLine {
        name: name.into(),
        number: "110105********002X".into(),
        village: village.into(),
        state,
        tone,
        due: Some(due),
    };
    let headline = match typed {
        Some(typed) => Id::PeopleTyped.with([Arg::Text(typed.into())]),
        None => Id::PeopleDue.into(),
    };
    let first = match typed {
        Some(_) => vec![
            button(Id::TapEraseLetter, Tap::EraseLetter),
            button(Id::TapByDue, Tap::People(Ask::Due)),
        ],
        None => vec![
            button(Id::TapByLetters, Tap::People(Ask::Letters(String::new()))),
            button(Id::TapSuspended, Tap::People(Ask::Suspended)),
            button(Id::TapByVillage, Tap::People(Ask::Villages)),
        ],
    };
    let last = [button(Id::TapNextPage, Tap::NextPage), button(Id::TapBack, Tap::Back)];
    let buttons = first.into_iter().chain(last).collect();
    with(Page::People(People {
        headline,
        typed: typed.map(Into::into),
        lines: vec![
            line("林**", "桂花坪村", Id::StateSuspended, Tone::Stopped, date(2026, 6, 30)),
            line("陈*", "上湾村", Id::StateOverdue, Tone::Stopped, date(2026, 10, 31)),
            line("阿**", "赛里木乡阔纳夏尔村", Id::StateDueSoon, Tone::Waiting, date(2026, 12, 1)),
            line("李**", "桂花坪村", Id::StateDone, Tone::Good, date(2027, 10, 31)),
        ],
        buttons,
    }))
}

/// No lines: the check is under way.
fn devices(lines: &[(&str, &str, Tone, &str)]) -> View {
    let said = |zh: &str, en: &str| kiosk_core::policy::Words { zh: zh.into(), en: en.into() };
    let line = |(zh, en, tone, code): &(&str, &str, Tone, &str)| {
        DeviceLine {
        name: said(zh, en),
        tone: *tone,
        what: match tone {
            Tone::Good => said("正常。", "Works."),
            _ => said("指纹仪没有反应，或者玻璃上有东西。", "It does not answer, or the glass is not empty."),
        },
        todo: (*tone != Tone::Good).then(|| {
            said(
                "请拔下这个设备，等十秒再插上，再检查一次；还不行请报修。",
                "Unplug the device, wait ten seconds, plug it in and check again; if that does not help, report it.",
            )
        }),
        code: (*code).into(),
    }
    };
    let headline = match lines.len() {
        0 => Id::DevicesChecking.into(),
        _ => Id::DevicesFailing.with([Arg::Number(2)]),
    };
    let again = button(Id::TapCheckAgain, Tap::ShowDevices);
    let again = if lines.is_empty() { off(again) } else { again };
    let buttons = vec![again, button(Id::TapBack, Tap::Back)];
    with(Page::Devices(Devices { headline, lines: lines.iter().map(line).collect(), buttons }))
}

const DEVICES: [(&str, &str, Tone, &str); 8] = [
    ("读卡器", "ID-card reader", Tone::Good, "ok"),
    ("证件照片解码", "card photo decoder", Tone::Good, "ok"),
    ("指纹仪", "fingerprint module", Tone::Stopped, "finger-reader-glass-not-empty"),
    ("打印机", "receipt printer", Tone::Waiting, "printer-paper-low"),
    ("面板灯和开关", "panel", Tone::Good, "ok"),
    ("客显屏", "customer display", Tone::Good, "ok"),
    ("喇叭", "speaker", Tone::Good, "ok"),
    ("时钟", "clock", Tone::Good, "ok"),
];
