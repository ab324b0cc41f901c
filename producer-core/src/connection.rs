//! One peer: what is still to be written to it, and which of that has left.

use alloc::vec::Vec;
use core::mem;

use crate::names::Address;
use crate::slab::Key;
use crate::sort::sort;
use crate::time::Instant;
use crate::wire::send::Looks;

/// Names a connection towards the driver. Reports about one that is gone are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) Key);

impl ConnId {
    /// A number that no two connections of one producer share.
    pub fn number(self) -> u64 {
        u64::from(self.0.generation) << 32 | u64::from(self.0.slot)
    }

    /// A small number that connections of one producer share over time, never at the same time:
    /// drivers may index an array by it.
    pub fn slot(self) -> usize {
        self.0.slot as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Dialling,
    Open,
}

/// A connection, from the wish to have it to its end.
pub(crate) struct Connection {
    pub(crate) dialled: Address,
    pub(crate) state: State,
    /// Frames that the driver has not taken yet.
    out: Vec<u8>,
    /// Position of `out`'s first byte in the stream of all bytes ever written here.
    taken: u64,
    /// Stretches of `out` that must not leave, by position, ascending.
    dead: Vec<(u64, u64)>,
    dead_bytes: usize,
    /// Stretches that were dead and are no longer in `out`, ascending, neighbours joined.
    gone: Vec<(u64, u64)>,
    gone_bytes: usize,
    /// The head of a frame whose rest has not arrived.
    pub(crate) unfinished: Vec<u8>,
    /// How its answers look.
    pub(crate) looks: Looks,
    /// One-way sends in `out`, some of them dead: where their frame ends, ascending.
    one_ways: Vec<(u64, Key)>,
    /// Requests appended since the last take.
    frames: usize,
    /// Whether the driver knows that there is something to take.
    announced: bool,
    /// Requests that wait for an answer.
    pub(crate) in_flight: u32,
    /// No new requests; it is closed once nothing is in flight.
    pub(crate) retiring: bool,
    /// Since when the peer owes an answer and has said nothing.
    pub(crate) silent_since: Option<Instant>,
    /// Since when the peer has said nothing to what it was asked, given up or not.
    pub(crate) owes_since: Option<Instant>,
    /// When something arrived, or the dial began.
    pub(crate) last_received: Instant,
    pub(crate) opened: Instant,
    pub(crate) last_used: Instant,
    pub(crate) heartbeat_due: Instant,
    /// Whether a broker, not a name server, is at the other end.
    pub(crate) to_broker: bool,
}

impl Connection {
    pub(crate) fn new(dialled: Address, to_broker: bool, now: Instant) -> Self {
        Self {
            dialled,
            state: State::Dialling,
            out: Vec::new(),
            taken: 0,
            dead: Vec::new(),
            dead_bytes: 0,
            gone: Vec::new(),
            gone_bytes: 0,
            unfinished: Vec::new(),
            looks: Looks::default(),
            one_ways: Vec::new(),
            frames: 0,
            announced: false,
            in_flight: 0,
            retiring: false,
            silent_since: Some(now),
            owes_since: None,
            last_received: now,
            opened: now,
            last_used: now,
            heartbeat_due: Instant::FAR,
            to_broker,
        }
    }

    /// Where the next frame begins.
    pub(crate) fn position(&self) -> u64 {
        self.taken + (self.out.len() + self.gone_bytes) as u64
    }

    /// Bytes that the driver has taken.
    pub(crate) fn left(&self) -> u64 {
        self.taken
    }

    /// Whether every byte from `position` on is still here.
    pub(crate) fn holds(&self, position: u64) -> bool {
        position >= self.taken
    }

    /// The buffer to append a frame to.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// A request that will be answered was appended.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.in_flight += 1;
        self.frames += 1;
        self.last_used = now;
        self.silent_since.get_or_insert(now);
        self.owes_since.get_or_insert(now);
    }

    /// A request was answered or given up.
    pub(crate) fn settled(&mut self) {
        self.in_flight -= 1;
        if self.in_flight == 0 {
            self.silent_since = None;
        }
    }

    /// A one-way send was appended.
    pub(crate) fn one_way(&mut self, send: Key, now: Instant) {
        self.frames += 1;
        self.last_used = now;
        self.one_ways.push((self.position(), send));
    }

    /// Whether to tell the driver that there is something to take; true once per take.
    pub(crate) fn announce(&mut self) -> bool {
        let news = self.state == State::Open && !self.announced && !self.out.is_empty();
        self.announced |= news;
        news
    }

    /// Something arrived.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_received = now;
        self.owes_since = None;
        self.silent_since = (self.in_flight > 0).then_some(now);
    }

    /// The frame from `start` to `end` must not leave. True if it has not.
    pub(crate) fn withdraw(&mut self, start: u64, end: u64) -> bool {
        if !self.holds(start) {
            reached!(WithdrawLate);
            return false;
        }
        reached!(Withdrawn);
        let at = self.dead.partition_point(|&(from, _)| from < start);
        self.dead.insert(at, (start, end));
        self.dead_bytes += (end - start) as usize;
        if self.dead_bytes > COMPACT_BYTES && self.dead_bytes * 2 > self.out.len() {
            self.compact();
        }
        true
    }

    /// Frees the room of dead stretches. A peer that takes nothing must not make us grow.
    fn compact(&mut self) {
        reached!(Compacted);
        self.forget_dead_one_ways();
        let stretches = self.stretches();
        remove_stretches(&mut self.out, &stretches);
        self.out.shrink_to(2 * self.out.len());
        self.gone.append(&mut self.dead);
        sort(&mut self.gone, |a, b| a < b);
        self.gone.dedup_by(|next, last| {
            let joined = last.1 == next.0;
            if joined {
                last.1 = next.1;
            }
            joined
        });
        self.gone_bytes += self.dead_bytes;
        self.dead_bytes = 0;
    }

    /// Withdrawn one-way sends are none. Not looked for one by one: thousands may be withdrawn at
    /// an instant.
    fn forget_dead_one_ways(&mut self) {
        let dead = &self.dead;
        let is_dead = |end: u64| dead.binary_search_by_key(&end, |&(_, dead_end)| dead_end).is_ok();
        self.one_ways.retain(|&(end, _)| !is_dead(end));
    }

    /// The dead stretches as ranges of `out`.
    fn stretches(&self) -> Vec<(usize, usize)> {
        let mut gone = self.gone.iter().peekable();
        let mut gone_before = 0;
        let mut ranges = Vec::with_capacity(self.dead.len());
        for &(from, to) in &self.dead {
            while let Some((gone_from, gone_to)) = gone.next_if(|stretch| stretch.0 < from) {
                gone_before += gone_to - gone_from;
            }
            let start = (from - self.taken - gone_before) as usize;
            ranges.push((start, start + (to - from) as usize));
        }
        ranges
    }

    /// Swaps what is to be written into `buf`, which the caller gives empty; its capacity is used
    /// for what comes next. Returns the one-way sends among it.
    pub(crate) fn take(&mut self, buf: &mut Vec<u8>) -> Vec<(u64, Key)> {
        self.announced = false;
        self.frames = 0;
        let end = self.position();
        let stretches = if self.dead_bytes > 0 { self.stretches() } else { Vec::new() };
        mem::swap(&mut self.out, buf);
        self.out.clear();
        self.forget_dead_one_ways();
        if !stretches.is_empty() {
            reached!(WithdrawnCut);
            remove_stretches(buf, &stretches);
            self.dead.clear();
            self.dead_bytes = 0;
        }
        self.gone.clear();
        self.gone_bytes = 0;
        self.taken = end;
        if self.one_ways.is_empty() { Vec::new() } else { mem::take(&mut self.one_ways) }
    }

    /// Requests waiting to be taken, which one-way sends are too, or to be answered.
    pub(crate) fn under_way(&self) -> usize {
        self.frames.max(self.in_flight as usize)
    }

    /// Bytes waiting to be taken, dead ones included.
    pub(crate) fn out_bytes(&self) -> usize {
        self.out.len()
    }
}

/// Dead bytes that are not worth a move.
const COMPACT_BYTES: usize = 64 << 10;

fn remove_stretches(bytes: &mut Vec<u8>, stretches: &[(usize, usize)]) {
    let mut write = 0;
    let mut read = 0;
    for &(from, to) in stretches {
        bytes.copy_within(read..from, write);
        write += from - read;
        read = to;
    }
    let rest = bytes.len() - read;
    bytes.copy_within(read.., write);
    bytes.truncate(write + rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let mut connection =
            Connection::new(Address::new("b:1").expect("valid"), true, Instant::ZERO);
        connection.state = State::Open;
        connection
    }

    #[test]
    fn a_withdrawn_frame_never_leaves() {
        let mut connection = connection();
        connection.out().extend_from_slice(b"aabbbc");

        assert!(connection.withdraw(2, 5));
        let mut buf = Vec::new();
        connection.take(&mut buf);

        assert_eq!(buf, b"aac");
        assert_eq!(connection.position(), 6);
        assert!(!connection.withdraw(2, 5), "it has left");
    }

    #[test]
    fn withdrawing_in_any_order_keeps_the_others() {
        let mut connection = connection();
        connection.out().extend_from_slice(b"aabbccdd");

        for (from, to) in [(6, 8), (0, 2), (2, 4)] {
            assert!(connection.withdraw(from, to));
        }
        let mut buf = Vec::new();
        connection.take(&mut buf);

        assert_eq!(buf, b"cc");
    }

    #[test]
    fn a_peer_that_takes_nothing_does_not_make_us_grow() {
        let mut connection = connection();
        let frame = [7_u8; 1000];
        let mut kept = Vec::new();

        for round in 0..10_000_u32 {
            let start = connection.position();
            connection.out().extend_from_slice(&frame);
            if round % 1000 == 1 {
                connection.out().extend_from_slice(&round.to_be_bytes());
                kept.extend_from_slice(&round.to_be_bytes());
            }
            assert!(connection.withdraw(start, start + 1000));
        }

        assert!(connection.out_bytes() < 200_000);
        let mut buf = Vec::new();
        connection.take(&mut buf);
        assert_eq!(buf, kept);
        assert_eq!(connection.position(), 10_000 * 1000 + 40);
    }

    #[test]
    fn a_withdrawn_one_way_send_is_not_reported_as_taken() {
        let mut connection = connection();
        let keys = [0, 1, 2].map(|slot| Key { slot, generation: 1 });
        for key in keys {
            connection.out().extend_from_slice(&[7; 40_000]);
            connection.one_way(key, Instant::ZERO);
        }

        assert!(connection.withdraw(0, 40_000));
        assert!(connection.withdraw(80_000, 120_000), "which makes it compact");
        assert_eq!(connection.take(&mut Vec::new()), [(80_000, keys[1])]);
    }

    #[test]
    fn the_driver_is_told_once_per_take() {
        let mut connection = connection();
        assert!(!connection.announce());
        connection.out().push(1);

        assert!(connection.announce());
        connection.out().push(2);
        assert!(!connection.announce());
        connection.take(&mut Vec::new());
        connection.out().push(3);
        assert!(connection.announce());
    }
}
