//! What happened, line by line, in simulated time?

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use producer_core::wire::code::{request, response};
use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::{Frame, Header};

use super::host::elapsed;
use crate::pair::trace::{FNV, Trace as Lines, fnv};
use crate::serve::driver::Way;

/// Lines that are written only if somebody wants them.
#[derive(Clone, Default)]
pub(super) struct Trace(Option<Sink>);

/// Where lines go.
#[derive(Clone)]
enum Sink {
    /// Frames are decoded.
    Text(Arc<Mutex<String>>),
    /// Bytes are hashed.
    Lines(Arc<Mutex<Lines>>),
}

/// Bytes of one direction of a connection that are no whole frame yet.
#[derive(Default)]
pub(super) struct Frames {
    rest: Vec<u8>,
    /// What came was no frame; what follows cannot be read.
    garbage: bool,
}

impl Trace {
    pub(super) fn on() -> Self {
        Self(Some(Sink::Text(Arc::default())))
    }

    /// Writes to the lines of a run.
    pub(super) const fn to(lines: Arc<Mutex<Lines>>) -> Self {
        Self(Some(Sink::Lines(lines)))
    }

    /// All lines so far.
    pub(super) fn text(&self) -> String {
        self.lock().map(|text| text.clone()).unwrap_or_default()
    }

    pub(super) fn note(&self, host: &str, what: fmt::Arguments<'_>) {
        if let Some(mut lines) = self.lines() {
            return lines.write(elapsed(), format_args!("{host} {what}"));
        }
        let Some(mut text) = self.lock() else { return };
        begin(&mut text, host);
        line(&mut text, what);
    }

    /// A line for each frame that `bytes` make whole.
    pub(super) fn bytes(
        &self,
        frames: &mut Frames,
        host: &str,
        way: Way,
        peer: &str,
        bytes: &[u8],
    ) {
        if let Some(mut lines) = self.lines() {
            let (arrow, len, hash) = (arrow(way), bytes.len(), fnv(0, bytes) as u32);
            let what = format_args!("{host} {arrow} {peer} {len} bytes {hash:08x}");
            return lines.write(elapsed(), what);
        }
        let Some(mut text) = self.lock() else { return };
        if frames.garbage {
            return;
        }
        frames.rest.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            match frame::split(&frames.rest[used..], FRAME_BYTES_MAX) {
                Ok(Some(frame)) => {
                    used += frame.len;
                    begin(&mut text, host);
                    describe(&mut text, way, peer, &frame);
                }
                Ok(None) => break,
                Err(error) => {
                    frames.garbage = true;
                    begin(&mut text, host);
                    line(&mut text, format_args!("{} {peer} {error}", arrow(way)));
                    break;
                }
            }
        }
        frames.rest.drain(..used);
    }

    fn lines(&self) -> Option<MutexGuard<'_, Lines>> {
        match &self.0 {
            Some(Sink::Lines(lines)) => Some(lines.lock().unwrap_or_else(PoisonError::into_inner)),
            Some(Sink::Text(_)) | None => None,
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, String>> {
        match &self.0 {
            Some(Sink::Text(text)) => Some(text.lock().unwrap_or_else(PoisonError::into_inner)),
            Some(Sink::Lines(_)) | None => None,
        }
    }
}

fn begin(text: &mut String, host: &str) {
    let ms = elapsed().as_millis();
    write!(text, "{:>6}.{:03} {host:<12} ", ms / 1000, ms % 1000).expect(INFALLIBLE);
}

fn describe(text: &mut String, way: Way, peer: &str, frame: &Frame<'_>) {
    let header = match Header::decode(frame.serialize, frame.header) {
        Ok(header) => header,
        Err(error) => return line(text, format_args!("{} {peer} {error}", arrow(way))),
    };
    let name = if header.is_response() { response::name } else { request::name };
    let name = name(header.code).unwrap_or("code");
    let (code, opaque) = (header.code, header.opaque);
    write!(text, "{} {peer} {name} {code} #{opaque}", arrow(way)).expect(INFALLIBLE);
    for (key, value) in header.ext.iter() {
        let value = value.to_cow();
        let value = value.replace(['\u{1}', '\u{2}'], " ");
        write!(text, " {}={value}", key.to_cow()).expect(INFALLIBLE);
    }
    if let Some(remark) = header.remark {
        write!(text, " {:?}", remark.to_cow()).expect(INFALLIBLE);
    }
    let (len, hash) = (frame.body.len(), fnv(FNV, frame.body));
    line(text, format_args!(" [{len} {hash:016x}]"));
}

fn line(text: &mut String, what: fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect(INFALLIBLE);
}

const fn arrow(way: Way) -> char {
    match way {
        Way::In => '<',
        Way::Out => '>',
    }
}

const INFALLIBLE: &str = "writing to a string cannot fail";
