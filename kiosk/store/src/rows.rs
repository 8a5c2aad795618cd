//! Moments and digests as columns.

use rusqlite::Row;

use kiosk_core::moment::{Doubt, Moment};

/// The four columns `wall_ms, boot_id, mono_ms, doubt` from `first` on.
pub(crate) fn moment(row: &Row<'_>, first: usize) -> rusqlite::Result<Moment> {
    Ok(Moment {
        wall_ms: row.get(first)?,
        boot_id: row.get(first + 1)?,
        mono_ms: row.get::<_, i64>(first + 2)?.cast_unsigned(),
        doubt: doubt(row.get(first + 3)?),
        within: None,
    })
}

/// A column that SQLite keeps signed and that counts something.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// A doubt that is not known counts as the greatest one.
pub(crate) fn doubt(code: u8) -> Doubt {
    match code {
        0 => Doubt::None,
        1 => Doubt::Doubtful,
        _ => Doubt::Unknown,
    }
}
