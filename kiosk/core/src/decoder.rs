//! What the phone app said, which cause it was, and the way out: all that can be tested without a network.
//!
//! Every cause that a notice names is tried on the card, the roster and the packs. One that is proved comes
//! first, one that is ruled out is told as such, and each has a remedy, so that nobody leaves with a bare "no".

use std::fmt;

use jiff::civil::Date;

use crate::benefit::{Entitlement, vocabulary};
use crate::folding::{CharDifference, fold};
use crate::identity::CardIdentity;
use crate::moment::Doubt;
use crate::policy::{Pack, PackSet, Words};
use crate::roster::Beneficiary;

mod causes;
mod number;
mod remedy;

pub use number::NumberDifference;
pub use remedy::{Form, Here, Remedy};

vocabulary! {
    /// What may be behind a message of the phone app. The names are those of `causes` in a pack.
    CauseKind {
        Typo = "typo", "手机上输入有误", "typed wrongly on the phone";
        IdInvalid = "id_invalid", "身份证号码格式或校验位不符", "the identity number is malformed";
        NameDiffers = "name_differs", "姓名与参保信息不一致", "the name differs from the insured data";
        NumberDiffers = "number_differs", "身份证号码与参保信息不一致", "the number differs from the insured data";
        BaseDataDiffers = "base_data_differs", "参保信息与身份证不一致", "insured data differ from the card";
        BelowAge = "below_age", "未到领取待遇年龄", "below the age";
        NotInScheme = "not_in_scheme", "不属于本险种待遇领取人员", "not a recipient of this scheme";
        NotRetired = "not_retired", "系统中不是待遇领取人员", "not a recipient in the system";
        NotYetUpdated = "not_yet_updated", "刚办理退休，信息尚未进入认证库", "just retired, not yet in the base";
        NotOpenHere = "not_open_here", "本地区或险种尚未开通", "not open for this region or scheme";
        NotOpenYet = "not_open_yet", "未到认证时间", "not open yet";
        AlreadyDone = "already_done", "本期已认证", "already done";
        UnderReview = "under_review", "正在审核", "under review";
        DuplicateBenefit = "duplicate_benefit", "重复领取待遇", "drawn twice";
        CardAbnormal = "card_abnormal", "社保卡状态异常", "the social card is abnormal";
        PhotoMissing = "photo_missing", "系统中没有可比对的照片", "no photo to compare with";
        PhotoSlow = "photo_slow", "外省照片获取缓慢", "photo from another province is slow";
        Network = "network", "手机网络中断", "the phone's network";
        FaceChanged = "face_changed", "现在相貌与证件照差异大", "the face changed since the photo";
        LivenessFailed = "liveness_failed", "活体检测未通过", "liveness was not proved";
        SuspectedFake = "suspected_fake", "疑似造假行为", "suspected fake";
        ModelMissing = "model_missing", "尚未建模", "no reference built yet";
        PhoneProblem = "phone_problem", "手机或系统不支持", "the phone is not supported";
        AccountLocked = "account_locked", "手机账户被锁定", "the phone account is locked";
    }
}

vocabulary! {
    /// How sure a cause is.
    Certainty {
        Proved = "proved", "已查实", "proved";
        Possible = "possible", "可能", "possible";
        RuledOut = "ruled_out", "已排除", "ruled out";
    }
}

vocabulary! {
    /// State of a social security card; a hint, never a stopper (C13).
    SocialCard {
        Unknown = "unknown", "未知", "unknown";
        Active = "active", "正常", "active";
        NotActivated = "not_activated", "未激活", "not activated";
        Lost = "lost", "已挂失", "reported lost";
        Frozen = "frozen", "已冻结", "frozen";
        NotIssued = "not_issued", "未领卡", "not issued";
    }
}

/// What the roster knows about the person on the chair. Absent knowledge is `None` or unknown, never "no".
#[derive(Clone, Copy)]
pub struct OnRoster<'a> {
    /// Number as the authority has it; may be a legacy one, or wrong.
    pub number: &'a str,
    /// Name as the authority has it.
    pub name: &'a str,
    /// What they draw.
    pub entitlements: &'a [Entitlement],
    /// Whether a face reference exists at the centre.
    pub has_reference: Option<bool>,
    /// Their social card.
    pub social_card: SocialCard,
}

impl<'a> From<&'a Beneficiary> for OnRoster<'a> {
    fn from(person: &'a Beneficiary) -> Self {
        let has_face = person.references.iter().any(|reference| reference.modality == "face");
        Self {
            number: &person.number,
            name: &person.name,
            entitlements: &person.entitlements,
            has_reference: has_face.then_some(true),
            social_card: SocialCard::Unknown,
        }
    }
}

/// A cause with what speaks for it or against it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub kind: CauseKind,
    /// How sure.
    pub certainty: Certainty,
    /// What was found, in a sentence. It may name the person's data: for the screen and the slip, not for a log.
    pub evidence: Words,
    /// Rules behind it.
    pub rules: Vec<&'static str>,
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({} {}, …)", self.kind.id(), self.certainty.id())
    }
}

/// What was found out about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Whether a pack knows the message. If not, every cause was tried.
    pub known: bool,
    /// The likely cause.
    pub likely: Cause,
    /// The others that stay possible, likely ones first.
    pub others: Vec<Cause>,
    /// Those that the terminal could rule out.
    pub ruled_out: Vec<Cause>,
    /// The way out.
    pub remedy: Remedy,
}

/// Finds the cause behind a message of the phone app. `message` is what the person shows, or a picked text.
pub fn decode(
    message: &str,
    card: &CardIdentity,
    roster: Option<OnRoster<'_>>,
    packs: &PackSet,
    today: Date,
    doubt: Doubt,
) -> Decoded {
    let case = Facts { card, roster, packs, today, doubt, message };
    let named = case.named_causes();
    let known = !named.is_empty();
    let all = spread(CauseKind::ALL);
    let tried = if known { spread(&named) } else { all.clone() };
    let unnamed = all.iter().filter(|kind| !tried.contains(kind));
    let mut causes: Vec<Cause> = tried.iter().map(|kind| causes::test(&case, *kind)).collect();
    causes.extend(
        unnamed.map(|kind| causes::test(&case, *kind)).filter(|c| c.certainty == Certainty::Proved),
    );
    // A stable sort keeps the order of the notice among equally sure causes (C14).
    causes.sort_by_key(|cause| cause.certainty);
    let (ruled_out, mut open): (Vec<Cause>, Vec<Cause>) =
        causes.into_iter().partition(|cause| cause.certainty == Certainty::RuledOut);
    if open.is_empty() {
        open.push(causes::nothing_found());
    }
    let likely = open.remove(0);
    let remedy = remedy::remedy(&case, &likely, &open);
    Decoded { known, likely, others: open, ruled_out, remedy }
}

/// The messages that the packs know, for the list that staff pick from. The person's own packs come first.
pub fn messages(packs: &PackSet, roster: Option<OnRoster<'_>>, today: Date) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for message in own_first(packs, roster.as_ref(), today).iter().flat_map(|pack| &pack.messages) {
        if !texts.contains(&message.text) {
            texts.push(message.text.clone());
        }
    }
    texts
}

/// `BaseDataDiffers` is said by its two parts, each of which can be tested.
fn spread(kinds: &[CauseKind]) -> Vec<CauseKind> {
    let parts = |kind: &CauseKind| match kind {
        CauseKind::BaseDataDiffers => vec![CauseKind::NameDiffers, CauseKind::NumberDiffers],
        kind => vec![*kind],
    };
    let mut seen = Vec::new();
    for kind in kinds.iter().flat_map(parts) {
        if !seen.contains(&kind) {
            seen.push(kind);
        }
    }
    seen
}

/// The packs of the person, then all others, in the editions of the day.
fn own_first<'p>(packs: &'p PackSet, roster: Option<&OnRoster<'_>>, today: Date) -> Vec<&'p Pack> {
    let own = |pack: &&Pack| {
        roster.is_some_and(|person| person.entitlements.iter().any(|e| e.pack == pack.id))
    };
    let (mut first, rest): (Vec<&Pack>, Vec<&Pack>) = packs.iter_on(today).partition(own);
    first.extend(rest);
    first
}

/// All that a cause can be tested on.
struct Facts<'a> {
    card: &'a CardIdentity,
    roster: Option<OnRoster<'a>>,
    packs: &'a PackSet,
    today: Date,
    doubt: Doubt,
    message: &'a str,
}

impl<'a> Facts<'a> {
    /// Causes that the notices name for this message; the union, because they name different ones (C15).
    fn named_causes(&self) -> Vec<CauseKind> {
        let said = plain(self.message);
        let packs = own_first(self.packs, self.roster.as_ref(), self.today);
        let found: Vec<(Fit, &[CauseKind])> =
            packs.iter().filter_map(|pack| best_match(pack, &said)).collect();
        let best = found.iter().map(|(fit, _)| *fit).max();
        let mut causes: Vec<CauseKind> = Vec::new();
        for (_, named) in found.iter().filter(|(fit, _)| Some(*fit) == best) {
            let new: Vec<CauseKind> =
                named.iter().copied().filter(|kind| !causes.contains(kind)).collect();
            causes.extend(new);
        }
        causes
    }

    /// Packs that know this message.
    fn packs_of_message(&self) -> Vec<&'a Pack> {
        let said = plain(self.message);
        let knows = |pack: &&Pack| best_match(pack, &said).is_some();
        self.packs.iter_on(self.today).filter(knows).collect()
    }

    /// Each entitlement with its pack and what is due.
    fn assessed(&self) -> Vec<(&'a Entitlement, &'a Pack, crate::policy::Assessment)> {
        let entitlements: &'a [Entitlement] = self.roster.map_or(&[], |person| person.entitlements);
        entitlements
            .iter()
            .filter_map(|e| self.packs.on(&e.pack, self.today).map(|pack| (e, pack)))
            .map(|(e, pack)| (e, pack, pack.assess(e, self.card.birth, self.today, self.doubt)))
            .collect()
    }

    /// The pack whose papers and places hold for this person.
    fn home_pack(&self) -> Option<&'a Pack> {
        let pack = |e: &Entitlement| self.packs.on(&e.pack, self.today);
        let own = self.roster.and_then(|person| person.entitlements.iter().find_map(pack));
        own.or_else(|| self.packs_of_message().first().copied())
    }

    fn name_differences(&self) -> Option<Vec<CharDifference>> {
        self.roster.map(|person| crate::folding::differences(&self.card.name.0, person.name))
    }

    fn number_difference(&self) -> Option<NumberDifference> {
        self.roster.map(|person| number::compare(&self.card.number, person.number))
    }
}

/// How well a known text fits what was said. 「查无此人」 is part of 「查无此人信息」, which has another cause (C16):
/// the same text first, then the longest one within what was said, then the shortest one around it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Around(std::cmp::Reverse<usize>),
    Within(usize),
    Same,
}

/// The message of a pack that fits best.
fn best_match<'p>(pack: &'p Pack, said: &str) -> Option<(Fit, &'p [CauseKind])> {
    let fitting = pack.messages.iter().filter_map(|message| {
        fit(&plain(&message.text), said).map(|fit| (fit, message.causes.as_slice()))
    });
    fitting.max_by_key(|(fit, _)| *fit)
}

fn fit(text: &str, said: &str) -> Option<Fit> {
    let length = text.chars().count();
    if text == said {
        Some(Fit::Same)
    } else if said.contains(text) {
        Some(Fit::Within(length))
    } else if said.chars().count() >= PART_MIN && text.contains(said) {
        Some(Fit::Around(std::cmp::Reverse(length)))
    } else {
        None
    }
}

/// A message without punctuation and in simplified characters: notices mix both (C23).
fn plain(message: &str) -> String {
    fold(message).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A shorter part of a message fits too many.
const PART_MIN: usize = 4;

#[cfg(test)]
mod tests;
