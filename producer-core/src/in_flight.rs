//! Which request does an answer belong to?

use alloc::vec::Vec;

use crate::slab::Key;
use crate::sort::sort;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A message.
    Send(Key),
    /// The route of a topic, asked of a name server.
    Route { topic: u32, lookup: u32, server: u32 },
    /// Keeping a connection known to its broker.
    Heartbeat,
    /// Is an ejected broker alive?
    Probe { broker: u32 },
    /// Good-bye.
    Unregister,
    /// Something that the application asked.
    Ask(Key),
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) opaque: i32,
    pub(crate) conn: Key,
    pub(crate) purpose: Purpose,
}

/// Requests by opaque number. Numbers go up by one and come round after 2^31, so a late answer
/// finds nothing, or at worst, two thousand million requests later, another request; it would then
/// have to arrive on the same connection.
pub(crate) struct InFlight {
    slots: Vec<Option<Request>>,
    next: u32,
    len: usize,
}

/// Slots at the start: small, for a process may have a thousand producers.
const SLOTS_MIN: usize = 16;

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), next: 0, len: 0 }
    }

    /// Takes the next free number for a request.
    #[inline]
    pub(crate) fn insert(&mut self, conn: Key, purpose: Purpose) -> i32 {
        if self.len * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        loop {
            let opaque = (self.next & 0x7FFF_FFFF) as i32;
            self.next = self.next.wrapping_add(1);
            let slot = &mut self.slots[opaque as usize & mask];
            if slot.is_none() {
                *slot = Some(Request { opaque, conn, purpose });
                self.len += 1;
                return opaque;
            }
        }
    }

    /// A number for a request that nobody answers.
    pub(crate) fn number(&mut self) -> i32 {
        let opaque = (self.next & 0x7FFF_FFFF) as i32;
        self.next = self.next.wrapping_add(1);
        opaque
    }

    /// The request with this number, if it was made on this connection; it is no longer in flight.
    pub(crate) fn remove(&mut self, opaque: i32, conn: Key) -> Option<Purpose> {
        let mask = self.slots.len().checked_sub(1)?;
        let slot = self.slots.get_mut(opaque as usize & mask)?;
        match slot {
            Some(request) if request.opaque == opaque && request.conn == conn => {
                let purpose = request.purpose;
                *slot = None;
                self.next = if planted!(NumberReused) { opaque as u32 } else { self.next };
                self.len -= 1;
                Some(purpose)
            }
            _ => None,
        }
    }

    /// Takes out every request of a connection, oldest first.
    pub(crate) fn drain(&mut self, conn: Key) -> Vec<Request> {
        let mut drained = Vec::new();
        for slot in &mut self.slots {
            if let Some(request) = slot.take_if(|request| request.conn == conn) {
                drained.push(request);
            }
        }
        self.len -= drained.len();
        let next = self.next & 0x7FFF_FFFF;
        let age = |request: &Request| (request.opaque as u32).wrapping_sub(next) & 0x7FFF_FFFF;
        sort(&mut drained, |a, b| age(a) < age(b));
        drained
    }

    /// Whether the request still waits for its answer.
    pub(crate) fn contains(&self, opaque: i32, conn: Key) -> bool {
        let slot = self.slots.len().checked_sub(1).map(|mask| opaque as usize & mask);
        let request = slot.and_then(|slot| self.slots[slot].as_ref());
        request.is_some_and(|request| request.opaque == opaque && request.conn == conn)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[cold]
    fn grow(&mut self) {
        reached!(RingGrows);
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let mut grown: Vec<Option<Request>> = Vec::new();
        grown.resize(slots, None);
        for request in self.slots.drain(..).flatten() {
            // Two numbers that differ in the old ring's bits differ in the new ring's too.
            grown[request.opaque as usize & (slots - 1)] = Some(request);
        }
        self.slots = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: Key = Key { slot: 0, generation: 1 };
    const OTHER: Key = Key { slot: 1, generation: 1 };

    #[test]
    fn an_answer_on_another_connection_finds_nothing() {
        let mut in_flight = InFlight::new();
        let opaque = in_flight.insert(CONN, Purpose::Heartbeat);

        assert_eq!(in_flight.remove(opaque, OTHER), None);
        assert_eq!(in_flight.remove(opaque, CONN), Some(Purpose::Heartbeat));
        assert_eq!(in_flight.remove(opaque, CONN), None);
    }

    #[test]
    fn numbers_of_requests_that_hang_are_skipped_and_come_round() {
        let mut in_flight = InFlight::new();
        let stuck = in_flight.insert(CONN, Purpose::Unregister);
        in_flight.next = 0x7FFF_FFFE;

        for expected in [0x7FFF_FFFE, 0x7FFF_FFFF, 1] {
            let opaque = in_flight.insert(CONN, Purpose::Heartbeat);
            assert_eq!(opaque, expected);
            in_flight.remove(opaque, CONN);
        }
        assert_eq!(in_flight.remove(stuck, CONN), Some(Purpose::Unregister));
        assert_eq!(in_flight.len(), 0);
    }

    #[test]
    fn draining_gives_a_connections_requests_in_order() {
        for start in [0, 0x3FFF_FFE0, 0x7FFF_FFF0] {
            let mut in_flight = InFlight::new();
            in_flight.next = start;
            let conns = (0..40).map(|n| if n % 2 == 0 { CONN } else { OTHER });
            let opaques: Vec<i32> =
                conns.map(|conn| in_flight.insert(conn, Purpose::Heartbeat)).collect();

            let drained: Vec<i32> = in_flight.drain(CONN).iter().map(|r| r.opaque).collect();

            let expected: Vec<i32> = opaques.iter().copied().step_by(2).collect();
            assert_eq!(drained, expected);
            assert_eq!(in_flight.len(), 20);
        }
    }

    #[test]
    fn numbers_without_an_answer_are_counted_with_the_others() {
        let mut in_flight = InFlight::new();
        in_flight.next = 0x7FFF_FFFD;

        let insert = |it: &mut InFlight| it.insert(CONN, Purpose::Heartbeat);
        let numbers = [insert(&mut in_flight), in_flight.number(), in_flight.number()];

        assert_eq!(numbers, [0x7FFF_FFFD, 0x7FFF_FFFE, 0x7FFF_FFFF]);
        assert_eq!([in_flight.number(), insert(&mut in_flight)], [0, 1], "they come round");
    }
}
