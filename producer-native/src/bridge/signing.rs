//! Whose key of the brokers' access control do requests bear? The bridge's, so that no page has one.
//!
//! With a [`Signer`], each request that the filter lets through to a broker is written anew: what
//! stands in it as `AccessKey`, `Signature` and `SecurityToken` is dropped, whoever put it there,
//! and the bridge's own are added by the code that producers sign with (spec §10.1). All else of the
//! request stays: its number, its other fields, its body. What the filter says about a frame does
//! not change, for it sees the frame before this does.
//!
//! Name servers look at no signature (the same section), so what goes there is not signed, and no
//! responses are.
//!
//! A signature stands before the body that it covers, so a frame must be there as a whole before its
//! first byte is written. A frame up to [`FREE_BYTES`] waits in its connection's own buffer. A larger
//! one needs room of what all connections share ([`SigningRules::held_bytes_max`]); until there is
//! some its page is not read, and once it has some it must be whole within
//! [`SigningRules::frame_time`], and then taken by its broker within the same. The body is not copied
//! again.
//!
//! Of that room all connections of one subject (of one address, without tokens) have an eighth
//! together, and all connections to one broker half: so a page that announces large frames and lets
//! them trickle keeps it from itself, and a broker that takes nothing from its own pages. Nine such
//! subjects may still take it all, for `frame_time` at a time.

mod room;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Buf, Bytes};
use producer_core::Credentials;
use producer_core::wire::{
    Fields, Head, Header, SerializeType, WireError, acl, encode_frame, frame,
};
use tokio::time::Instant;

use super::metrics::Metrics;
pub(super) use room::{Holder, SUBJECT_PART};
use room::{Permits, Rooms, Share};

/// How much of frames may wait to be signed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningRules {
    /// Bytes of frames above [`FREE_BYTES`] that wait to be whole, or to be written, of all
    /// connections together. Default 64 MiB. An eighth of it is for one subject, half for one broker.
    /// A frame that is larger than that takes all of it.
    pub held_bytes_max: usize,
    /// How long such a frame may wait for room, then take to arrive, and then to be written. Default
    /// 60 s.
    pub frame_time: Duration,
}

impl Default for SigningRules {
    fn default() -> Self {
        Self { held_bytes_max: 64 << 20, frame_time: Duration::from_secs(60) }
    }
}

/// A frame up to this size counts as its connection's own buffer.
pub const FREE_BYTES: usize = 64 * 1024;

/// Signs requests. It may be shared; its account may change while others use it.
pub struct Signer {
    account: RwLock<Arc<Credentials>>,
    rules: SigningRules,
    rooms: Arc<Rooms>,
}

impl Signer {
    /// Signs by this account. Give it what pages may do and nothing more: whoever may send through
    /// the bridge sends in its name.
    pub fn new(account: Credentials, rules: SigningRules) -> Self {
        let rooms = Rooms::new(units(rules.held_bytes_max));
        Self { account: RwLock::new(Arc::new(account)), rules, rooms }
    }

    /// From now on requests are signed by this account. Those that were written keep what they have.
    pub fn set_account(&self, account: Credentials) {
        *self.account.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(account);
    }

    pub(super) fn account(&self) -> Arc<Credentials> {
        self.account.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What stands before the body of a whole frame from now on, and where that body begins; `None`
    /// for what is not signed.
    fn sign(&self, whole: &[u8]) -> Result<Option<(Bytes, usize)>, WireError> {
        let found = frame::split(whole, usize::MAX)?.ok_or(WireError::Truncated)?;
        let header = Header::decode(found.serialize, found.header)?;
        if header.is_response() {
            return Ok(None);
        }
        let mut fields = Fields::new();
        // What is empty here is null to Java, whose signature would have the word "null" for it.
        for (name, value) in header.ext.iter() {
            let name = name.to_cow();
            if !OURS.contains(&&*name) {
                fields.push(name, value.to_cow());
            }
        }
        let account = self.account();
        let signed = acl::sign(fields, &account, found.body)?;
        let remark = header.remark.map(|remark| remark.to_cow());
        let head = Head {
            code: header.code,
            language: header.language,
            version: header.version,
            opaque: header.opaque,
            flag: header.flag,
            remark: remark.as_deref(),
        };
        let mut start = Vec::with_capacity(found.header.len() + SIGNATURE_BYTES);
        encode_frame(&mut start, SerializeType::RocketMq, &head, signed.iter(), &[])?;
        // The body stays where it is, so the length must be told of it.
        let length = (start.len() - LENGTH_BYTES + found.body.len()) as u32;
        start[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        Ok(Some((Bytes::from(start), whole.len() - found.body.len())))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// The requests of one connection, on their way to be signed.
pub(super) struct Signing<'c> {
    signer: Arc<Signer>,
    shares: [Share; 2],
    metrics: &'c Metrics,
    /// The start of a frame that is not whole.
    held: Vec<u8>,
    /// All its bytes, once that is known.
    wanted: Option<usize>,
    /// Of the frame that is held, and until when it must be whole.
    room: Option<(Room<'c>, Instant)>,
    /// Of the one that was signed last, until it is written, and until when it must be.
    leaving: Option<(Room<'c>, Instant)>,
}

impl<'c> Signing<'c> {
    /// For one connection: whose it is, and to which target.
    pub(super) fn new(signer: Arc<Signer>, holders: [Holder; 2], metrics: &'c Metrics) -> Self {
        let shares = holders.map(|holder| signer.rooms.share(holder));
        let held = Vec::new();
        Self { signer, shares, metrics, held, wanted: None, room: None, leaving: None }
    }

    /// Adds bytes of frames that are allowed; those that are whole by now go to `out`, signed.
    ///
    /// # Errors
    /// [`WireError`] if a header cannot be written anew, which the filter lets no page bring about.
    pub(super) fn push(
        &mut self,
        mut bytes: Bytes,
        mut out: impl FnMut(Bytes),
    ) -> Result<(), WireError> {
        while !bytes.is_empty() {
            if self.held.is_empty()
                && let Some(length) = length_of(&bytes)
                && length <= bytes.len()
            {
                self.finish(bytes.split_to(length), &mut out)?;
                continue;
            }
            let missing = self.wanted.unwrap_or(LENGTH_BYTES) - self.held.len();
            let some = bytes.split_to(missing.min(bytes.len()));
            if let Some(wanted) = self.wanted.filter(|wanted| *wanted <= FREE_BYTES) {
                self.held.reserve_exact(wanted - self.held.len());
            }
            self.held.extend_from_slice(&some);
            self.wanted = length_of(&self.held);
            if self.wanted == Some(self.held.len()) {
                self.wanted = None;
                let whole = Bytes::from(std::mem::take(&mut self.held));
                if let Some((room, _)) = self.room.take() {
                    self.leaving = Some((room, Instant::now() + self.signer.rules.frame_time));
                }
                self.finish(whole, &mut out)?;
            }
        }
        Ok(())
    }

    fn finish(&self, mut whole: Bytes, out: &mut impl FnMut(Bytes)) -> Result<(), WireError> {
        if let Some((start, body)) = self.signer.sign(&whole)? {
            self.metrics.signed();
            out(start);
            whole.advance(body);
        }
        out(whole);
        Ok(())
    }

    /// Whether the frame that has begun needs room before more of it is read.
    pub(super) fn lacks_room(&self) -> bool {
        self.room.is_none() && self.wanted.is_some_and(|wanted| wanted > FREE_BYTES)
    }

    /// Waits for room, if it is needed.
    ///
    /// # Errors
    /// [`NoRoom`] if there was none in time.
    pub(super) async fn find_room(&mut self) -> Result<(), NoRoom> {
        let (true, Some(wanted)) = (self.lacks_room(), self.wanted) else { return Ok(()) };
        let frame_time = self.signer.rules.frame_time;
        let deadline = Instant::now() + frame_time;
        let found = self.signer.rooms.find(&self.shares, units(wanted), deadline).await;
        let permits = found.ok_or(NoRoom)?;
        self.metrics.signing_room(i64::from(permits.units) * UNIT_BYTES as i64);
        let room = Room { permits, metrics: self.metrics };
        self.room = Some((room, Instant::now() + frame_time));
        self.held.reserve_exact(wanted - self.held.len());
        Ok(())
    }

    /// When a frame that has room must be whole.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.room.as_ref().map(|(_, deadline)| *deadline)
    }

    /// When a frame that has room must be written.
    pub(super) fn write_deadline(&self) -> Option<Instant> {
        self.leaving.as_ref().map(|(_, deadline)| *deadline)
    }

    /// What was signed is written.
    pub(super) fn written(&mut self) {
        self.leaving = None;
    }
}

/// There is no room for a large frame.
#[derive(Debug)]
pub(super) struct NoRoom;

/// Room for a frame, until it is dropped.
struct Room<'c> {
    permits: Permits,
    metrics: &'c Metrics,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.metrics.signing_room(-i64::from(self.permits.units) * UNIT_BYTES as i64);
    }
}

/// All bytes of the frame that begins here, if that can be told.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH_BYTES>()?;
    Some(LENGTH_BYTES + u32::from_be_bytes(*length) as usize)
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(UNITS_MAX).min(UNITS_MAX)
}

/// The fields that a signature is made of.
const OURS: [&str; 3] = ["AccessKey", "Signature", "SecurityToken"];
/// What stands before a frame, and is not counted by it.
const LENGTH_BYTES: usize = 4;
/// What the fields of a signature take, with an access key of usual length.
const SIGNATURE_BYTES: usize = 192;
/// Room is counted in these.
const UNIT_BYTES: usize = 1024;
/// Some 256 GiB.
const UNITS_MAX: u32 = 1 << 28;

#[cfg(test)]
mod tests;
