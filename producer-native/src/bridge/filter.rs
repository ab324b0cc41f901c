//! Which bytes of a page may go to a broker?
//!
//! A page's bytes are frames, one behind the other (spec §1.1):
//!
//! ```text
//! length: u32 | 1: u8, header length: u24 | header | body        length counts what is behind it
//! header: code i16 | language u8 | version i16 | opaque i32 | flag i32 | remark | fields
//! ```
//!
//! [`Filter`] is told the bytes as they come, in pieces of any size, and says how many of them may
//! be written. A frame's header is held back until all of it is there and was found to be allowed;
//! its body passes as it comes. So of a refused frame no byte is passed, however the frame is cut,
//! and the frames before it pass whole.
//!
//! Only binary headers pass. In JSON, two readers may read two things (a member twice, an escape);
//! here the code is in two bytes at a fixed place, and the filter and a broker read the same ones.
//! As the length of a frame is below 16 MiB, no connection can begin with what a broker takes for
//! the start of TLS or for a PROXY line.
//!
//! What passes (all else is refused): to name servers GET_ROUTEINFO_BY_TOPIC (105); to brokers
//! SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320), HEART_BEAT (34), UNREGISTER_CLIENT (35),
//! END_TRANSACTION (37) and GET_MAX_OFFSET (30), by which the core probes a broker that was silent;
//! RECALL_MESSAGE (370) and SEND_REPLY_MESSAGE_V2 (325) if [`FilterLimits`] says so.
//!
//! # Topics and groups
//!
//! A token may name topics and groups ([`Grants`]). Then each request must have the ones it is
//! about, once, and they must be named. What the filter cannot see: the properties of the messages
//! within a batch, which a broker with `enableMultiDispatch` (off by default) may put into further
//! queues. What it need not see: the topic of END_TRANSACTION, which brokers do not read; they
//! compare the group with that of the half message.

mod fields;
mod heartbeat;
mod refusal;
mod rules;

use std::sync::Arc;

use producer_core::wire::code;

use super::{Grants, Names};
use fields::{LINE_BYTES, field_of, fields_of, property_of};
pub use refusal::{Refusal, Why};
use rules::{Body, CONSUMER_GROUP, GROUP, NAMESPACE, Needs, PROPERTIES, RULES, Rule, TOPIC};

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A name server: routes are asked for.
    NameServer,
    /// A broker, or a proxy that speaks its protocol.
    Broker,
}

/// What the filter lets through besides what is always refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Largest frame in bytes, without its first four. Default 4 MiB + 64 KiB: brokers take bodies
    /// of 4 MiB.
    pub frame_bytes_max: usize,
    /// Largest header in bytes. Default 64 KiB. So much may be held back for a connection.
    pub header_bytes_max: usize,
    /// Largest body of a heartbeat in bytes. Default 16 KiB. It is held back as a whole.
    pub heartbeat_bytes_max: usize,
    /// Whether messages may be recalled (RECALL_MESSAGE). Default no.
    pub recall: bool,
    /// Whether pages take part in request-reply: SEND_REPLY_MESSAGE_V2, and responses without a
    /// body, by which the receipt of a pushed reply is confirmed. Default no: a broker finds the
    /// question of a response by its number alone, so a page that guesses can answer for others.
    pub replies: bool,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 4 * 1024 * 1024 + 64 * 1024,
            header_bytes_max: 64 * 1024,
            heartbeat_bytes_max: 16 * 1024,
            recall: false,
            replies: false,
        }
    }
}

/// What may be written after a piece was looked at: first `held`, then the first `passed` bytes of
/// the piece. The rest of the piece is held back or refused; it is not to be shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Verdict<'f> {
    /// Bytes of earlier pieces.
    pub held: &'f [u8],
    /// How many bytes of the piece.
    pub passed: usize,
    /// Why nothing more of this connection may be written behind these.
    pub refused: Option<Refusal>,
}

/// The filter of one connection.
#[derive(Debug)]
pub struct Filter {
    to: TargetKind,
    limits: FilterLimits,
    grants: Arc<Grants>,
    /// How many of the bytes that come next belong to a frame that was allowed.
    open: usize,
    /// What was passed by the last verdict, then the start of a frame that is not yet allowed.
    held: Vec<u8>,
    /// How much of `held` the last verdict passed.
    given: usize,
    /// Bytes that a frame's start must have before it is looked at again.
    wanted: usize,
    refused: Option<Refusal>,
    /// Frames allowed since they were last taken, by rule; the last place is that of responses.
    frames: [u64; KINDS],
}

impl Filter {
    /// A filter for a connection that starts.
    pub fn new(to: TargetKind, limits: FilterLimits, grants: Arc<Grants>) -> Self {
        Self {
            to,
            limits,
            grants,
            open: 0,
            held: Vec::new(),
            given: 0,
            wanted: START_BYTES,
            refused: None,
            frames: [0; KINDS],
        }
    }

    /// Looks at the next bytes. After a refusal nothing passes any more.
    #[inline]
    pub fn check(&mut self, piece: &[u8]) -> Verdict<'_> {
        self.forget_given();
        if self.refused.is_none() && !self.held.is_empty() {
            self.go_on(piece);
            if self.given == 0 {
                return Verdict { held: &[], passed: 0, refused: self.refused };
            }
        }
        let mut at = 0;
        while self.refused.is_none() {
            let passing = self.open.min(piece.len() - at);
            at += passing;
            self.open -= passing;
            let rest = &piece[at..];
            if rest.is_empty() {
                break;
            }
            match self.look(rest) {
                Ok(Look::Allowed { bytes, rule }) => {
                    self.open = bytes;
                    self.frames[rule] += 1;
                }
                Ok(Look::Wants(bytes)) => {
                    self.wanted = bytes;
                    self.held.extend_from_slice(rest);
                    break;
                }
                Err(refusal) => self.refused = Some(refusal),
            }
        }
        Verdict { held: &self.held[..self.given], passed: at, refused: self.refused }
    }

    /// From the next header on, these count: a token was refreshed.
    pub fn set_grants(&mut self, grants: Arc<Grants>) {
        self.grants = grants;
    }

    /// Whether the bytes that passed end where a frame ends, so that nothing is missing at the
    /// other end if no more come.
    pub fn is_between_frames(&self) -> bool {
        self.open == 0
    }

    /// Shows how many frames of which request were allowed since the last time, by Java's names.
    pub fn take_frames(&mut self, mut each: impl FnMut(&'static str, u64)) {
        self.take_counts(|place, count| each(label(place), count));
    }

    /// The same by the place of each in [`label`], for who counts without a lock.
    pub(super) fn take_counts(&mut self, mut each: impl FnMut(usize, u64)) {
        for (place, count) in self.frames.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            each(place, std::mem::take(count));
        }
    }

    /// Drops what the last verdict passed; a large buffer is not kept for the next long header.
    fn forget_given(&mut self) {
        if self.given > 0 {
            self.held.drain(..self.given);
            self.given = 0;
            if self.held.is_empty() && self.held.capacity() > KEPT_BYTES {
                self.held = Vec::new();
            }
        }
    }

    /// Adds to the start of a frame that is held back, until it can be judged.
    #[cold]
    fn go_on(&mut self, piece: &[u8]) {
        let before = self.held.len();
        loop {
            let rest = &piece[self.held.len() - before..];
            let missing = self.wanted.saturating_sub(self.held.len());
            self.held.extend_from_slice(&rest[..missing.min(rest.len())]);
            if missing > rest.len() {
                return;
            }
            match self.look(&self.held) {
                Ok(Look::Wants(bytes)) => self.wanted = bytes,
                Ok(Look::Allowed { bytes, rule }) => {
                    // What the piece has of it passes with the piece.
                    self.held.truncate(before);
                    self.given = before;
                    self.open = bytes - before;
                    self.frames[rule] += 1;
                    return;
                }
                Err(refusal) => {
                    self.refused = Some(refusal);
                    return;
                }
            }
        }
    }

    /// Judges the frame at the start of `bytes`, as far as it is there.
    #[inline]
    fn look(&self, bytes: &[u8]) -> Result<Look, Refusal> {
        let refuse = |why| Refusal { code: None, why };
        let Some((start, rest)) = bytes.split_first_chunk::<START_BYTES>() else {
            return Ok(Look::Wants(START_BYTES));
        };
        let [l0, l1, l2, l3, kind, h0, h1, h2] = *start;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let header = u32::from_be_bytes([0, h0, h1, h2]);
        let max = self.limits.frame_bytes_max;
        if length as usize > max {
            return Err(refuse(Why::TooLarge { bytes: length, max }));
        }
        if kind != BINARY {
            return Err(refuse(Why::NotBinary { kind }));
        }
        let max = self.limits.header_bytes_max;
        if header as usize > max {
            return Err(refuse(Why::HeaderTooLarge { bytes: header, max }));
        }
        if header < HEADER_BYTES_MIN || header + 4 > length {
            return Err(refuse(Why::Length));
        }
        let (header, body) = (header as usize, length as usize - 4 - header as usize);
        // Only now, for a frame's lengths are refused as soon as they are there.
        let Some(line) = rest.first_chunk::<LINE_BYTES>() else {
            return Ok(Look::Wants(START_BYTES + LINE_BYTES));
        };
        let [c0, c1, _, _, _, _, _, _, _, f0, f1, f2, f3] = *line;
        let code = i16::from_be_bytes([c0, c1]);
        let flag = i32::from_be_bytes([f0, f1, f2, f3]);
        let looked = if flag & !(RESPONSE | ONE_WAY) != 0 {
            Err(Why::Flag)
        } else if flag & RESPONSE != 0 {
            self.look_at_response(header, body, rest)
        } else {
            self.look_at_request(code, header, body, rest)
        };
        looked.map_err(|why| Refusal { code: (flag & RESPONSE == 0).then_some(code), why })
    }

    /// Judges a request with a header and a body of so many bytes, at the start of `rest`.
    #[inline]
    fn look_at_request(
        &self,
        code: i16,
        header: usize,
        body: usize,
        rest: &[u8],
    ) -> Result<Look, Why> {
        let (at, rule) = rules::find(code, self.to, &self.limits).ok_or(Why::Code)?;
        let max = self.body_bytes_max(rule);
        if body > max {
            return Err(Why::BodyTooLarge { bytes: body, max });
        }
        let Some((head, behind)) = rest.split_at_checked(header) else {
            return Ok(Look::Wants(START_BYTES + header));
        };
        let fields = fields_of(head).ok_or(Why::Malformed)?;
        self.check_fields(rule, fields)?;
        let bytes = START_BYTES + header + body;
        if rule.body == Body::Heartbeat {
            let Some(body) = behind.get(..body) else { return Ok(Look::Wants(bytes)) };
            heartbeat::check(body, &self.grants)?;
        }
        Ok(Look::Allowed { bytes, rule: at })
    }

    /// Judges a response.
    #[cold]
    fn look_at_response(&self, header: usize, body: usize, rest: &[u8]) -> Result<Look, Why> {
        if !self.limits.replies || self.to != TargetKind::Broker {
            return Err(Why::Response);
        }
        if body > 0 {
            return Err(Why::BodyTooLarge { bytes: body, max: 0 });
        }
        let Some(head) = rest.get(..header) else { return Ok(Look::Wants(START_BYTES + header)) };
        let mut fields = fields_of(head).ok_or(Why::Malformed)?;
        while !fields.is_empty() {
            (_, _, fields) = field_of(fields).ok_or(Why::Malformed)?;
        }
        Ok(Look::Allowed { bytes: START_BYTES + header, rule: RULES.len() })
    }

    fn body_bytes_max(&self, rule: &Rule) -> usize {
        match rule.body {
            Body::Messages => self.grants.body_bytes_max.unwrap_or(usize::MAX),
            Body::Heartbeat => self.limits.heartbeat_bytes_max,
            Body::Empty => 0,
        }
    }

    /// Goes through all fields, so that their lengths are known to add up, and looks at those that
    /// decide.
    #[inline]
    fn check_fields(&self, rule: &Rule, mut fields: &[u8]) -> Result<(), Why> {
        if rule.always_read || self.grants.name_any() {
            return self.read_fields(rule, fields);
        }
        while !fields.is_empty() {
            (_, _, fields) = field_of(fields).ok_or(Why::Malformed)?;
        }
        Ok(())
    }

    /// Looks at the fields that decide.
    fn read_fields(&self, rule: &Rule, mut fields: &[u8]) -> Result<(), Why> {
        let mut found: [Option<&[u8]>; rules::FIELDS] = [None; rules::FIELDS];
        while !fields.is_empty() {
            let (name, value, rest) = field_of(fields).ok_or(Why::Malformed)?;
            if let Some(at) = rule.slot(name) {
                // Of two, Java takes the last; others may not.
                if found[at].replace(value).is_some() {
                    return Err(Why::Twice);
                }
            }
            fields = rest;
        }
        // Java takes an empty value for none.
        let found = found.map(|value| value.filter(|value| !value.is_empty()));
        if found[CONSUMER_GROUP].is_some() {
            return Err(Why::Consumer);
        }
        self.check_names(rule, &found)
    }

    /// Compares the fields with the names that the token gives.
    fn check_names(&self, rule: &Rule, found: &[Option<&[u8]>; rules::FIELDS]) -> Result<(), Why> {
        let Grants { topics, groups, .. } = &*self.grants;
        if self.grants.name_any() && found[NAMESPACE].is_some() {
            return Err(Why::Namespace);
        }
        let names_topics = *topics != Names::Any;
        if names_topics && rule.topic == Needs::Checked {
            let topic = found[TOPIC].ok_or(Why::NoTopic)?;
            // Whoever may create a topic asks for the one whose settings it gets. That shows no
            // more than which brokers there are.
            let creation = self.to == TargetKind::NameServer && topic == CREATION_TOPIC;
            if !creation && !topics.allow(topic) {
                return Err(Why::Topic);
            }
        }
        if names_topics && rule.topic == Needs::GroupInstead && *groups == Names::Any {
            return Err(Why::GroupsUnnamed);
        }
        if *groups != Names::Any && rule.group == Needs::Checked {
            let group = found[GROUP].ok_or(Why::NoGroup)?;
            if !groups.allow(group) {
                return Err(Why::Group);
            }
        }
        let mut rest = found[PROPERTIES].unwrap_or_default();
        while !rest.is_empty() {
            let property;
            (property, rest) = property_of(rest);
            if names_topics && property.starts_with(b"INNER_MULTI_") {
                return Err(Why::Dispatch);
            }
            // Brokers show a half message to producers of this group.
            if property.strip_prefix(b"PGROUP\x01").is_some_and(|group| !groups.allow(group)) {
                return Err(Why::Group);
            }
        }
        Ok(())
    }
}

/// How many kinds of frames are counted.
pub(super) const KINDS: usize = RULES.len() + 1;

/// Java's name of a kind.
pub(super) fn label(place: usize) -> &'static str {
    let rule = RULES.get(place);
    rule.and_then(|rule| code::request_name(rule.code.into())).unwrap_or("RESPONSE")
}

/// What is known about a frame whose start was looked at.
enum Look {
    /// So many bytes must be there before more can be said.
    Wants(usize),
    /// It may pass.
    Allowed {
        /// All its bytes.
        bytes: usize,
        /// Place of its count.
        rule: usize,
    },
}

/// Both lengths of a frame.
const START_BYTES: usize = 8;
/// A header without remark and fields: the lengths of both are there.
const HEADER_BYTES_MIN: u32 = LINE_BYTES as u32 + 8;
/// The type of a binary header.
const BINARY: u8 = 1;
/// Flag bits.
const RESPONSE: i32 = 1;
const ONE_WAY: i32 = 2;
/// The topic whose settings new topics get.
const CREATION_TOPIC: &[u8] = b"TBW102";
/// A buffer up to this size is kept for the next start of a frame.
const KEPT_BYTES: usize = 4 * 1024;
