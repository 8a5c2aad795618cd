//! Prints of unknown origin, as an agency's folders hold them: at the resolution that was
//! asked for, or that the file states and the ridges allow, cut out of a sheet, turned
//! over where they are negatives. A print that cannot be taken says why.

use std::{path::Path, time::Instant};

use super::{Made, timed_or};
use crate::{
    finger::{FingerCoaching, FingerEngine, FingerTemplate, GreyImage, canvas_for},
    picture,
};

/// A print, or why there is none: `Ok(Err(…))` is a picture of no use, `Err` no picture.
type Print = Result<Result<GreyImage, &'static str>, String>;

/// The extractor's input for a file, or what became of the file already.
pub(super) fn canvas(path: &Path, ppi: Option<u32>) -> Result<(usize, usize), Made<()>> {
    match open(path, ppi) {
        Ok(Ok(print)) => {
            let (width, height) = print.size_at_500_ppi();
            Ok(canvas_for(width, height))
        }
        Ok(Err(reason)) => Err(Made::NotAcquired(reason)),
        Err(reason) => Err(Made::Bad(reason)),
    }
}

pub(super) fn template(
    engine: &FingerEngine,
    path: &Path,
    ppi: Option<u32>,
) -> Made<FingerTemplate> {
    let print = match open(path, ppi) {
        Ok(Ok(print)) => print,
        Ok(Err(reason)) => return Made::NotAcquired(reason),
        Err(reason) => return Made::Bad(reason),
    };
    let started = Instant::now();
    let template = engine.extract_unturned(&print);
    timed_or(template.map(|template| of_use(engine, &print, template)), started)
}

fn of_use(
    engine: &FingerEngine,
    print: &GreyImage,
    template: FingerTemplate,
) -> Result<FingerTemplate, &'static str> {
    if template.minutiae.len() >= MINUTIAE_MIN {
        return Ok(template);
    }
    let coaching = engine.quality(print, &template).coaching;
    Err(if coaching == Some(FingerCoaching::NoFinger) { NO_RIDGES } else { TOO_FEW })
}

fn open(path: &Path, ppi: Option<u32>) -> Print {
    let (picture, stated) = picture::open_with_ppi(path).map_err(|error| error.told())?;
    // Less is what programs write that know nothing of scanners: 72, 96, 150.
    let stated = stated.filter(|stated| STATED_PPI.contains(stated));
    let mut print = GreyImage::from_luma(&picture.to_luma8(), ppi.or(stated).unwrap_or(500));
    if ppi.is_none()
        && let Some(ppi) = print.ppi_by_ridges()
    {
        print.ppi = ppi;
    }
    Ok(if is_of_one_finger(&print) {
        Ok(print)
    } else {
        let found = print.cropped_to_ridges().ok_or(NO_RIDGES);
        found.and_then(|print| is_of_one_finger(&print).then_some(print).ok_or(TOO_LARGE))
    })
}

fn is_of_one_finger(print: &GreyImage) -> bool {
    let (width, height) = print.size_at_500_ppi();
    width.max(height) <= SIDE_MAX
}

const NO_RIDGES: &str = "没有指纹纹线 no ridges in it";
const TOO_FEW: &str = "细节点太少 too few minutiae";
const TOO_LARGE: &str = "超出一个手指的大小 more than one finger wide";
/// With fewer minutiae nothing can be compared.
const MINUTIAE_MIN: usize = 4;
/// Four fingers laid down at once are narrower; at 500 pixels per inch.
const SIDE_MAX: u32 = 1600;
const STATED_PPI: std::ops::RangeInclusive<u32> = 200..=2000;
