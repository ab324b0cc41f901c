//! Caveats of retries and of brokers that fail.

use crate::plan::{FaultKind, Mode, Plan, RefusalPlan, SendFault};

use super::ordering::{Caveat, Way};
use super::small::{With, cluster, one_by_one, sends};

/// The broker refuses what it is sent in the window, as busy.
const BUSY: FaultKind = FaultKind::Sends { fault: SendFault::Refuse(RefusalPlan::Busy) };

/// One message is refused and tried again.
pub fn retry() -> Caveat {
    let busy = |plan: Plan| plan.breaks("broker-0", 150, 1, BUSY);
    let by = |mode| busy(cluster(&[1]).with(sends(mode, 100, 1, 1)));
    let waits = one_by_one(sends(Mode::Rotate, 100, 1, 1));
    Caveat {
        title: "A retry is overtaken",
        happens: "\
A topic with a single queue is the folk remedy for order. It holds until something fails: the
producer tries the refused message again, and those already on their way are stored before it.",
        plan: "\
one broker with one queue, one key, a message every millisecond. One of them is refused as busy
(`SYSTEM_BUSY`).",
        ways: vec![
            Way::loses("rotation", by(Mode::Rotate)),
            Way::loses("rotation, `Config::java()`", by(Mode::Rotate).java()),
            Way::keeps("rotation, one at a time", busy(cluster(&[1]).with(waits))),
            Way::keeps("`Strict` lane", by(Mode::Strict)),
        ],
        remedy: "\
have one message of a key under way at a time: wait for each answer, or let a `Strict` lane do it, which
queues the rest. Either costs a round trip a message: here 2 ms are needed for what comes every
millisecond, so the lane falls behind. Different keys do not wait for each other.",
    }
}

/// Nobody waits for answers, and something fails.
pub fn asynchronous() -> Caveat {
    let busy = |plan: Plan| plan.breaks("broker-0", 150, 9, BUSY);
    let by = |mode| busy(cluster(&[4]).with(sends(mode, 40, 1, 10)));
    let mut second = sends(Mode::Hash, 1, 1, 10);
    second.start_ms = 180;
    let repeats = by(Mode::Hash).with(second);
    let restarts = |mode| {
        let plan = cluster(&[4]).with(sends(mode, 200, 1, 10));
        plan.breaks("broker-0", 500, 700, FaultKind::Crash)
    };
    Caveat {
        title: "Asynchronous sends with a retry",
        happens: "\
A selector gets one attempt, so a failure leaves a gap, not disorder; the application that fills the
gap makes the disorder, for it learns of the failure when later messages are stored. Java's
`send(msg, selector, arg, callback)` does that by itself: after a connection error it sends again to
the same broker, behind what has overtaken (`onExceptionImpl`). So can a wait: while a broker cannot be
reached, this producer lets selectors wait for the next dial, each for itself.",
        plan: "\
one broker with 4 queues, one key, a message every 10 ms, nobody waits for answers. Either one message
is refused as busy, and the application sends it again 25 ms later; or the broker restarts, 700 ms.",
        ways: vec![
            Way::keeps("selector by hash, nothing repeated", by(Mode::Hash)),
            Way {
                repeats: Some(5),
                ..Way::loses("selector by hash, the application repeats", repeats)
            },
            Way::keeps("`Strict` lane", by(Mode::Strict)),
            Way::loses("restart, selector by hash", restarts(Mode::Hash)),
            Way::keeps("restart, `Strict` lane", restarts(Mode::Strict)),
        ],
        remedy: "\
never repeat an ordered message outside its lane: retries need one owner. A `Strict` lane repeats before
it lets the next one go. With selectors, wait for each answer. (A real broker adds to this: it stores
what comes on one connection with `sendMessageThreadPoolNums` threads, up to 4 in 5.x, so that even
without a failure pipelined messages can change places. The model has one thread.)",
    }
}

/// The answer to a message that is stored is lost.
pub fn lost_answer() -> Caveat {
    let lost = |plan: Plan| {
        let close = FaultKind::Sends { fault: SendFault::CloseAfterStoring };
        plan.breaks("broker-0", 150, 9, close)
    };
    let by = |queues: &[u16], mode| lost(cluster(queues).with(sends(mode, 40, 1, 10)));
    let mut stops = by(&[4], Mode::Strict);
    stops.config.overrides.stop_on_unknown = Some(true);
    Caveat {
        title: "An answer is lost after storing",
        happens: "\
The broker stores the message, and the connection ends before the answer arrives. Nobody can know
whether it is stored. Sent again, it is stored twice: a duplicate with the same message id, directly
behind the first if nothing overtakes. It is not disorder.",
        plan: "one broker, one key, a message every 10 ms. One answer is lost.",
        ways: vec![
            Way::keeps("rotation, a single queue", by(&[1], Mode::Rotate)),
            Way::keeps("selector by hash", by(&[4], Mode::Hash)),
            Way::keeps("`Strict` lane", by(&[4], Mode::Strict)),
            Way::keeps("`Strict` lane, `OnUnknown::Stop`", stops),
        ],
        remedy: "\
consumers recognise duplicates by `UNIQ_KEY`; the receipt says `maybe_duplicate`. Who cannot bear
duplicates sets `on_unknown: OnUnknown::Stop` and gets an error whose outcome is *unknown* instead. A
selector, with its one attempt, always reports it.",
    }
}

/// The latency fault strategy shifts turns.
pub fn fault_strategy() -> Caveat {
    let slow = |plan: Plan| plan.breaks("broker-0", 4_000, 8_000, FaultKind::SlowDisk { ms: 600 });
    let by = |mode| slow(cluster(&[1, 1]).with(sends(mode, 40, 2, 400)));
    Caveat {
        title: "The latency fault strategy switched on while order is wanted",
        happens: "\
As many keys as queues, sent in turn: each key meets the same queue every time, and order holds by
accident. `sendLatencyFaultEnable` ends that: a broker whose answer took 550 ms is skipped for 2 s, the
turns shift, and keys change places without an error. To selectors the strategy means nothing, in Java
as here: they choose among all queues, so they keep order and wait for the slow broker.",
        plan: "\
two brokers with one queue each, two keys in turn, a message every 400 ms. Each write at broker-0 takes
600 ms for 8 s.",
        ways: vec![
            Way::keeps("rotation, `Config::java()`", by(Mode::Rotate).java()),
            Way::loses("rotation, Java with the strategy", by(Mode::Rotate).java_avoiding()),
            Way::keeps("selector by hash, `Config::java()`", by(Mode::Hash).java()),
            Way::keeps("selector by hash, Java with the strategy", by(Mode::Hash).java_avoiding()),
            Way::keeps("`Strict` lane", by(Mode::Strict)),
            Way::keeps("`Available` lane", by(Mode::Available)),
        ],
        remedy: "\
do not build order on rotation, with or without the strategy. With selectors the switch does nothing
but avoid brokers for other messages; whoever wants both order and a way around a broker needs an
`Available` lane, which says when it moved. It moves for brokers that fail or fall silent; here, slow
but alive, broker-0 keeps its keys.",
    }
}
