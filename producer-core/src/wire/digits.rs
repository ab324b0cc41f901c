//! Decimal numbers to and from text, without `core::fmt`.

use alloc::vec::Vec;

/// Appends `value` in decimal.
#[inline]
pub fn push_u64(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        // Queue ids, flags and counts are mostly one digit.
        out.push(b'0' + value as u8);
        return;
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = value;
    while left >= 10 {
        let pair = PAIRS[(left % 100) as usize];
        left /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&pair);
    }
    if left > 0 {
        at -= 1;
        digits[at] = b'0' + left as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value` in decimal, with a minus sign when negative.
#[inline]
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends `value` in decimal, with a minus sign when negative.
#[inline]
pub fn push_i32(out: &mut Vec<u8>, value: i32) {
    push_i64(out, i64::from(value));
}

/// Reads decimal text as Java's `Long.parseLong` does: optional sign, ASCII digits only, no
/// spaces, no overflow.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    if digits.len() <= 18 {
        // Eighteen digits cannot overflow, so the common case needs no checks.
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return Some(if negative { -value } else { value });
    }
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Counted downwards, because the most negative number has no positive twin.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads decimal text as Java's `Integer.parseInt` does.
#[inline]
pub fn parse_i32(text: &[u8]) -> Option<i32> {
    parse_i64(text).and_then(|value| i32::try_from(value).ok())
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn digits_agree_with_fmt() {
        for value in [0, 1, 9, 10, 99, 100, 101, 999, 1000, 12345, u64::MAX, u64::MAX / 10] {
            let mut out = Vec::new();
            push_u64(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
        for value in [i64::MIN, -1, -10, 0, i64::MAX, i64::MAX - 1] {
            let mut out = Vec::new();
            push_i64(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
            assert_eq!(parse_i64(&out), Some(value));
        }
    }

    #[test]
    fn only_javas_decimal_text_is_read() {
        assert_eq!(parse_i32(b"+7"), Some(7));
        assert_eq!(parse_i32(b"007"), Some(7));
        for bad in ["", "-", "+", " 1", "1 ", "1.0", "x", "2147483648", "99999999999999999999"] {
            assert_eq!(parse_i32(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-0000000000000000000000001"), Some(-1));
    }
}
