//! Looking for and showing text in few instructions: the library's ways are for all of Unicode and
//! for long texts, and every visitor of a page would download them.

use core::fmt::{Display, Formatter, Result, Write};

/// Whether `part` stands in `text`. Both are short.
pub(crate) fn says(text: &str, part: &str) -> bool {
    behind(text, part).is_some()
}

/// What follows the first `part` in `text`.
pub(crate) fn behind<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    (0..text.len()).find_map(|at| text.get(at..)?.strip_prefix(part))
}

/// Text in quotes that came from outside. Control characters are escaped, so it stays on its line.
pub(crate) struct Quoted<'a>(pub(crate) char, pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let &Self(quote, text) = self;
        f.write_char(quote)?;
        for character in text.chars() {
            if character.is_control() {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
                continue;
            }
            if character == quote || character == '\\' {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char(quote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn parts_are_found() {
        assert!(says("AclException: no", "AclException"));
        assert!(says("é: retry", "retry"));
        assert!(!says("retr", "retry"));
        assert_eq!(behind("a=b=c", "="), Some("b=c"));
        assert_eq!(behind("", "="), None);
    }

    #[test]
    fn quoted_text_cannot_break_out() {
        assert_eq!(
            format!("{}", Quoted('"', "a \"b\" \\ \n é'")),
            "\"a \\\"b\\\" \\\\ \\u{a} é'\""
        );
        assert_eq!(format!("{}", Quoted('\'', "'")), "'\\''");
    }
}
