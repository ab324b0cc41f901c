//! Java's hash codes and string order, on which queue choice and signatures depend.

use core::cmp::Ordering;

/// `String.hashCode()`.
#[inline]
pub fn hash_code(text: &str) -> i32 {
    if text.is_ascii() {
        return text.bytes().fold(0, |hash, unit| step(hash, u16::from(unit)));
    }
    hash_utf16(text.encode_utf16())
}

/// `String.hashCode()` of UTF-16 code units, half surrogate pairs included.
#[inline]
pub fn hash_utf16(units: impl IntoIterator<Item = u16>) -> i32 {
    units.into_iter().fold(0, step)
}

/// `Long.hashCode()`; that of an `Integer` is its value.
#[inline]
pub const fn hash_long(value: i64) -> i32 {
    (value ^ (value as u64 >> 32) as i64) as i32
}

/// The queue that `SelectMessageQueueByHash` picks out of `queues` for a hash code; `None` when
/// there are no queues (spec §5.6).
#[inline]
pub fn queue_index(hash: i32, queues: usize) -> Option<usize> {
    let queues = i32::try_from(queues).ok().filter(|&queues| queues > 0)?;
    Some((hash % queues).unsigned_abs() as usize)
}

/// `String.compareTo`: by UTF-16 code unit, which differs from the order of `str` above U+FFFF.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

#[inline]
fn step(hash: i32, unit: u16) -> i32 {
    hash.wrapping_mul(31).wrapping_add(i32::from(unit))
}
