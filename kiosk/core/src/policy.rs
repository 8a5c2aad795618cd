//! Policy packs: what an agency's notice says about one benefit, as versioned and dated data.
//!
//! A pack is a TOML file that carries its own examples; it loads only if its schema and every example hold.
//! Whether its signature is good is decided by the program, which hands the finding to [`PackSet::offer`].

use std::sync::Arc;

use jiff::civil::Date;

use crate::benefit::{Abode, Group, Insurance, Method, vocabulary};
use crate::calendar::Calendar;

mod assess;
mod describe;
mod example;
mod parse;
mod read;
mod report;
mod set;
mod settle;
mod words;

pub(crate) use assess::full_years;
pub use assess::{Assessment, DueState, NotRequiredReason, Stand};
pub use example::Example;
pub use parse::{BYTES_MAX, PackFault};
pub use read::printable;
pub use report::{
    CheckReport, CheckedFault, ExplainedAbode, ExplainedSuccess, Explanation, ListedFolder,
    ListedPack, Question, check, check_bytes, explain, list, list_files, unreadable,
};
pub use set::{Offer, PackSet, Signature};
pub use settle::{RecordKind, Settled, Settlement};
pub use words::Words;
pub(crate) use words::{UNCONFIRMED, date};

/// One policy pack: one region, agency and insurance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Stable name, such as `cn.nm.region.enterprise_pension`.
    pub id: String,
    /// Grows with each edition.
    pub version: u32,
    /// Name in Chinese.
    pub title: String,
    /// Name in English.
    pub title_en: String,
    /// First day on which this edition may be applied.
    pub valid_from: Date,
    /// The notice that it was written from.
    pub source: String,
    /// Who has to sign it.
    pub signer: Option<String>,
    /// The edition that it replaces.
    pub supersedes: Option<u32>,
    /// Who it is for.
    pub scope: Scope,
    /// When something is due.
    pub calendar: Calendar,
    /// The general rule of the calendar as a clause.
    pub calendar_words: Words,
    /// Rules behind the calendar.
    pub calendar_rules: Vec<String>,
    /// What a second success in the same period does (C2).
    pub repeat: Repeat,
    /// From how many days before the due date on it is *due soon*.
    pub remind_days_before: i32,
    /// Identity check before the benefit is approved (R7, C27).
    pub pre_approval: Option<PreApproval>,
    /// Ages below which nothing is required (R8).
    pub ages: Vec<AgeRule>,
    /// Why nothing is owed, with the rules behind each reason.
    pub reasons: Vec<ReasonRule>,
    /// What happens to the late.
    pub late: Late,
    /// Ways that exist here.
    pub methods: Vec<Arc<MethodRule>>,
    /// What to try after a failure, in order (C7).
    pub escalation: Vec<Step>,
    /// Building a new biometric reference.
    pub model: Model,
    /// Appeals.
    pub appeal: Appeal,
    /// Home visits.
    pub home_visit: HomeVisitRule,
    /// Liveness.
    pub liveness: Liveness,
    /// Tries and locks.
    pub limits: Limits,
    /// Correction of base data.
    pub fix: Fix,
    /// Papers by case.
    pub materials: Vec<Material>,
    /// What the person is told afterwards.
    pub notify: Notify,
    /// Hong Kong, Macau, Taiwan: documents in order of preference (R9 to R11).
    pub hkmotw: Option<Abroad>,
    /// Overseas, by the day from which each rule holds (R12 to R14, C17).
    pub overseas: Vec<Abroad>,
    /// Away from home in the mainland (R99, R81).
    pub away: Option<Abroad>,
    /// Messages of the phone app and what may be behind them.
    pub messages: Vec<AppMessage>,
    /// Places to go.
    pub sites: Vec<Site>,
    /// Numbers to call; several, because one may be busy (R111).
    pub hotlines: Vec<String>,
    /// The phone app of this region, for the slip (R118).
    pub app: Option<String>,
    /// Its own test cases.
    pub examples: Vec<Example>,
    /// What no notice says and the agency has to confirm: table and key, such as `schedule.kind`.
    pub unconfirmed: Vec<String>,
}

/// Who a pack is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Six digits of GB/T 2260.
    pub region: String,
    /// Its name.
    pub region_name: String,
    /// The paying agency.
    pub agency: String,
    /// What pays.
    pub insurance: Insurance,
    /// Who receives.
    pub groups: Vec<Group>,
    /// Any site of the region serves any person (R100).
    pub accepts_other_sites: bool,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// What a second success in the same period does.
    Repeat {
        Block = "block", "本期内不再重复认证", "refused in the same period";
        AllowNoEffect = "allow_no_effect", "可再次认证，期限不变", "allowed, changes nothing";
        AllowExtend = "allow_extend", "可再次认证，有效期顺延", "allowed, extends the validity";
    }
}

/// Identity check of somebody whose benefit is not approved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreApproval {
    /// How long it holds.
    pub validity_months: i32,
    /// Rules behind it.
    pub rules: Vec<String>,
}

/// Age below which a group owes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// Group.
    pub group: Group,
    /// Full years.
    pub from: i16,
    /// Rules behind it.
    pub rules: Vec<String>,
    /// No notice says this number of years.
    pub is_ours: bool,
}

/// The rules behind a reason for which nothing is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonRule {
    /// Name of a [`NotRequiredReason`], or `under_review`.
    pub key: &'static str,
    /// Rules behind it.
    pub rules: Vec<String>,
    /// This agency's notice does not say so; another's does.
    pub is_ours: bool,
}

/// What happens to the late.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Late {
    /// The agency suspends payment.
    pub suspend: bool,
    /// Legal basis.
    pub basis: Option<String>,
    /// When payment resumes.
    pub resume: Option<Resume>,
    /// The suspended months are paid later.
    pub backpay: bool,
    /// Who has to act after the success; none means nobody (C24).
    pub handover: Option<String>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// When a suspended payment resumes.
    Resume {
        AfterSuccess = "after_success", "认证后恢复发放", "after the success";
        AfterAgencyCheck = "after_agency_check", "经办机构核实后恢复发放", "after the agency's check";
    }
}

/// A way to certify and how it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodRule {
    /// Which.
    pub method: Method,
    /// Whether a success by it is a certification.
    pub counts: bool,
    /// A reference must have been built before.
    pub needs_model: bool,
    /// Counts when the centre has it (R85).
    pub report_required: bool,
    /// What the person is advised to do as well (R86).
    pub advise: Option<Advice>,
    /// Offered only after one of these failed (R84).
    pub only_if_failed: Vec<Method>,
    /// Only for people who live there; empty means everybody.
    pub abodes: Vec<Abode>,
    /// Two people have to be there.
    pub two_person: bool,
    /// A supervisor has to agree.
    pub supervisor: bool,
    /// Number of digit strings to be spoken (R82).
    pub digit_strings: Option<u8>,
    /// A second success in the same period, where it differs from the pack (C2).
    pub repeat: Option<Repeat>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// Advice printed on the slip.
    Advice {
        OnePhoneCheck = "one_phone_check", "建议再用手机APP认证一次，完善个人信息", "certify once by phone as well, to complete the data";
        ModelWhenBack = "model_when_back", "返回参保地后请到窗口建模", "have the face modelled when back home";
    }
}

vocabulary! {
    /// A rung of the ladder after a failure.
    Step {
        RetryGuided = "retry_guided", "按提示再试一次", "try again with guidance";
        Fingerprint = "fingerprint", "改用指纹", "use the fingerprint";
        Voice = "voice", "改用声纹", "use the voice";
        Remodel = "remodel", "重新建模", "build a new reference";
        Window = "window", "到窗口认证", "go to the window";
        Appeal = "appeal", "申诉", "appeal";
        HomeVisit = "home_visit", "上门认证", "home visit";
        Special = "special", "特殊认证", "special certification";
    }
}

/// Building a new biometric reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Pictures in order (R72).
    pub steps: Vec<ModelStep>,
    /// Failed uploads before a person has to look (R75).
    pub max_uploads: u8,
    /// How long that takes (R76, C26).
    pub review_days: Option<u16>,
    /// A reference that a review approves is a certification too (C6). One that is built at the terminal is followed by a
    /// verification in any case.
    pub counts_as_success: bool,
    /// Originals that have to be shown.
    pub bring: Vec<String>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// A picture of a re-enrolment.
    ModelStep {
        IdFront = "id_front", "身份证人像面", "portrait side of the card";
        IdBack = "id_back", "身份证国徽面", "emblem side of the card";
        IdInHand = "id_in_hand", "手持身份证", "card held beside the face";
        Face = "face", "正面人脸", "face";
        Fingers = "fingers", "指纹", "fingers";
    }
}

/// Appeals: two people say yes although the machine says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appeal {
    /// Who may file one.
    pub who: Vec<Actor>,
    /// An approved appeal is a certification too (R90).
    pub counts_as_success: bool,
    /// Days until the answer, if the notice names any (C26).
    pub review_days: Option<u16>,
    /// What a refused one needs.
    pub on_reject: String,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// Who may act (C9).
    Actor {
        UnitClerk = "unit_clerk", "单位专管员", "unit clerk";
        Operator = "operator", "经办人员", "operator";
        OperatorAndSupervisor = "operator+supervisor", "经办人员与主管", "operator and supervisor";
        Relative = "relative", "亲友", "relative or friend";
        StreetStation = "street_station", "街道（乡镇）服务站", "street station";
        Agency = "agency", "经办机构", "agency";
    }
}

/// Home visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeVisitRule {
    /// Who reports the person.
    pub reported_by: Vec<Actor>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

/// Liveness check (C20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// A passive check is enough.
    pub passive: bool,
    /// Actions that may be asked for.
    pub actions: Vec<Action>,
    /// How many of them.
    pub n_actions: u8,
    /// Time to react, seconds.
    pub timeout_s: u16,
    /// Conditions under which no action is asked for.
    pub exempt: Vec<Condition>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// An action of a liveness check; the prompt says what is really checked (R59).
    Action {
        OpenMouth = "open_mouth", "张嘴", "open the mouth";
        ShakeHead = "shake_head", "摇头", "shake the head";
        Blink = "blink", "眨眼", "blink";
        TurnHead = "turn_head", "转头", "turn the head";
        Nod = "nod", "点头", "nod";
    }
}

vocabulary! {
    /// Why somebody cannot follow an action (R15).
    Condition {
        Deaf = "deaf", "耳聋", "deaf";
        Dementia = "dementia", "痴呆", "dementia";
        Bedridden = "bedridden", "卧床", "bedridden";
        Blind = "blind", "失明", "blind";
        DeformedFace = "deformed_face", "面部变形", "deformed face";
    }
}

/// Tries and locks. The elder is never locked out; the first suspected fake stops the session, and no pack may ask for
/// more of them (R66, R67).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Guided tries of one method.
    pub tries: u8,
    /// When an operator is locked.
    pub sign_in: SignInLimits,
    /// Whether a social-security card that tells its holder only after its PIN is asked for that PIN. Without it such a
    /// card is not used; none is ever tried that its holder did not enter.
    pub social_card_pin: bool,
}

/// When an operator is locked, and for how long (R112).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInLimits {
    /// Wrong PINs before the lock.
    pub pin_tries: u8,
    /// Hours that it lasts.
    pub lock_h: u16,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self { pin_tries: 3, lock_h: 24 }
    }
}

/// Correction of base data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Where (C11).
    pub places: Vec<FixPlace>,
    /// Days until it takes effect (C10); none where the notice says nothing.
    pub effective_after_days: Option<u16>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// Where base data are corrected.
    FixPlace {
        UnitThenAgency = "unit_then_agency", "先到原单位盖章，再到经办机构", "the old unit, then the agency";
        AnyAgencyInCity = "any_agency_in_city", "全市任意一家经办机构", "any agency in the city";
        ArchiveHolder = "archive_holder", "档案托管机构", "the institution that keeps the file";
        AgencyWindow = "agency_window", "社保经办机构窗口", "the agency's window";
    }
}

vocabulary! {
    /// A case that needs papers.
    Case {
        ChangeIdNumber = "change_id_number", "变更身份证号码", "change of identity number";
        ChangeName = "change_name", "变更姓名", "change of name";
        Remodel = "remodel", "现场重新建模", "building a new reference on site";
        NoSocialCard = "no_social_card", "未领社保卡", "no social card yet";
        AddSurvivor = "add_survivor", "新增供养人员", "adding a survivor";
        ClearDuplicate = "clear_duplicate", "清退重复待遇", "clearing a double benefit";
        Late = "late", "补认证与补发", "late certification and back pay";
        Abroad = "abroad", "境外居住", "living abroad";
    }
}

/// Papers for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// Case.
    pub case: Case,
    /// Name of the form, if there is one.
    pub form: Option<String>,
    /// How many of the form.
    pub copies: u8,
    /// How many copies of the identity card.
    pub id_copies: u8,
    /// Whose stamp.
    pub stamp: Option<String>,
    /// What else.
    pub also: Vec<String>,
    /// Where the form is found.
    pub download: Option<String>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

/// What the person is told afterwards (C21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Text messages.
    pub sms: Sms,
    /// Screen and slip name the next date (R29).
    pub next_date: bool,
    /// A phone number is asked for (R94).
    pub ask_phone: bool,
    /// Rules behind it.
    pub rules: Vec<String>,
}

vocabulary! {
    /// When a text message is sent.
    Sms {
        None = "none", "不发短信", "never";
        SuccessOnly = "success_only", "仅认证成功时发短信", "on success only";
        Always = "always", "每次均发短信", "always";
    }
}

/// People who live elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abroad {
    /// The rule that governs it.
    pub rule: String,
    /// First day on which it holds; none means always.
    pub from: Option<Date>,
    /// Ways in order of preference, as the person is told.
    pub ways: Vec<String>,
    /// Where the list of such people goes.
    pub list_to: Option<String>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

/// A message of the phone app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppMessage {
    /// Its text, or a part of it.
    pub text: String,
    /// What may be behind it, most likely first.
    pub causes: Vec<crate::decoder::CauseKind>,
    /// Rules behind it.
    pub rules: Vec<String>,
}

/// A place to go. Notices leave gaps, so does this (R110).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name.
    pub name: String,
    /// Address, if known.
    pub address: Option<String>,
    /// Phone number, if known.
    pub phone: Option<String>,
    /// Opening hours, if known.
    pub hours: Option<String>,
}

impl Pack {
    /// Reads a pack and holds it against its own examples.
    pub fn parse(text: &str) -> Result<Self, Vec<PackFault>> {
        parse::parse(text)
    }

    /// Whether a success by this method is a certification here.
    pub fn counts(&self, method: Method) -> bool {
        self.method(method).is_some_and(|rule| rule.counts)
    }

    /// What the pack says about a method.
    pub fn method(&self, method: Method) -> Option<&MethodRule> {
        self.methods.iter().map(Arc::as_ref).find(|rule| rule.method == method)
    }

    /// The rule for people overseas that holds on a day.
    pub fn overseas_on(&self, day: Date) -> Option<&Abroad> {
        self.overseas
            .iter()
            .filter(|rule| rule.from.is_none_or(|from| from <= day))
            .max_by_key(|rule| rule.from)
    }

    /// Papers for a case.
    pub fn material(&self, case: Case) -> Option<&Material> {
        self.materials.iter().find(|material| material.case == case)
    }

    /// The group that a roster entry means. An empty one is the first of the pack.
    pub(crate) fn group(&self, name: &str) -> Option<Group> {
        if name.is_empty() {
            return self.scope.groups.first().copied();
        }
        Group::from_id(name).filter(|group| self.scope.groups.contains(group))
    }
}

#[cfg(test)]
pub(crate) mod tests;
