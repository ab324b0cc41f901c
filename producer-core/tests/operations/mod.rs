//! Arbitrary operations in arbitrary order: the invariants of ARCHITECTURE.md hold all the same.
//!
//! [`check`] reads any bytes as a script (`script`), does what it says (`act`) on a stage that stands
//! for a driver and its peers (`stage`, `peers`), and keeps books of what was promised (`books`).
//! Needs nothing but the core: tests/fuzz calls it too.

mod act;
mod books;
mod peers;
pub(crate) mod said;
mod script;
mod stage;

use std::time::Duration;

use producer_core::{Message, Reply, SendOptions};

use books::Kind;
use script::{Choices, Operation};
use stage::Stage;

/// Longest script, in operations.
const OPERATIONS_MAX: usize = 2_000;

/// Runs a script twice: every invariant holds, and both runs are the same.
pub(crate) fn check(bytes: &[u8]) {
    let first = run(bytes);
    assert_eq!(first, run(bytes), "the same inputs, other outputs");
}

/// The operations of a script, for who wants to read them.
pub(crate) fn read(bytes: &[u8]) -> Vec<Operation> {
    let mut choices = Choices::new(bytes);
    choices.byte();
    script::config(&mut choices);
    let mut operations = Vec::new();
    while !choices.is_over() && operations.len() < OPERATIONS_MAX {
        operations.push(script::operation(&mut choices));
    }
    operations
}

fn run(bytes: &[u8]) -> u64 {
    let mut choices = Choices::new(bytes);
    let first = choices.byte();
    let mut stage = Stage::new(script::config(&mut choices), u64::from(first));
    for operation in read(bytes) {
        stage.act(&operation);
    }
    if first.is_multiple_of(4) {
        stage.heal();
    }
    stage.finish();
    stage.digest()
}

impl Stage {
    /// Once all peers are well, a message is stored.
    fn heal(&mut self) {
        if self.closing || !script::may_be_well(self.producer.config()) {
            return;
        }
        self.act(&Operation::NameServers(7));
        self.act(&Operation::Group { which: 0, what: 2 });
        // Routes are polled in turn, so that each is at the latest after twice the interval.
        for _ in 0..700 {
            self.serve(0);
            self.wait(Duration::from_millis(100));
        }
        let deadline = self.now + Duration::from_secs(10);
        let ticket = self.books.open(Kind::Send, deadline, None);
        let message = Message::new("t0", peers::body(ticket, 0)).expect("valid");
        let options = SendOptions {
            timeout: Some(Duration::from_secs(10)),
            attempt_timeout: Some(Duration::from_secs(1)),
            group: *self.groups.last().expect("one at least"),
            reply: Reply::Awaited,
            ..SendOptions::default()
        };
        let before = self.producer.stats().stored;
        self.producer.send(self.now, ticket, message, options);
        self.drain();
        for _ in 0..100 {
            self.serve(0);
            self.wait(Duration::from_millis(100));
        }
        assert!(self.producer.stats().stored > before, "all is well, but nothing is stored");
    }

    /// Closed in the end, everything has come back and nothing goes on.
    fn finish(&mut self) {
        let within = Duration::from_millis(500);
        self.act(&Operation::Close(within));
        self.wait(within + Duration::from_secs(2));
        assert!(self.closed, "closed {within:?} ago, and not done");
        self.last_alarms();
        assert_eq!(self.books.open_tickets(), [0; 0], "tickets that never came back");
        let stats = self.producer.stats();
        assert_eq!((stats.in_hand, stats.bytes_in_hand, stats.bytes_waiting), (0, 0, 0));
        assert_eq!((stats.connections, stats.requests_in_flight), (0, 0), "{stats:?}");
        let ended = stats.stored + stats.written + stats.not_sent + stats.rejected + stats.unknown;
        let sent = stats.accepted - stats.cancelled..=stats.accepted;
        assert!(sent.contains(&ended), "{stats:?}");
    }
}
