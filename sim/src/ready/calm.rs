//! Caveats that need no failure.

use crate::plan::{Mode, NetworkPlan, Plan};

use super::ordering::{Caveat, Way};
use super::small::{With, cluster, sends};

/// Queues take turns.
pub fn rotation() -> Caveat {
    let by = |mode| cluster(&[4]).with(sends(mode, 40, 1, 10));
    Caveat {
        title: "Rotation is not order",
        happens: "\
Without a selector each message goes to the next queue. Every queue is in order, the key is not:
its messages are spread over all queues, and consumers read these at their own pace.",
        plan: "one broker with 4 queues, 40 messages of one key, one every 10 ms. Nothing breaks.",
        ways: vec![
            Way::loses("rotation", by(Mode::Rotate)),
            Way::keeps("selector by hash", by(Mode::Hash)),
            Way::keeps("`Strict` lane", by(Mode::Strict)),
        ],
        remedy: "\
name the key: `QueueChoice::ordered(key, Order::Strict)`, or `QueueChoice::hash(key)` to share queues
with Java's `SelectMessageQueueByHash`.",
    }
}

/// Two producers have one key.
pub fn two_producers() -> Caveat {
    let jitter = |mut plan: Plan| {
        plan.network = NetworkPlan { latency_us: 1_000, jitter_us: 5_000 };
        plan
    };
    let half = |mode, producer| {
        let mut half = sends(mode, 40, 1, 20);
        half.producer = producer;
        half.start_ms += 2 * u64::from(producer);
        half
    };
    let two = |mode| jitter(cluster(&[1]).with(half(mode, 0)).with(half(mode, 1)));
    let one = |mode| jitter(cluster(&[1]).with(sends(mode, 80, 1, 10)));
    Caveat {
        title: "Two producers of one key",
        happens: "\
Each producer keeps its own order; neither knows of the other. What one sent first can be stored
last, although both chose the same queue. Order is counted here by the time of sending, over both.",
        plan: "\
one broker with one queue, ways of 1 to 6 ms, one key. Two producers send 40 messages each, the second
one 2 ms after the first; or one producer sends all 80.",
        ways: vec![
            Way::loses("two producers, selector by hash", two(Mode::Hash)),
            Way::loses("two producers, `Strict` lane", two(Mode::Strict)),
            Way::keeps("one producer, selector by hash", one(Mode::Hash)),
            Way::keeps("one producer, `Strict` lane", one(Mode::Strict)),
        ],
        remedy: "\
give each key one producer at a time (partition the work before it reaches the producers), or put a
version into the message and let consumers drop what is older than what they have seen. No producer
can do it alone.",
    }
}
