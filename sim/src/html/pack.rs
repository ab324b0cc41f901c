//! How do the events of a run fit into a page? As numbers of variable length, times as differences,
//! texts once each. `decode.js` reads what is written here.

use std::collections::BTreeMap;

use crate::events::{Event, Frame, What};
use crate::history::{End, History};
use crate::pair::Run;

/// Events as bytes, and the texts that they point to.
#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    texts: Vec<String>,
    places: BTreeMap<String, u64>,
}

impl Packed {
    pub(super) fn new(run: &Run) -> Self {
        let mut packed = Self::default();
        // So that 0 can stand for none.
        packed.place_of("");
        let mut last = 0;
        for event in &run.events {
            let now = event.at.as_nanos() / 1_000;
            packed.number(now - last);
            packed.number(event.host.map_or(0, |host| u64::from(host) + 1));
            packed.event(event, &run.history);
            last = now;
        }
        packed
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    pub(super) fn base64(&self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::with_capacity(self.bytes.len().div_ceil(3) * 4);
        for chunk in self.bytes.chunks(3) {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..4 {
                let place = (bits >> (18 - 6 * digit)) & 63;
                let fills = digit > chunk.len();
                text.push(if fills { '=' } else { char::from(DIGITS[place as usize]) });
            }
        }
        text
    }

    fn event(&mut self, event: &Event, history: &History) {
        let at = event.at;
        match &event.what {
            What::Asked(ticket) => {
                let send = &history.sends[*ticket as usize];
                self.numbers(&[0, *ticket]);
                self.text(&send.topic);
                self.text(&format!("{:?}", send.mode));
                self.text(send.key.as_deref().unwrap_or_default());
                self.number(u64::from(send.probe));
            }
            What::Ended(ticket, which) => {
                self.numbers(&[1, *ticket]);
                self.end(&history.sends[*ticket as usize].ends[*which].1);
            }
            What::Dial { link, to, ended } => {
                self.numbers(&[2, *link as u64, u64::from(*to)]);
                let took = ended.as_ref().map(|(when, _)| when.since(at).as_micros() as u64);
                self.number(took.map_or(0, |took| took + 1));
                self.text(ended.as_ref().map_or("", |(_, how)| how));
            }
            What::Frame(frame) => self.frame(event, frame),
            What::Garbage { link, to } => {
                self.numbers(&[4, *link as u64, u64::from(*to)]);
            }
            What::Closed { link, peer, why } => {
                self.numbers(&[5, *link as u64, u64::from(*peer)]);
                self.text(why);
            }
            What::FaultBegins(fault) => self.numbers(&[6, *fault as u64]),
            What::FaultEnds(fault) => self.numbers(&[7, *fault as u64]),
            What::Healed => self.number(8),
        }
    }

    fn end(&mut self, end: &End) {
        match end {
            End::Stored(receipt) => {
                let copies = if receipt.maybe_duplicate { ", maybe twice" } else { "" };
                self.text("stored");
                self.text(&format!("{}{copies}", receipt.status));
                self.text(&receipt.broker);
                self.numbers(&[u64::from(receipt.queue_id), receipt.queue_offset]);
            }
            End::Failed(error) => {
                self.text(error.outcome().as_str());
                self.text(&error.to_string());
                self.numbers(&[0, 0, 0]);
            }
            End::Written | End::Cancelled => {
                self.text(if matches!(end, End::Written) { "written" } else { "cancelled" });
                self.numbers(&[0, 0, 0, 0]);
            }
        }
    }

    fn frame(&mut self, event: &Event, frame: &Frame) {
        let took = frame.arrived.map(|when| when.since(event.at).as_micros() as u64);
        self.numbers(&[3, frame.link as u64, u64::from(frame.to)]);
        self.number(took.map_or(0, |took| took + 1));
        self.text(&format!("{} {}", frame.name(), frame.code));
        self.number(frame.answers.map_or(0, |_| 1));
        self.numbers(&[zigzag(frame.opaque.into()), frame.bytes as u64]);
        self.text(frame.topic.as_deref().unwrap_or_default());
        self.number(frame.queue.map_or(0, |queue| zigzag(queue.into()) + 1));
        self.number(frame.offset.map_or(0, |offset| zigzag(offset) + 1));
        self.text(frame.remark.as_deref().unwrap_or_default());
        self.number(frame.ticket.map_or(0, |ticket| ticket + 1));
        if let Some((number, reason)) = frame.attempt {
            self.number(number.into());
            self.text(&format!("{reason}: {}", reason.explanation()));
        } else {
            self.number(0);
        }
    }

    fn text(&mut self, text: &str) {
        let place = self.place_of(text);
        self.number(place);
    }

    fn place_of(&mut self, text: &str) -> u64 {
        let next = self.texts.len() as u64;
        let place = *self.places.entry(text.to_owned()).or_insert(next);
        if place == next {
            self.texts.push(text.to_owned());
        }
        place
    }

    fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.number(*number));
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Small numbers of either sign become small numbers without one.
const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        let encode = |text: &str| Packed { bytes: text.into(), ..Packed::default() }.base64();

        assert_eq!([encode("x"), encode("xy"), encode("xyz")], ["eA==", "eHk=", "eHl6"]);
    }

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        let mut packed = Packed::default();

        packed.numbers(&[5, 300, zigzag(-1), zigzag(1)]);

        assert_eq!(packed.bytes, [5, 0xAC, 2, 1, 2]);
    }
}
