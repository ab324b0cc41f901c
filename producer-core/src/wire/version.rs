//! Version ordinals: the number by which peers tell their release (spec §1.7, `MQVersion.java`).

use alloc::format;
use alloc::string::String;

/// The ordinal that 4.9.8 announces: strict route JSON, and no GO_AWAY from any server.
pub const V4_9_8: i32 = 409;
/// First ordinal whose routes come as strict JSON.
pub const STRICT_ROUTE_MIN: i32 = 401;
/// First ordinal that a server may answer GO_AWAY (servers 5.2.0–5.3.1; later ones from 476).
pub const GO_AWAY_MIN: i32 = 442;
/// The ordinal behind 5.9.9, of all later releases.
pub const HIGHER_VERSION: i32 = 612;

/// The ordinal of release `major.minor.patch`, for 4.0.0 to 5.9.9 with one digit each.
pub const fn ordinal(major: i32, minor: i32, patch: i32) -> i32 {
    213 + 200 * (major - 4) + 20 * minor + 2 * patch
}

/// The name of an ordinal, such as `V4_9_8` or `V5_0_0_SNAPSHOT`; above the last known one
/// `HIGHER_VERSION`, as in Java. `None` for negative numbers.
pub fn name(ordinal: i32) -> Option<String> {
    if ordinal < 0 {
        return None;
    }
    if ordinal >= HIGHER_VERSION {
        return Some("HIGHER_VERSION".into());
    }
    if let Some(&irregular) = usize::try_from(ordinal).ok().and_then(|at| FIRST.get(at)) {
        return Some(format!("V3_0_0_{irregular}"));
    }
    // Since 3.0.0 each patch has two ordinals, the snapshot first.
    let snapshot = if ordinal % 2 == 0 { "_SNAPSHOT" } else { "" };
    let (major, minor, patch) = numbers(ordinal);
    Some(format!("V{major}_{minor}_{patch}{snapshot}"))
}

/// The ordinal of a name; `None` if Java has no such name.
pub fn from_name(text: &str) -> Option<i32> {
    (0..=HIGHER_VERSION).find(|&ordinal| name(ordinal).as_deref() == Some(text))
}

/// Release of a regular ordinal. Minor releases 3.3 to 3.9 have no patch 0, 3.0 ran to patch 15.
const fn numbers(ordinal: i32) -> (i32, i32, i32) {
    match ordinal {
        ..46 => (3, 0, (ordinal - 14) / 2),
        46..86 => (3, 1 + (ordinal - 46) / 20, (ordinal - 46) % 20 / 2),
        86..212 => (3, 3 + (ordinal - 86) / 18, (ordinal - 86) % 18 / 2 + 1),
        _ => (4 + (ordinal - 212) / 200, (ordinal - 212) % 200 / 20, (ordinal - 212) % 20 / 2),
    }
}

/// What follows `V3_0_0_` in the first ordinals.
const FIRST: [&str; 16] = [
    "SNAPSHOT",
    "ALPHA1",
    "BETA1",
    "BETA2",
    "BETA3",
    "BETA4",
    "BETA5",
    "BETA6_SNAPSHOT",
    "BETA6",
    "BETA7_SNAPSHOT",
    "BETA7",
    "BETA8_SNAPSHOT",
    "BETA8",
    "BETA9_SNAPSHOT",
    "BETA9",
    "FINAL",
];
