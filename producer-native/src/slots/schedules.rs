//! Waits and ends in every order that threads can take; with three of them, in every order with at
//! most three preemptions. Nobody sleeps for ever (that is a deadlock, which fails), nothing ends twice.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::sync::Mutex;
use loom::{future, thread};

use super::{Ended, Slot, Slots};

/// The door as waits see it: one lock, and whom to wake is woken behind it.
#[derive(Clone)]
struct Door(Arc<Mutex<Slots>>);

impl Door {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Slots::default())))
    }

    fn visit<R>(&self, visit: impl FnOnce(&mut Slots) -> R) -> R {
        visit(&mut self.0.lock().expect("no thread panics"))
    }

    fn begin(&self) -> Slot {
        self.visit(|slots| slots.insert(1, None))
    }

    fn end(&self, slot: Slot) {
        let (_, waker) = self.visit(|slots| slots.end(slot, Ended::Done));
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Another thread ends it.
    fn end_elsewhere(&self, slot: Slot) -> thread::JoinHandle<()> {
        let door = self.clone();
        thread::spawn(move || door.end(slot))
    }

    fn wait(&self, slot: Slot) -> Ended {
        future::block_on(poll_fn(|cx| match self.visit(|slots| slots.poll(slot, cx.waker())) {
            Ok(ended) => Poll::Ready(ended),
            Err(_stale) => Poll::Pending,
        }))
    }

    fn assert_all_free(&self) {
        self.visit(|slots| assert_eq!(slots.free.len(), slots.places.len()));
    }
}

#[test]
fn who_waits_is_woken() {
    loom::model(|| {
        let door = Door::new();
        let slot = door.begin();
        let ender = door.end_elsewhere(slot);

        assert!(matches!(door.wait(slot), Ended::Done));
        ender.join().expect("it ends");
        door.assert_all_free();
    });
}

#[test]
fn a_wait_that_goes_on_elsewhere_is_woken_there() {
    loom::model(|| {
        let door = Door::new();
        let slot = door.begin();
        let ender = door.end_elsewhere(slot);

        // Polled by one task, then by another.
        let first = door.visit(|slots| slots.poll(slot, Waker::noop()));
        if first.is_err() {
            assert!(matches!(door.wait(slot), Ended::Done));
        }
        ender.join().expect("it ends");
        door.assert_all_free();
    });
}

#[test]
fn a_wait_that_is_given_up_is_free_again_whoever_comes_first() {
    loom::model(|| {
        let door = Door::new();
        let slot = door.begin();
        let ender = door.end_elsewhere(slot);

        drop(door.visit(|slots| slots.abandon(slot)));
        ender.join().expect("it ends");
        door.assert_all_free();
    });
}

#[test]
fn three_share_slots() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let door = Door::new();
        let slots = [door.begin(), door.begin()];
        let ender = thread::spawn({
            let door = door.clone();
            move || slots.map(|slot| door.end(slot))
        });
        let deserter = thread::spawn({
            let door = door.clone();
            move || {
                drop(door.visit(|all| all.abandon(slots[0])));
                // The place may be that of the one before.
                let again = door.begin();
                door.end(again);
                assert!(matches!(door.wait(again), Ended::Done));
            }
        });

        assert!(matches!(door.wait(slots[1]), Ended::Done));
        for thread in [ender.join().map(drop), deserter.join()] {
            thread.expect("it ends");
        }
        door.assert_all_free();
    });
}
