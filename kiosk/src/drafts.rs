//! Visits that are not over: kept on the disk with what lies on the tray, and laid back when somebody goes on.

use kiosk_core::draft::Draft;
use kiosk_core::event::Picture;
use kiosk_store::{AuditLine, StoreError};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use models::face::FaceGallery;
use models::finger::GreyImage;
use models::iso19794;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::picture;
use crate::rooms::keep;
use crate::tray::{SharedTray, Tray};
use crate::vault::Vault;

/// A draft with the bytes that core never sees.
#[derive(Encode, Decode)]
struct Kept {
    #[n(0)]
    draft: ByteVec,
    #[n(1)]
    chip_block: Option<ByteVec>,
    #[n(2)]
    chip_photo: Option<ByteVec>,
    /// Role and JPEG, the bytes that the record will have.
    #[n(3)]
    pictures: Vec<(String, ByteVec)>,
    /// PNG, 8 bits a pixel.
    #[n(4)]
    finger: Option<ByteVec>,
    /// Pixels an inch of the finger's image.
    #[n(5)]
    ppi: u32,
    /// Its views and its quality.
    #[n(6)]
    new_face: Option<(ByteVec, u8)>,
    /// ISO 19794-2 record of the placements, and the name of their extractor.
    #[n(7)]
    new_fingers: Option<(ByteVec, String)>,
}

/// Keeps the newest state. A visit that cannot be kept goes on: only a crash would lose it, and the disk is told of.
pub fn save(vault: &Vault, tray: &SharedTray, draft: &Draft) {
    let Some(tray) = tray.open_for(draft.visit) else {
        return;
    };
    let bytes = kept(&tray, draft);
    drop(tray);
    if let Err(problem) = vault.store().save_draft(draft.visit, &bytes) {
        error!(code = problem.code(), "draft");
    }
}

/// Every visit that waits to be taken up again, the oldest first.
pub fn list(vault: &Vault) -> Vec<Draft> {
    let drafts = vault.store().drafts().unwrap_or_else(|problem| {
        error!(code = problem.code(), "drafts");
        Vec::new()
    });
    // One of a newer edition that was taken back stays where it is, for when that comes again.
    let read = |kept: kiosk_store::Draft| {
        let read = minicbor::decode(&kept.bytes).ok();
        let draft = read.and_then(|kept: Kept| serde_json::from_slice(&kept.draft).ok());
        if draft.is_none() {
            warn!("a visit that was begun cannot be read by this edition");
        }
        draft
    };
    let mut drafts: Vec<Draft> = drafts.into_iter().filter_map(read).collect();
    drafts.sort_by_key(|draft| draft.begun_ms);
    drafts
}

/// Lays what was kept of a visit back onto the tray. What cannot be read is left out, and has to be taken again.
pub fn restore(vault: &Vault, tray: &SharedTray, visit: [u8; 16]) {
    let found = vault.store().draft(visit).unwrap_or_else(|problem| {
        error!(code = problem.code(), "draft");
        None
    });
    match found.and_then(|bytes| minicbor::decode::<Kept>(&bytes).ok()) {
        Some(kept) => *tray.open() = laid_out(kept, visit),
        None => {
            warn!("a draft cannot be read");
            *tray.open() = Tray { visit, ..Tray::default() };
        }
    }
}

/// Drops a visit that leaves no record; the audit trail says who undid it.
pub fn discard(
    vault: &Vault,
    clock: &Clock,
    visit: [u8; 16],
    operator: &str,
) -> Result<(), StoreError> {
    let line = AuditLine {
        at: clock.now(),
        actor: operator.into(),
        event: "visit-undone".into(),
        detail: crate::hex::encode(&visit),
    };
    let mut store = vault.store();
    store.audit(&line)?;
    store.drop_draft(visit)
}

fn kept(tray: &Tray, draft: &Draft) -> Vec<u8> {
    let bytes = |bytes: Vec<u8>| ByteVec::from(bytes);
    let pictures =
        tray.pictures.iter().map(|(role, jpeg)| (role.role().to_owned(), bytes(jpeg.clone())));
    let kept = Kept {
        draft: bytes(serde_json::to_vec(draft).expect("a draft is plain data")),
        chip_block: tray.chip_block.clone().map(bytes),
        chip_photo: tray.chip_photo.as_ref().and_then(|p| picture::photo_png(p).ok()).map(bytes),
        pictures: pictures.collect(),
        finger: tray.finger.as_ref().and_then(|f| picture::finger_png(f).ok()).map(bytes),
        ppi: tray.finger.as_ref().map_or(0, |finger| finger.ppi),
        new_face: tray.new_face.as_ref().map(|(face, quality)| (bytes(face.to_bytes()), *quality)),
        new_fingers: keep::finger_record(tray)
            .map(|record| (bytes(record.template), record.extractor)),
    };
    minicbor::to_vec(kept).expect("a Vec takes every write")
}

fn laid_out(kept: Kept, visit: [u8; 16]) -> Tray {
    let photo = |bytes: &ByteVec| Some(image::load_from_memory(bytes).ok()?.to_rgb8());
    let named = |(role, bytes): (String, ByteVec)| Some((Picture::named(&role)?, Vec::from(bytes)));
    let face =
        |(bytes, quality): &(ByteVec, u8)| Some((FaceGallery::from_bytes(bytes).ok()?, *quality));
    Tray {
        visit,
        chip_block: kept.chip_block.map(Vec::from),
        chip_photo: kept.chip_photo.as_ref().and_then(photo),
        pictures: kept.pictures.into_iter().filter_map(named).collect(),
        finger: kept.finger.as_ref().and_then(|png| finger(png, kept.ppi)),
        new_face: kept.new_face.as_ref().and_then(face),
        new_fingers: kept.new_fingers.map(|(r, e)| fingers(&r, &e)).unwrap_or_default(),
        ..Tray::default()
    }
}

fn finger(png: &[u8], ppi: u32) -> Option<GreyImage> {
    let grey = image::load_from_memory(png).ok()?.to_luma8();
    GreyImage::new(grey.width(), grey.height(), ppi, grey.into_raw())
}

fn fingers(record: &[u8], extractor: &str) -> Vec<(u8, u8, models::finger::FingerTemplate)> {
    let Ok(record) = iso19794::decode(record) else {
        return Vec::new();
    };
    let placement = |mut view: iso19794::FingerView| {
        view.template.extractor = extractor.to_owned();
        (view.position as u8, view.quality, view.template)
    };
    record.views.into_iter().map(placement).collect()
}
