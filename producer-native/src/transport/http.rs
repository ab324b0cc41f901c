//! As much of HTTP/1.1 as a client needs that knows whom it asks.

use crate::number;

/// The status of an answer, if it begins as one of HTTP/1.x does.
pub(crate) fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|&byte| byte == b'\r' || byte == b'\n').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [_minor, b' ', digits @ ..] = rest else { return None };
    let digits = digits.get(..3).filter(|_| digits.get(3).is_none_or(|&byte| byte == b' '))?;
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
    text.parse().ok().filter(|status| (100..600).contains(status))
}

/// Longest answer that is read.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads what has arrived; `None` if more must come, which is an error if it `ended`. Bodies
    /// may have a length, come in chunks, or go on to the end (RFC 9112, section 6.3).
    pub(crate) fn read(bytes: &[u8], ended: bool) -> Result<Option<Self>, String> {
        let cut = || match ended {
            true => Err("the answer is cut off".to_owned()),
            false => Ok(None),
        };
        if status(bytes).is_none() && (ended || bytes.len() > 12) {
            return Err("the answer is not HTTP/1.x".to_owned());
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return cut();
        };
        let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
        let Some(status) = status(head) else { return cut() };
        let body = if field(head, "transfer-encoding").is_some_and(|value| value != "identity") {
            chunks(rest)?
        } else if let Some(length) = field(head, "content-length") {
            let length = number::of_digits(&length).filter(|&length: &usize| length <= MAX_BYTES);
            let length = length.ok_or("the answer's length is no number, or too much")?;
            rest.get(..length).map(<[u8]>::to_vec)
        } else {
            ended.then(|| rest.to_vec())
        };
        body.map_or_else(cut, |body| Ok(Some(Self { status, body })))
    }
}

/// A field of a head, in lower case.
fn field(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let found = fields.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_ascii_lowercase())
}

/// What chunks hold, `None` if more must come.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let line = String::from_utf8_lossy(&rest[..end]);
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).ok();
        // Rust reads a plus sign, too.
        let length = length.filter(|&length| length <= MAX_BYTES && !digits.starts_with('+'));
        let length = length.ok_or("the length of a chunk is no number, or too much")?;
        let data = &rest[end + 2..];
        if length == 0 {
            return Ok(Some(body)); // what follows are fields, of no interest
        }
        let Some(next) = data.get(length + 2..) else { return Ok(None) };
        body.extend_from_slice(&data[..length]);
        rest = next;
    }
}

/// Base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xBF]), "+/+/");
    }

    #[test]
    fn answers_are_read_however_long_they_say_they_are() {
        let good: [&[u8]; 5] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na:1;b and more",
            b"HTTP/1.1 200 OK\r\nTRANSFER-encoding: Chunked\r\n\r\n2;x=y\r\na:\r\n3\r\n1;b\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\na:1;b",
            b"HTTP/1.1 200 OK\r\ncontent-length:5\r\nX: y\r\n\r\na:1;b",
            b"HTTP/1.1 200\r\n\r\na:1;b",
        ];
        for bytes in good {
            let whole = Answer::read(bytes, true);
            let body = b"a:1;b".to_vec();
            assert_eq!(whole, Ok(Some(Answer { status: 200, body })));
            for cut in 0..bytes.len() {
                let part = Answer::read(&bytes[..cut], false);
                assert!(
                    matches!(&part, Ok(None) | Ok(Some(Answer { status: 200, .. }))),
                    "{part:?}"
                );
            }
        }
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        let bad: [&[u8]; 10] = [
            b"",
            b"SSH-2.0-OpenSSH_9.2",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na:1",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\na:1",
            b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\na:1",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\na:1",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\na:1\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na",
        ];
        for bytes in bad {
            assert!(Answer::read(bytes, true).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_status_is_three_digits_in_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n"), Some(407));
        for bad in ["", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2000 x", "HTTP/2 200", "HTTP/1.1 +20"]
        {
            assert_eq!(status(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(status(b"HTTP/1.1 099 x"), None);
    }
}
