//! How are numbers read that somebody wrote?

use std::str::FromStr;

/// A number of digits and nothing else: Rust's own way takes a plus sign, too.
pub(crate) fn of_digits<N: FromStr>(text: &str) -> Option<N> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
