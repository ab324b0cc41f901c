//! How long do callers wait who share requests, and how many share one? In virtual time: callers
//! that wait for their receipt and send again at once, and some that come now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pair::{World, ms};
use producer_core::{AutoBatch, Config, Instant};

const ROUND_TRIP: Duration = Duration::from_millis(2);
/// Whoever waits for it is noticed.
const LINGER: Duration = Duration::from_secs(2);

struct Crowd {
    world: World,
    /// When each send that has not ended began.
    begun: BTreeMap<u64, Instant>,
    /// How long each has taken that has ended.
    took: Vec<Duration>,
    /// Callers that are to leave once they have their receipt.
    leaving: usize,
}

impl Crowd {
    fn new(linger: Duration) -> Self {
        let auto_batch = AutoBatch { linger, ..AutoBatch::default() };
        let config = Config { auto_batch: Some(auto_batch), ..Config::default() };
        let mut world = World::new(config);
        world.routes.insert("t".into(), crate::pair::route_json(&[("a", "a:1")], 4));
        world.sent("warm").expect("stored");
        Self { world, begun: BTreeMap::new(), took: Vec::new(), leaving: 0 }
    }

    /// So many more callers send.
    fn come(&mut self, callers: usize) {
        for _ in 0..callers {
            let ticket = self.world.send("x");
            self.begun.insert(ticket, self.world.now);
        }
    }

    /// Whoever has a receipt sends again, for so long.
    fn go_on(&mut self, span: Duration) {
        let end = self.world.now + span;
        while self.world.now < end {
            let stays = self.step();
            self.come(stays);
        }
    }

    /// A millisecond passes; returns how many have their receipts and stay.
    fn step(&mut self) -> usize {
        self.world.run(ms(1));
        let done = std::mem::take(&mut self.world.done);
        for (ticket, result) in &done {
            result.as_ref().expect("stored");
            let begun = self.begun.remove(ticket).expect("begun");
            self.took.push(self.world.now.since(begun));
        }
        let gone = self.leaving.min(done.len());
        self.leaving -= gone;
        done.len() - gone
    }

    /// The longest that anybody has waited, or waits by now.
    fn worst(&self) -> Duration {
        let waiting = self.begun.values().map(|&begun| self.world.now.since(begun));
        self.took.iter().copied().chain(waiting).max().unwrap_or_default()
    }

    fn mean(&self) -> Duration {
        self.took.iter().sum::<Duration>() / self.took.len() as u32
    }

    fn requests(&self) -> usize {
        self.world.peers["a:1"].sends_seen - 1
    }
}

#[test]
fn a_crowd_waits_for_no_timer_and_shares_requests() {
    for callers in [1, 2, 3, 5, 10, 64, 200] {
        let mut crowd = Crowd::new(LINGER);

        crowd.come(callers);
        crowd.go_on(ms(1_000));

        let (worst, mean) = (crowd.worst(), crowd.mean());
        assert!(worst <= ROUND_TRIP * 3, "{callers} callers: {worst:?}");
        assert!(mean <= ROUND_TRIP * 2, "{callers} callers: {mean:?}");
        let together = crowd.took.len() / crowd.requests();
        assert!(together >= callers / 3, "{callers} callers: {together} a request");
        assert!(together >= 1);
    }
}

#[test]
fn a_lone_caller_waits_for_nobody() {
    let mut crowd = Crowd::new(LINGER);

    crowd.come(1);
    crowd.go_on(ms(100));

    assert_eq!(crowd.took, [ROUND_TRIP; 50]);
}

#[test]
fn those_who_stay_do_not_wait_for_those_who_have_gone() {
    for stay in [0, 1, 2, 7, 20, 40] {
        let mut crowd = Crowd::new(LINGER);
        crowd.come(64);
        crowd.go_on(ms(100));

        crowd.leaving = 64 - stay;
        crowd.go_on(ms(100));

        assert!(crowd.worst() <= ROUND_TRIP * 4, "{stay} stay: {:?}", crowd.worst());
        assert_eq!(crowd.begun.len(), stay);
    }
}

#[test]
fn those_who_come_now_and_then_wait_no_longer_than_they_may() {
    let linger = ms(10);
    for (every, answered_after) in [(1, 0), (3, 0), (1, 20), (3, 20), (30, 20), (7, 100)] {
        let mut crowd = Crowd::new(linger);
        crowd.world.broker("a:1").lag = ms(answered_after);

        for n in 0..500 {
            if n % every == 0 {
                crowd.come(1);
            }
            crowd.step();
        }

        let longest = linger + ms(answered_after) + ROUND_TRIP;
        assert!(crowd.worst() <= longest, "every {every} ms: {:?}", crowd.worst());
        if every > answered_after + 2 {
            assert_eq!(crowd.worst(), ms(answered_after) + ROUND_TRIP, "alone, every {every} ms");
        }
    }
}
