//! The way out of each cause: what can be done here and now, which papers in how many copies, where, from when on.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;

use super::{Cause, CauseKind, Certainty, Facts};
use crate::benefit::{Stage, vocabulary};
use crate::policy::{Case, FixPlace, Pack, Site, Words};

/// What to do about a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What can be done at this terminal now.
    pub here: Here,
    /// The way out in a sentence.
    pub words: Words,
    /// Papers to bring, with what can be filled in already.
    pub forms: Vec<Form>,
    /// Where to take them.
    pub places: Vec<FixPlace>,
    /// Addresses and hours, as far as the notice names them.
    pub sites: Vec<Site>,
    /// Numbers to call.
    pub hotlines: Vec<String>,
    /// Days until a correction takes effect; none where the notice does not say.
    pub effective_after_days: Option<u16>,
    /// The day on which the phone app will know it, if it is corrected today.
    pub effective_on: Option<Date>,
}

vocabulary! {
    /// What can be done at this terminal now.
    Here {
        Certify = "certify", "在本机直接认证", "certify at this terminal";
        CertifyAndFix = "certify_and_fix", "先在本机认证，再更正参保信息", "certify here, then have the data corrected";
        Remodel = "remodel", "在本机重新建模并认证", "build a new reference here and certify";
        Fix = "fix", "先更正参保信息", "have the data corrected first";
        ShowProof = "show_proof", "已认证，打印凭据", "done already; print the proof";
        Wait = "wait", "到开放日期再来", "come again when it opens";
        Refer = "refer", "到窗口办理", "go to the window";
        NothingOwed = "nothing_owed", "不需要认证", "nothing is owed";
    }
}

/// A form with what the terminal can fill in. It prints masked; the values are for paper only.
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    /// Case that it is for.
    pub case: Case,
    /// Its name; none where the notice names no form.
    pub name: Option<String>,
    /// How many of it.
    pub copies: u8,
    /// How many copies of the identity card.
    pub id_copies: u8,
    /// Whose stamp.
    pub stamp: Option<String>,
    /// What else to bring.
    pub also: Vec<String>,
    /// Where the form is found.
    pub download: Option<String>,
    /// Label and value of each field that is known.
    pub filled: Vec<(&'static str, String)>,
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} x{}, id x{}, …)", self.case.id(), self.copies, self.id_copies)
    }
}

/// The way out of a cause. Papers are listed for everything that was proved, so that one trip is enough.
pub(super) fn remedy(facts: &Facts<'_>, likely: &Cause, others: &[Cause]) -> Remedy {
    let here = here(facts, likely);
    let pack = facts.home_pack();
    let proved = others.iter().filter(|cause| cause.certainty == Certainty::Proved);
    let mut cases: Vec<Case> =
        std::iter::once(likely).chain(proved).filter_map(|c| case(facts, c.kind)).collect();
    cases.dedup();
    let fixes = matches!(here, Here::CertifyAndFix | Here::Fix);
    let after = pack.filter(|_| fixes).and_then(|pack| pack.fix.effective_after_days);
    let going = pack.filter(|_| fixes || here == Here::Refer);
    Remedy {
        here,
        words: words(facts, here, likely, after),
        forms: cases.into_iter().map(|case| form(facts, pack, case)).collect(),
        places: going.map(|pack| pack.fix.places.clone()).unwrap_or_default(),
        sites: going.map(|pack| pack.sites.clone()).unwrap_or_default(),
        hotlines: going.map(|pack| pack.hotlines.clone()).unwrap_or_default(),
        effective_after_days: after,
        effective_on: after.map(|days| facts.today.saturating_add(i64::from(days).days())),
    }
}

/// A certification may go on when the difference is one of spelling; another number is another person until
/// the agency says otherwise.
fn here(facts: &Facts<'_>, cause: &Cause) -> Here {
    let proved = cause.certainty == Certainty::Proved;
    let owed = facts.assessed().iter().any(|(_, _, found)| found.state.is_owed());
    match cause.kind {
        CauseKind::NameDiffers | CauseKind::NumberDiffers | CauseKind::BaseDataDiffers
            if proved =>
        {
            let names = facts.name_differences().unwrap_or_default();
            let same = names.iter().all(|d| d.kind.may_be_spelling())
                && facts.number_difference().is_some_and(|number| number.is_same());
            if same { Here::CertifyAndFix } else { Here::Fix }
        }
        CauseKind::NameDiffers | CauseKind::NumberDiffers | CauseKind::BaseDataDiffers => {
            Here::Refer
        }
        CauseKind::DuplicateBenefit => Here::Refer,
        CauseKind::PhotoMissing | CauseKind::ModelMissing | CauseKind::FaceChanged => Here::Remodel,
        _ if owed => Here::Certify,
        CauseKind::BelowAge if proved => Here::NothingOwed,
        CauseKind::AlreadyDone if proved => Here::ShowProof,
        CauseKind::NotOpenYet | CauseKind::NotOpenHere | CauseKind::UnderReview if proved => {
            Here::Wait
        }
        CauseKind::NotRetired | CauseKind::NotYetUpdated | CauseKind::NotInScheme => Here::Refer,
        CauseKind::BelowAge | CauseKind::NotOpenHere if facts.roster.is_none() => Here::Refer,
        _ => Here::Certify,
    }
}

fn words(facts: &Facts<'_>, here: Here, cause: &Cause, after: Option<u16>) -> Words {
    let words = Words::new(here.zh(), here.en());
    let app = facts.home_pack().and_then(|pack| pack.app.as_deref());
    let mut words = match (cause.kind, after, app) {
        (_, Some(0), _) => {
            words.then(&Words::new("，更正后即可用手机认证", "and the phone works once corrected"))
        }
        (_, Some(1), _) => words
            .then(&Words::new("，更正后次日生效", "and the correction takes effect the next day")),
        (_, Some(days), _) => words.then(&Words::new(
            format!("，更正后{days}天生效"),
            format!("and the correction takes effect after {days} days"),
        )),
        (CauseKind::SuspectedFake, ..) => words
            .then(&Words::new("；本人不会因此被锁定", "and the person is never locked out for it")),
        (CauseKind::DuplicateBenefit, ..) => words.then(&Words::new(
            "，办理清退手续后再认证",
            "to clear the double benefit, then certify",
        )),
        (CauseKind::NotInScheme | CauseKind::NotOpenHere, _, Some(app))
            if facts.roster.is_some() =>
        {
            words.then(&Words::new(
                format!("；手机上应使用“{app}”"),
                format!("and use the app \"{app}\" on the phone"),
            ))
        }
        _ => words,
    };
    words.zh.push('。');
    words
}

fn case(facts: &Facts<'_>, kind: CauseKind) -> Option<Case> {
    let any = |stage| {
        facts.roster.is_some_and(|person| person.entitlements.iter().any(|e| e.stage == stage))
    };
    match kind {
        CauseKind::NameDiffers | CauseKind::BaseDataDiffers => Some(Case::ChangeName),
        CauseKind::NumberDiffers => Some(Case::ChangeIdNumber),
        CauseKind::DuplicateBenefit => Some(Case::ClearDuplicate),
        CauseKind::ModelMissing | CauseKind::PhotoMissing | CauseKind::FaceChanged => {
            Some(Case::Remodel)
        }
        CauseKind::NotYetUpdated | CauseKind::NotRetired if any(Stage::NotAdded) => {
            Some(Case::AddSurvivor)
        }
        _ => None,
    }
}

/// The pack's papers; where it names none, the card and the agency's window.
fn form(facts: &Facts<'_>, pack: Option<&Pack>, case: Case) -> Form {
    let material = pack.and_then(|pack| pack.material(case));
    Form {
        case,
        name: material.and_then(|m| m.form.clone()),
        copies: material.map_or(0, |m| m.copies),
        id_copies: material.map_or(0, |m| m.id_copies),
        stamp: material.and_then(|m| m.stamp.clone()),
        also: material.map_or_else(|| vec!["本人身份证原件".to_owned()], |m| m.also.clone()),
        download: material.and_then(|m| m.download.clone()),
        filled: filled(facts, case),
    }
}

fn filled(facts: &Facts<'_>, case: Case) -> Vec<(&'static str, String)> {
    let card = facts.card;
    let mut fields = vec![
        ("姓名", card.name.0.clone()),
        ("身份证号码", card.number.as_str().to_owned()),
        ("住址", card.address.clone()),
    ];
    if let (Some(person), Case::ChangeName) = (facts.roster, case) {
        fields.push(("变更前姓名", person.name.to_owned()));
        fields.push(("变更后姓名", card.name.0.clone()));
    }
    if let (Some(person), Case::ChangeIdNumber) = (facts.roster, case) {
        fields.push(("变更前身份证号码", person.number.to_owned()));
        fields.push(("变更后身份证号码", card.number.as_str().to_owned()));
    }
    fields.push(("填表日期", facts.today.to_string()));
    fields
}
