//! PINs: Argon2id, wrong ones lock as the policy packs say (R112), and a restart does not forget it.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use kiosk_core::moment::Moment;
use kiosk_core::operator::{Pin, PinCheck};
use kiosk_core::policy::SignInLimits;
use kiosk_store::AuditLine;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::config::OperatorConfig;
use crate::vault::Vault;

/// What is remembered of wrong tries.
#[derive(Default, Serialize, Deserialize)]
struct Tries {
    wrong: u8,
    locked_until_ms: Option<i64>,
}

/// Compares a PIN and remembers a wrong one.
pub fn check(
    operators: &[OperatorConfig],
    vault: &Vault,
    id: &str,
    pin: &Pin,
    limits: SignInLimits,
    now: Moment,
) -> PinCheck {
    let mut tries = read(vault, id);
    if let Some(minutes) = minutes_left(&tries, limits, now) {
        return PinCheck::Locked { minutes };
    }
    if tries.locked_until_ms.take().is_some() {
        tries.wrong = 0;
    }
    let right = operators
        .iter()
        .find(|operator| operator.who.id == id)
        .is_some_and(|operator| is_right(&operator.pin_hash, pin));
    let answer = if right { right_pin(&mut tries) } else { wrong_pin(&mut tries, limits, now) };
    let event = if right { "signed-in" } else { "pin-wrong" };
    write(vault, id, &tries, event, now);
    answer
}

fn right_pin(tries: &mut Tries) -> PinCheck {
    tries.wrong = 0;
    PinCheck::Right
}

fn wrong_pin(tries: &mut Tries, limits: SignInLimits, now: Moment) -> PinCheck {
    tries.wrong = tries.wrong.saturating_add(1);
    if tries.wrong < limits.pin_tries {
        return PinCheck::Wrong { tries_left: limits.pin_tries - tries.wrong };
    }
    tries.locked_until_ms = Some(now.wall_ms.saturating_add(lock_ms(limits)));
    PinCheck::Locked { minutes: minutes(lock_ms(limits)) }
}

/// A clock that was set back must not lock anybody for longer than a lock lasts.
fn minutes_left(tries: &Tries, limits: SignInLimits, now: Moment) -> Option<u32> {
    let left = tries.locked_until_ms?.saturating_sub(now.wall_ms);
    (left > 0 && left <= lock_ms(limits)).then(|| minutes(left))
}

fn lock_ms(limits: SignInLimits) -> i64 {
    i64::from(limits.lock_h) * HOUR_MS
}

fn minutes(ms: i64) -> u32 {
    u32::try_from(ms.saturating_add(59_999) / 60_000).unwrap_or(u32::MAX)
}

fn is_right(hash: &str, pin: &Pin) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        warn!("an operator's PIN hash is not a PHC string");
        return false;
    };
    argon().verify_password(pin.reveal().as_bytes(), &hash).is_ok()
}

/// The hash of a PIN for the settings file.
///
/// # Errors
///
/// When the PIN is not 4 to 8 digits.
pub fn hash(pin: &str) -> Result<String, String> {
    let digits = pin.bytes().all(|b| b.is_ascii_digit());
    if !digits || !(4..=8).contains(&pin.len()) {
        return Err("a PIN has 4 to 8 digits".into());
    }
    let hash = argon().hash_password(pin.as_bytes()).map_err(|e| e.to_string())?;
    Ok(hash.to_string())
}

/// 19 MiB and two passes: OWASP's least for Argon2id, about 60 ms on a Pi-class board.
fn argon() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("constants within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn read(vault: &Vault, id: &str) -> Tries {
    let kept = vault.store().meta(&key(id)).ok().flatten();
    kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn write(vault: &Vault, id: &str, tries: &Tries, event: &str, at: Moment) {
    let bytes = serde_json::to_vec(tries).expect("two numbers are written");
    let line = AuditLine { at, actor: id.into(), event: event.into(), detail: String::new() };
    let mut store = vault.store();
    let kept = store.set_meta(&key(id), &bytes).and_then(|()| store.audit(&line));
    if let Err(error) = kept {
        warn!(code = error.code(), "sign-in not written down");
    }
}

fn key(id: &str) -> String {
    format!("pin-tries/{id}")
}

const HOUR_MS: i64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packs_say_when_an_operator_is_locked_and_for_how_long() {
        let limits = SignInLimits { pin_tries: 2, lock_h: 5 };
        let (mut tries, now) = (Tries::default(), Moment::default());
        assert_eq!(wrong_pin(&mut tries, limits, now), PinCheck::Wrong { tries_left: 1 });
        assert_eq!(wrong_pin(&mut tries, limits, now), PinCheck::Locked { minutes: 300 });
        let after = |hours: i64| Moment { wall_ms: hours * HOUR_MS, ..now };
        assert_eq!(minutes_left(&tries, limits, after(4)), Some(60));
        assert_eq!(minutes_left(&tries, limits, after(5)), None);
        // A clock that was set back locks nobody for longer than the lock lasts.
        assert_eq!(minutes_left(&tries, limits, after(-1)), None);
    }
}
