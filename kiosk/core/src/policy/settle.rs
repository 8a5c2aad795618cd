//! One visit, all benefits: for which of them a success counts, and when each is due next (R121, R122).

use jiff::civil::Date;

use super::{Advice, DueState, PackSet, Repeat, Stand, Words};
use crate::benefit::{Entitlement, Method, Stage, vocabulary};
use crate::moment::Doubt;

/// What one success means for everything that a person draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// One line a benefit, in the order of the roster.
    pub lines: Vec<Settled>,
    /// The earliest next date, for the slip (R122).
    pub earliest: Option<Date>,
}

/// What one success means for one benefit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Pack that was applied.
    pub pack: String,
    /// Its edition.
    pub pack_version: u32,
    /// Its name in Chinese.
    pub title: String,
    /// Where the person stood before.
    pub before: DueState,
    /// The success counts here.
    pub counted: bool,
    /// It counts once the centre has it (R85).
    pub report_required: bool,
    /// What the record is called (C27).
    pub kind: RecordKind,
    /// When something is due next: after the success if it counts, as before if it does not.
    pub next: Option<Date>,
    /// Advice for the slip (R86).
    pub advice: Option<Advice>,
    /// What happens about a payment that was or may be suspended (R27, C24).
    pub resume: Option<Words>,
}

vocabulary! {
    /// What a success is recorded as.
    RecordKind {
        Certification = "certification", "资格认证", "certification";
        PreApprovalIdentity = "pre_approval_identity", "待遇核定前身份确认", "identity check before approval";
    }
}

impl PackSet {
    /// What a success by this method on this day means for all that a person draws. Where the day is in doubt, it
    /// takes nothing away from anybody.
    pub fn settle(
        &self,
        entitlements: &[Entitlement],
        born: Date,
        (on, doubt): (Date, Doubt),
        method: Method,
    ) -> Settlement {
        let lines: Vec<Settled> = entitlements
            .iter()
            .filter_map(|entitlement| self.settle_one(entitlement, born, (on, doubt), method))
            .collect();
        let earliest = lines.iter().filter_map(|line| line.next).min();
        Settlement { lines, earliest }
    }

    fn settle_one(
        &self,
        entitlement: &Entitlement,
        born: Date,
        (on, doubt): (Date, Doubt),
        method: Method,
    ) -> Option<Settled> {
        let pack = self.on(&entitlement.pack, on)?;
        let before = pack.stand(entitlement, born, on, doubt);
        let rule = pack.rule_for(entitlement, method);
        let after = pack.next_if_counted(&before, entitlement, born, (on, doubt), method);
        let was_late = matches!(before.state, DueState::Overdue | DueState::Suspended);
        let early = entitlement.stage == Stage::PreApproval && pack.pre_approval.is_some();
        Some(Settled {
            pack: pack.id.clone(),
            pack_version: pack.version,
            title: pack.title.clone(),
            before: before.state,
            counted: after.is_some(),
            report_required: rule.is_some_and(|rule| rule.report_required),
            kind: if early { RecordKind::PreApprovalIdentity } else { RecordKind::Certification },
            next: after.or(before.due),
            advice: rule.and_then(|rule| rule.advise),
            resume: (was_late && after.is_some()).then(|| pack.late.words()),
        })
    }
}

impl super::Pack {
    /// Until when the next one is due if this success counts; none where nothing is required or open, where the period
    /// is done and takes no second one (C2), and where the method is none. A clock that may be wrong refuses no second
    /// one: nobody knows in which period it falls.
    pub(super) fn next_if_counted(
        &self,
        before: &Stand,
        entitlement: &Entitlement,
        born: Date,
        (on, doubt): (Date, Doubt),
        method: Method,
    ) -> Option<Date> {
        let possible = match before.state {
            DueState::NotRequired(_) | DueState::NotOpen => false,
            DueState::Done(last) => {
                self.repeat_by(method) != Repeat::Block || doubt != Doubt::None || last.on > on
            }
            _ => true,
        };
        if !possible {
            return None;
        }
        self.next_due_from(before, entitlement, born, on, method)
    }
}

impl super::Late {
    /// What becomes of a suspended payment, as a sentence for the slip.
    pub fn words(&self) -> Words {
        let resume = self.resume.map_or_else(
            || Words::new("请向经办机构咨询恢复发放", "ask the agency about the payment"),
            |resume| Words::new(resume.zh(), format!("payment resumes {}", resume.en())),
        );
        let words = if self.backpay {
            resume.then(&Words::new("并补发", "with back pay"))
        } else {
            resume
        };
        match &self.handover {
            Some(who) => {
                words.then(&Words::new(format!("（由{who}办理）"), "(done by the agency)"))
            }
            None => words,
        }
    }
}
