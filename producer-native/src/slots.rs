//! Who waits for what, and what came of it?

use std::task::Waker;

use producer_core::{Answer, HalfMessage, MessageId, Receipt, ReplyMessage, Route, SendError};

/// Names a place among the [`Slots`]; the core carries it and brings it back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    index: u32,
    generation: u32,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Sent(Result<Receipt, SendError>),
    Written(MessageId),
    Batch(Result<Vec<Receipt>, SendError>),
    Prepared(Result<Box<HalfMessage>, SendError>),
    Replied(Result<ReplyMessage, SendError>),
    Answered(Result<Answer, SendError>),
    Route(Result<Route, SendError>),
    /// What was waited for has come to pass; there is nothing to hand over.
    Done,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting(Option<Waker>),
    /// Nobody waits any more, but the core still has the slot.
    Abandoned,
    Ended(Ended),
}

#[derive(Debug)]
struct Place {
    generation: u32,
    /// When the send was accepted, as [`Eras`](crate::eras::Eras) count; 0 for what is no send.
    era: u64,
    state: State,
}

/// What somebody still owns and must be dropped after unlocking: dropping a waker can run code of
/// strangers.
pub(crate) type Leftover = (Option<Waker>, Option<Ended>);

/// Waits by slot. It grows to the most that wait together and allocates no more.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl Slots {
    /// A new wait.
    #[inline]
    pub(crate) fn insert(&mut self, era: u64, waker: Option<Waker>) -> Slot {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.era = era;
            place.state = State::Waiting(waker);
            return Slot { index, generation: place.generation };
        }
        let index = u32::try_from(self.places.len()).expect("fewer than 2^32 waits at a time");
        self.places.push(Place { generation: 0, era, state: State::Waiting(waker) });
        Slot { index, generation: 0 }
    }

    /// The wait is over: returns its era and whom to wake.
    #[inline]
    pub(crate) fn end(&mut self, slot: Slot, ended: Ended) -> (u64, Option<Waker>) {
        let Some(place) = self.place(slot) else { return (0, None) };
        let era = place.era;
        // In place: an end is large.
        let State::Waiting(waker) = &mut place.state else {
            self.release(slot);
            return (era, None);
        };
        let waker = waker.take();
        place.state = State::Ended(ended);
        (era, waker)
    }

    /// How the wait ended, once; until then `waker` is woken when it does. Returns what to drop
    /// after unlocking.
    #[inline]
    pub(crate) fn poll(&mut self, slot: Slot, waker: &Waker) -> Result<Ended, Option<Waker>> {
        let Some(place) = self.place(slot) else { return Err(None) };
        match &mut place.state {
            State::Waiting(Some(known)) if known.will_wake(waker) => Err(None),
            State::Waiting(known) => Err(known.replace(waker.clone())),
            State::Ended(_) => match self.release(slot) {
                State::Ended(ended) => Ok(ended),
                State::Free | State::Waiting(_) | State::Abandoned => Err(None),
            },
            State::Free | State::Abandoned => Err(None),
        }
    }

    /// Whether the wait is over and its end has not been fetched.
    pub(crate) fn is_ended(&self, slot: Slot) -> bool {
        let place = self.places.get(slot.index as usize);
        place.is_some_and(|place| {
            place.generation == slot.generation && matches!(place.state, State::Ended(_))
        })
    }

    /// Nobody waits any more, but the core will end it.
    pub(crate) fn abandon(&mut self, slot: Slot) -> Leftover {
        let Some(place) = self.place(slot) else { return (None, None) };
        match std::mem::replace(&mut place.state, State::Abandoned) {
            State::Waiting(waker) => (waker, None),
            State::Ended(ended) => {
                self.release(slot);
                (None, Some(ended))
            }
            State::Free | State::Abandoned => (None, None),
        }
    }

    /// The core has given the slot back: returns its era.
    pub(crate) fn remove(&mut self, slot: Slot) -> (u64, Leftover) {
        let Some(place) = self.place(slot) else { return (0, (None, None)) };
        let era = place.era;
        match self.release(slot) {
            State::Waiting(waker) => (era, (waker, None)),
            State::Ended(ended) => (era, (None, Some(ended))),
            State::Free | State::Abandoned => (era, (None, None)),
        }
    }

    /// Everybody who waits, for an emergency.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let wakers = self.places.iter_mut().filter_map(|place| match &mut place.state {
            State::Waiting(waker) => waker.take(),
            State::Free | State::Abandoned | State::Ended(_) => None,
        });
        wakers.collect()
    }

    #[inline]
    fn place(&mut self, slot: Slot) -> Option<&mut Place> {
        let place = self.places.get_mut(slot.index as usize)?;
        (place.generation == slot.generation).then_some(place)
    }

    #[inline]
    fn release(&mut self, slot: Slot) -> State {
        let place = &mut self.places[slot.index as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot.index);
        std::mem::replace(&mut place.state, State::Free)
    }
}

#[cfg(test)]
mod schedules;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_ends_once_and_is_used_again() {
        let mut slots = Slots::default();
        let first = slots.insert(1, None);

        let (era, waker) = slots.end(first, Ended::Done);
        assert_eq!((era, waker.is_none()), (1, true));
        assert!(slots.is_ended(first));
        assert!(matches!(slots.poll(first, Waker::noop()), Ok(Ended::Done)));

        let second = slots.insert(2, None);
        assert_eq!(second.index, first.index);
        assert!(slots.poll(first, Waker::noop()).is_err(), "a stale slot finds nothing");
        assert!(!slots.is_ended(first));
    }

    #[test]
    fn an_abandoned_slot_is_free_once_the_core_ends_it() {
        let mut slots = Slots::default();
        let slot = slots.insert(1, Some(Waker::noop().clone()));

        let (waker, ended) = slots.abandon(slot);
        assert!(waker.is_some() && ended.is_none());
        assert!(slots.free.is_empty());

        slots.end(slot, Ended::Done);
        assert_eq!(slots.free, [0]);
    }
}
