//! `decode`: what do the bytes of frames say?

mod body;
mod header;
mod hex;
mod loose;

use std::io::{self, Read, Write};

use clap::Args;
use producer_core::wire::WireError;
use producer_core::wire::frame::{self, Frame};
use serde_json::Value;

use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct DecodeArguments {
    /// Frames in hex, blanks, colons, line ends and 0x allowed; `-` or nothing reads them, or bare
    /// bytes, from standard input
    #[arg(default_value = "-", hide_default_value = true)]
    hex: Vec<String>,
    /// Add the names of codes and versions, and bodies that are no text in hex
    #[arg(long)]
    explain: bool,
}

/// Whether names are added for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Wire,
    Explain,
}

/// What is wrong with the input, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadInput {
    /// The byte of the input.
    at: usize,
    problem: String,
}

pub(crate) fn run(arguments: DecodeArguments) -> Result<Exit, Failure> {
    let input = if arguments.hex.iter().all(|text| text == "-") {
        read_all(io::stdin().lock())?
    } else {
        arguments.hex.join(" ").into_bytes()
    };
    let detail = if arguments.explain { Detail::Explain } else { Detail::Wire };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let bytes = hex::bytes(&input);
    // What stands before a bad digit is decoded first.
    let (good, bad_digit) = match &bytes {
        Ok(bytes) => (&bytes[..], None),
        Err((bytes, bad)) => (&bytes[..], Some(bad)),
    };
    let mut frames = Frames::new(good);
    for decoded in frames.by_ref() {
        match decoded.and_then(|(at, frame)| object(at, &frame, detail)) {
            Ok(object) => writeln!(out, "{object}")?,
            Err(bad) => {
                out.flush()?;
                return Err(failure(bad_digit.unwrap_or(&bad)));
            }
        }
    }
    out.flush()?;
    match bad_digit {
        Some(bad) => Err(failure(bad)),
        None if frames.count == 0 => Err(Failure::new("there is no frame in the input")
            .hint("a frame starts with its length in four bytes, such as 0000015e")),
        None => Ok(Exit::Done),
    }
}

fn failure(bad: &BadInput) -> Failure {
    Failure::new(format!("byte {}: {}", bad.at, bad.problem))
        .hint("counted from 0; a frame starts with its length in four bytes, such as 0000015e")
}

fn read_all(from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    let read = from.take(INPUT_BYTES_MAX + 1).read_to_end(&mut input);
    read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    if input.len() as u64 > INPUT_BYTES_MAX {
        return Err(Failure::new(format!("the input is longer than {INPUT_BYTES_MAX} bytes")));
    }
    Ok(input)
}

/// The largest frame ten times over, in hex.
const INPUT_BYTES_MAX: u64 = 320 * 1024 * 1024;

/// Frames end to end, each with its place. It ends after the first that is bad.
struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    count: usize,
}

impl<'a> Frames<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, count: 0 }
    }

    fn split(&self) -> Result<Frame<'a>, BadInput> {
        let rest = &self.bytes[self.at..];
        let number = self.count + 1;
        match frame::split(rest, frame::FRAME_BYTES_MAX) {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => {
                let wanted =
                    rest.first_chunk::<4>().map(|len| u64::from(u32::from_be_bytes(*len)) + 4);
                let wanted = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
                let problem =
                    format!("frame {number} is cut off after {}{wanted} bytes", rest.len());
                Err(BadInput { at: self.at, problem })
            }
            Err(error) => {
                let at =
                    self.at + if let WireError::UnknownSerializeType(_) = error { 4 } else { 0 };
                Err(BadInput { at, problem: format!("frame {number} is no frame: {error}") })
            }
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<(usize, Frame<'a>), BadInput>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let split = self.split();
        let at = self.at;
        self.at = split.as_ref().map_or(self.bytes.len(), |frame| at + frame.len);
        self.count += 1;
        Some(split.map(|frame| (at, frame)))
    }
}

/// A frame that begins at byte `at` as one JSON object.
fn object(at: usize, frame: &Frame<'_>, detail: Detail) -> Result<Value, BadInput> {
    let (line, mut object) = header::object(frame).map_err(|error| {
        let inside = if let WireError::BadJson { at } = error { at } else { 0 };
        BadInput { at: at + 8 + inside, problem: format!("the header cannot be read: {error}") }
    })?;
    object.insert("serialize".into(), frame.serialize.name().into());
    object.insert("body_bytes".into(), frame.body.len().into());
    body::describe(&line, frame.body, detail, &mut object);
    if detail == Detail::Explain {
        object.insert("explained".into(), header::explain(&line));
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests;
