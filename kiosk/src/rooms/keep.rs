//! Sealing and keeping: pictures and record are signed, encrypted to the authority and durable before anybody is told.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use jiff::civil::Date;
use kiosk_core::decision::Modality;
use kiosk_core::event::{Event, Picture, SealOrder};
use kiosk_core::message::Id;
use kiosk_core::record::TemplateRecord;
use kiosk_store::{AUTOMATIC, AuditLine, Commit, NewReference, StoreError, Success};
use kiosk_sync::{SealError, Sealer};
use models::iso19794::{self, FingerPosition, FingerRecord, FingerView};
use tracing::{error, info};

use super::paper::Sheet;
use super::roster::{self, FINGER_FORMAT};
use crate::happening::Teller;
use crate::picture;
use crate::tray::{SharedTray, Tray};
use crate::vault::Vault;

/// The room.
pub struct KeepRoom {
    vault: Vault,
    sealer: Sealer,
    teller: Teller,
    tray: SharedTray,
}

/// Why a visit could not be kept. It stays open and is tried again.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the record could not be sealed")]
    Seal(#[from] SealError),
    #[error("the record could not be stored")]
    Store(#[from] StoreError),
    #[error("a picture could not be encoded")]
    Picture(#[from] image::ImageError),
}

impl KeepRoom {
    /// A room over the store and the terminal's keys.
    pub fn new(vault: Vault, sealer: Sealer, teller: Teller, tray: SharedTray) -> Self {
        Self { vault, sealer, teller, tray }
    }

    /// Works until nobody gives orders any more.
    pub fn run(self, orders: &Receiver<Box<SealOrder>>) {
        while let Ok(order) = orders.recv() {
            self.keep(*order);
        }
    }

    fn keep(&self, order: SealOrder) {
        let started = Instant::now();
        let id = order.record.id;
        match self.seal_and_commit(order) {
            Ok(()) => {
                info!(record = %id, ms = started.elapsed().as_millis(), "record sealed");
                self.teller.event(Event::Sealed(id));
                self.teller.outbox(&self.vault);
            }
            Err(problem) => {
                error!(%problem, "record not kept");
                self.teller.event(Event::SealFailed(problem.id()));
            }
        }
    }

    fn seal_and_commit(&self, order: SealOrder) -> Result<(), KeepError> {
        let SealOrder { mut record, pictures, templates, later_view, successes, slip } = order;
        let supersedes = record.supersedes;
        let tray = self.tray.open();
        record.templates = template_records(&tray, &templates, record.captured.date());
        let later = later_view.then(|| later_reference(&tray, record.captured.date())).flatten();
        let pictures = encode_pictures(&tray, &pictures)?;
        drop(tray);
        let sealed = self.sealer.seal(&mut record, pictures)?;
        let joined = if later.is_some() { " face-view-joined" } else { "" };
        let references = record.templates.iter().map(reference).chain(later).collect();
        let successes = successes.into_iter().map(|(pack, success)| Success {
            pack,
            method: success.method.id().into(),
            captured: record.captured.believed(),
        });
        let audit = AuditLine {
            at: record.captured,
            actor: record.operators.join("+"),
            event: "visit-sealed".into(),
            detail: format!("{} {}{joined}", record.id, record.outcome.code()),
        };
        let subject = self.vault.key.subject(&record.subject.number);
        let successes = successes.collect();
        let visit = record.visit;
        let record = sealed;
        let slip = Sheet::of(&slip).to_bytes();
        let commit =
            Commit { record, subject, visit, supersedes, audit, references, successes, slip };
        self.vault.store().commit(commit)?;
        Ok(())
    }
}

impl KeepError {
    fn id(&self) -> Id {
        match self {
            Self::Seal(_) | Self::Picture(_) => Id::ErrSealFault,
            Self::Store(error) if error.code() == "store-disk-full" => Id::ErrStoreFull,
            Self::Store(StoreError::ReadOnly) => Id::ErrStoreReadOnly,
            Self::Store(_) => Id::ErrStoreFault,
        }
    }
}

fn reference(template: &TemplateRecord) -> NewReference {
    NewReference {
        modality: template.modality.clone(),
        format: template.format.clone(),
        extractor: template.extractor.clone(),
        bytes: template.template.clone(),
        quality: template.quality,
        origin: "this-terminal".into(),
    }
}

fn template_records(tray: &Tray, wanted: &[Modality], today: Date) -> Vec<TemplateRecord> {
    wanted
        .iter()
        .filter_map(|modality| match modality {
            Modality::Face => face_record(tray, today),
            Modality::Finger => finger_record(tray),
        })
        .collect()
}

/// The views of a new face, dated with the day they are kept on.
fn face_record(tray: &Tray, today: Date) -> Option<TemplateRecord> {
    let (views, quality) = tray.new_face.as_ref()?;
    let extractor = views.views().first()?.template.model().to_owned();
    Some(TemplateRecord {
        modality: Modality::Face.name().into(),
        format: views.format().into(),
        extractor,
        template: views.clone().dated(roster::day_number(today)).to_bytes(),
        quality: *quality,
    })
}

/// A live view that joins those on file. It stays on this terminal: to the centre the enrolment is the reference.
fn later_reference(tray: &Tray, today: Date) -> Option<NewReference> {
    let (view, quality) = tray.later_view.as_ref()?;
    let extractor = view.views().first()?.template.model().to_owned();
    Some(NewReference {
        modality: Modality::Face.name().into(),
        format: view.format().into(),
        extractor,
        bytes: view.clone().dated(roster::day_number(today)).to_bytes(),
        quality: *quality,
        origin: AUTOMATIC.into(),
    })
}

/// The placements of a new finger as one ISO 19794-2 record.
pub fn finger_record(tray: &Tray) -> Option<TemplateRecord> {
    let extractor = tray.new_fingers.first()?.2.extractor.clone();
    let view = |(number, (finger, quality, template)): (usize, &(u8, u8, _))| {
        Some(FingerView {
            position: FingerPosition::from_code(*finger)?,
            number: u8::try_from(number).ok()?,
            impression: 0,
            quality: *quality,
            template: models::finger::FingerTemplate::clone(template),
        })
    };
    let views = tray.new_fingers.iter().enumerate().filter_map(view).collect();
    let template = iso19794::encode(&FingerRecord { device: 0, views }).ok()?;
    let quality = tray.new_fingers.iter().map(|(_, quality, _)| *quality).max()?;
    Some(TemplateRecord {
        modality: Modality::Finger.name().into(),
        format: FINGER_FORMAT.into(),
        extractor,
        template,
        quality,
    })
}

/// Pictures as they go to the centre. A role without a picture is left out; a chip photo that could not be decoded
/// goes raw, since the centre has the licensed decoder.
fn encode_pictures(
    tray: &Tray,
    roles: &[Picture],
) -> Result<Vec<kiosk_sync::Picture>, image::ImageError> {
    let mut encoded = Vec::new();
    for role in roles {
        let bytes = match (role, tray.picture(*role), &tray.finger, &tray.chip_block) {
            (Picture::ChipPhoto, _, _, Some(block)) => Some(block.clone()),
            (Picture::Finger, _, Some(finger), _) => Some(picture::finger_png(finger)?),
            (_, Some(jpeg), _, _) => Some(jpeg.to_vec()),
            _ => None,
        };
        if let Some(bytes) = bytes {
            encoded.push(kiosk_sync::Picture { role: role.role().into(), bytes });
        }
    }
    Ok(encoded)
}
