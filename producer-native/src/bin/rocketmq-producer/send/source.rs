//! Where do bodies come from?

use std::io::{self, BufRead, IsTerminal, Read};

use producer_native::Bytes;
use tokio::sync::mpsc;

use crate::exit::Failure;

/// Where bodies come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// One body, `count` times.
    Same { body: Bytes, count: u64 },
    /// `message 1` to `message COUNT`.
    Numbered { count: u64 },
    /// Each line of standard input.
    Lines,
}

/// A body, or why there is none where one was due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    Good(Bytes),
    /// A line of more bytes than a message may have; they were not kept.
    TooLong {
        bytes: usize,
    },
}

/// Bodies, one after the other.
pub(super) enum Source {
    Same { body: Bytes, left: u64 },
    Numbered { next: u64, last: u64 },
    Lines(mpsc::Receiver<io::Result<Body>>),
}

impl Source {
    /// Bodies of at most `bytes_max`. Lines are read on a thread of their own, a few ahead.
    pub(super) fn new(origin: Origin, bytes_max: usize) -> Result<Self, Failure> {
        match origin {
            Origin::Same { body, count } => Ok(Self::Same { body, left: count }),
            Origin::Numbered { count } => Ok(Self::Numbered { next: 1, last: count }),
            Origin::Lines => {
                if io::stdin().is_terminal() {
                    eprintln!("each line is a message; end with Ctrl-D");
                }
                let (lines, receiver) = mpsc::channel(LINES_AHEAD);
                let read = move || read_lines(io::stdin().lock(), bytes_max, &lines);
                std::thread::Builder::new()
                    .spawn(read)
                    .map_err(|error| Failure::new(format!("no thread to read with: {error}")))?;
                Ok(Self::Lines(receiver))
            }
        }
    }

    /// The next body; `None` after the last. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Body>> {
        match self {
            Self::Same { left: 0, .. } => Ok(None),
            Self::Same { body, left } => {
                *left -= 1;
                Ok(Some(Body::Good(body.clone())))
            }
            Self::Numbered { next, last } => {
                if *next > *last {
                    return Ok(None);
                }
                let body = Bytes::from(format!("message {next}"));
                *next += 1;
                Ok(Some(Body::Good(body)))
            }
            Self::Lines(lines) => lines.recv().await.transpose(),
        }
    }
}

/// Reads until the end, an error, or nobody wants more.
fn read_lines(mut from: impl BufRead, bytes_max: usize, to: &mpsc::Sender<io::Result<Body>>) {
    while let Some(line) = read_line(&mut from, bytes_max).transpose() {
        let failed = line.is_err();
        if to.blocking_send(line).is_err() || failed {
            return;
        }
    }
}

/// A line without its end, `\n` or `\r\n`. Of one that is too long only the length is kept, its
/// `\r` perhaps included.
fn read_line(from: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Body>> {
    let mut line = Vec::new();
    let limit = bytes_max as u64 + 2;
    if from.take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let mut bytes = line.len();
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        bytes = line.len();
    } else if bytes as u64 == limit {
        bytes += skip_line(from)?;
    }
    if bytes > bytes_max {
        return Ok(Some(Body::TooLong { bytes }));
    }
    Ok(Some(Body::Good(Bytes::from(line))))
}

/// Reads to the end of the line; how many bytes there were before it.
fn skip_line(from: &mut impl BufRead) -> io::Result<usize> {
    let mut skipped = 0;
    loop {
        let there = from.fill_buf()?;
        let end = there.iter().position(|&byte| byte == b'\n');
        let (take, done) = match end {
            Some(at) => (at + 1, true),
            None => (there.len(), there.is_empty()),
        };
        skipped += end.unwrap_or(take);
        from.consume(take);
        if done {
            return Ok(skipped);
        }
    }
}

/// Lines that are read before they are asked for. Each may be as long as a message.
const LINES_AHEAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut input: &[u8], bytes_max: usize) -> Vec<Body> {
        let mut found = Vec::new();
        while let Some(body) = read_line(&mut input, bytes_max).expect("bytes cannot fail") {
            found.push(body);
        }
        found
    }

    fn good(text: &'static str) -> Body {
        Body::Good(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn lines_lose_their_ends_and_nothing_else() {
        let found = lines(b" a\r\n\nb\rc\nlast", 10);

        assert_eq!(found, [good(" a"), good(""), good("b\rc"), good("last")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_counted() {
        for end in ["\n", "\r\n", ""] {
            for bytes in [4, 5, 6, 100] {
                let input = format!("{}{end}", "x".repeat(bytes));

                let found = lines(input.as_bytes(), 3);

                let [Body::TooLong { bytes: counted }] = found[..] else { panic!("{found:?}") };
                assert!((bytes..=bytes + end.len()).contains(&counted), "{counted} {bytes}");
            }
        }
        assert_eq!(lines(b"xxxxxxxxx\nab\nabc\n", 3)[1..], [good("ab"), good("abc")]);
    }
}
