//! Bytes from hex as people paste it, or from bytes as they are.

use std::borrow::Cow;

use super::BadInput;

/// What could be read before the bad place, and what is wrong there.
type Partly = (Vec<u8>, BadInput);

/// The bytes that `input` stands for. Input with bytes that no text has is taken as it is.
pub(super) fn bytes(input: &[u8]) -> Result<Cow<'_, [u8]>, Partly> {
    let text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if !input.iter().all(text) && !is_marked_text(input) {
        return Ok(Cow::Borrowed(input));
    }
    let mut bytes = Vec::with_capacity(input.len() / 2);
    let mut high = None;
    let mut at = 0;
    while let Some(&byte) = input.get(at) {
        let starts_word = at == 0 || is_separator(input[at - 1]);
        if starts_word && matches!(input[at..], [b'0', b'x' | b'X', ..]) {
            at += 2;
            continue;
        }
        match char::from(byte).to_digit(16) {
            Some(digit) => match high.take() {
                None => high = Some(digit),
                Some(high) => bytes.push((high << 4 | digit) as u8),
            },
            None if is_separator(byte) => {}
            None => {
                let problem = format!("{:?} in the text is no hex digit", char::from(byte));
                return Err((bytes, BadInput { at, problem }));
            }
        }
        at += 1;
    }
    match high {
        None => Ok(Cow::Owned(bytes)),
        Some(_) => {
            let problem =
                "the text ends in the middle of a byte: an odd number of hex digits".to_owned();
            Err((bytes, BadInput { at: input.len(), problem }))
        }
    }
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b':' | b',' | b'-' | b'"' | b'\\')
}

/// Text with letters of other languages: no frame begins with two printable bytes, for it would be
/// half a gigabyte long.
fn is_marked_text(input: &[u8]) -> bool {
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    input.len() >= 2 && input[..2].iter().all(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_paste_it() {
        for text in
            ["0001abFF", "0x0001ABff", "00 01\nab\tff\r\n", "00:01:ab:ff", "0x00, 0x01,0xab 0xff"]
        {
            assert_eq!(bytes(text.as_bytes()).as_deref(), Ok(&[0, 1, 0xab, 0xff][..]), "{text}");
        }
    }

    #[test]
    fn what_no_text_has_is_taken_as_it_is() {
        assert_eq!(bytes(&[0, 0, 0, 7]).as_deref(), Ok(&[0, 0, 0, 7][..]));
    }

    #[test]
    fn the_bad_place_is_named_after_what_was_good() {
        let (good, bad) = bytes(b"00 01 xy").expect_err("no digit");

        assert_eq!((&good[..], bad.at), (&[0, 1][..], 6));
        let (good, bad) = bytes("00é".as_bytes()).expect_err("no digit");
        assert_eq!((&good[..], bad.at), (&[0][..], 2));
        assert_eq!(bytes(b"000").expect_err("odd").1.at, 3);
    }
}
