//! The caveat of what goes out together.

use crate::plan::{FaultKind, Mode, Plan, RefusalPlan, SendFault, Workload};

use super::ordering::{Caveat, Way};
use super::small::{With, cluster, sends};

/// Twenty batches of five, all of one key, one every 5 ms.
fn batches(mode: Mode) -> Workload {
    Workload { burst: 5, batch: true, ..sends(mode, 100, 1, 5) }
}

/// What broker-0 does with the one batch that comes then.
fn fails(plan: Plan, fault: SendFault) -> Plan {
    plan.breaks("broker-0", 150, 3, FaultKind::Sends { fault })
}

/// What goes out together.
pub fn together() -> Caveat {
    let busy = |queues: &[u16], mode| {
        let plan = cluster(queues).with(batches(mode));
        fails(plan, SendFault::Refuse(RefusalPlan::Busy))
    };
    let unanswered = cluster(&[1]).with(batches(Mode::Strict));
    let alone = cluster(&[4]).with(batches(Mode::Rotate));
    Caveat {
        title: "Batches",
        happens: "\
The messages of a batch go to one queue, in their order, side by side, or none of them does; a retry
carries all of them. Within a batch nothing is lost, moved or overtaken. Between two batches there is
no more order than between two messages: they take turns among the queues, and one that is refused is
overtaken by those behind it.",
        plan: "\
one broker, one key, a batch of five every 5 ms, twenty of them. Nothing breaks; or one batch is
refused as busy; or the answer to one is lost after it is stored.",
        ways: vec![
            Way::loses("rotation over 4 queues, nothing breaks", alone),
            Way::loses("one queue, one is refused, rotation", busy(&[1], Mode::Rotate)),
            Way::keeps("one is refused, selector by hash", busy(&[4], Mode::Hash)),
            Way::keeps(
                "one is unanswered, `Strict` lane",
                fails(unanswered, SendFault::CloseAfterStoring),
            ),
            Way::keeps("one is refused, `Strict` lane", busy(&[4], Mode::Strict)),
        ],
        remedy: "\
send batches of a key in a `Strict` lane, where each waits for the one before it: `send_batch_with` takes
the same options as `send`. It is also the cheapest way to keep order: the lane costs a round trip a
batch, not a message. A selector gives a batch one attempt, and all five of its messages fail together.",
    }
}
