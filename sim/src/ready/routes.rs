//! Caveats of routes that change, or that do not.

use crate::plan::{FaultKind, Mode, Plan, Tail, Workload};

use super::ordering::{Caveat, Way};
use super::small::{With, cluster, one_by_one, sends};

/// Keys with an order: an application with a selector waits for each answer, lanes do that.
fn ordered(mode: Mode, total: u32, keys: u32, every_ms: u64) -> Workload {
    let sends = sends(mode, total, keys, every_ms);
    if mode == Mode::Hash { one_by_one(sends) } else { sends }
}

fn with_conf(mut plan: Plan, conf: &str) -> Plan {
    plan.cluster.topics[0].order = Some(conf.to_owned());
    plan
}

/// A topic gets more queues, or fewer.
pub fn queue_count() -> Caveat {
    let changed = |from, to, mode| {
        let mut plan = cluster(&[from]).with(ordered(mode, 400, 20, 10));
        plan.config.overrides.route_poll_ms = Some(1_000);
        plan.breaks("broker-0", 1_000, 60_000, FaultKind::Queues { count: to })
    };
    Caveat {
        title: "The number of queues changes",
        happens: "\
A selector by hash takes the key's hash modulo the number of queues *as they are*. When the topic is
given more queues, keys move, though nothing failed and no send says so. What is left in the old queue
may be read after what is written to the new one.",
        plan: "\
one broker, 20 keys, a message every 10 ms, 4 s. After 1 s the topic goes from 4 queues to 8, or from 8
to 4. (Routes are asked for every second here, to keep the run short.)",
        ways: vec![
            Way::loses("4 to 8, selector, one at a time", changed(4, 8, Mode::Hash)),
            Way::keeps("4 to 8, `Strict` lane", changed(4, 8, Mode::Strict)),
            Way::keeps("4 to 8, `Available` lane", changed(4, 8, Mode::Available)),
            Way::loses("8 to 4, selector, one at a time", changed(8, 4, Mode::Hash)),
            Way::keeps("8 to 4, `Strict` lane", changed(8, 4, Mode::Strict)),
            Way::announces("8 to 4, `Available` lane", changed(8, 4, Mode::Available)),
        ],
        remedy: "\
lanes hash over the queues that the topic had when the producer first used it, so that growth moves
nothing (and the new queues stay empty until the producer starts anew). Queues that are taken away leave
no choice: a `Strict` lane whose queue is gone fails every send, an `Available` lane moves, some keys
twice: when the broker refuses the queue, and when the route says so. To change the count of an ordered
topic, stop sending, let consumers catch up, change it, start anew.",
    }
}

/// A master is killed and comes back.
pub fn master_lost() -> Caveat {
    let lost = |mode| {
        let plan = cluster(&[4, 4, 4]).with(ordered(mode, 500, 20, 20));
        plan.breaks("broker-1", 2_000, 4_000, FaultKind::Crash)
    };
    let conf = "broker-0:4;broker-1:4;broker-2:4";
    Caveat {
        title: "A master is lost",
        happens: "\
The name servers drop the dead master, the route has two thirds of the queues, and a hash modulo 8 is
another than modulo 12: keys move, also keys of the *other* brokers. When the master is back, they all
move again. With an order topic conf (`updateOrderConf`, name server with `orderMessageEnable=true`) the
route keeps naming all queues: nothing moves, and keys of the dead master fail for as long as it is dead.",
        plan: "\
three brokers with 4 queues each, 20 keys, a message every 20 ms, 10 s. Broker-1 is killed after 2 s
and back after 4 more.",
        ways: vec![
            Way::loses("selector, one at a time", lost(Mode::Hash)),
            Way::keeps("selector, one at a time, order topic conf", with_conf(lost(Mode::Hash), conf)),
            Way::keeps("`Strict` lane", lost(Mode::Strict)),
            Way::keeps("`Strict` lane, order topic conf", with_conf(lost(Mode::Strict), conf)),
            Way::announces("`Available` lane", lost(Mode::Available)),
        ],
        remedy: "\
decide what a key is to do without its master. Wait and then fail: a `Strict` lane (it needs no conf), or
a selector with the conf. Go elsewhere: an `Available` lane; it moves only the keys of the dead master,
and back, and each move shows as another `epoch` in the receipt. A selector without conf moves keys of
healthy brokers too, and tells nobody.",
    }
}

/// A master is killed and the route says so late.
pub fn stale_route() -> Caveat {
    let stale = |mode| {
        let plan = cluster(&[4, 4, 4]).with(ordered(mode, 1_000, 20, 40));
        plan.breaks("broker-1", 2_000, 60_000, FaultKind::Crash)
    };
    Caveat {
        title: "A stale route for 30 s",
        happens: "\
Java asks for routes every 30 s and never because something failed. Until then the dead master keeps
its keys, and every send to it fails at once; then the route changes, and keys move. The time of the
poll, not that of the failure, decides when order is lost. This producer asks when an attempt fails:
selectors get the new route within a second, fail once, and lose order sooner.",
        plan: "\
three brokers with 4 queues each, 20 keys, a message every 40 ms, 40 s. Broker-1 is killed after 2 s
and does not come back.",
        ways: vec![
            Way::loses("selector, one at a time, `Config::java()`", stale(Mode::Hash).java()),
            Way::loses("selector, one at a time", stale(Mode::Hash)),
            Way::keeps("`Strict` lane", stale(Mode::Strict)),
            Way::announces("`Available` lane", stale(Mode::Available)),
        ],
        remedy: "\
a short `route_poll` makes the gap shorter and the move earlier, no more. If order matters, no route
may decide: lanes. A `Strict` lane without its master fails each send after its whole timeout; give
such sends a short one if callers should not wait.",
    }
}

/// Two producers have routes of different age.
pub fn handover() -> Caveat {
    let grown = |mode| {
        let mut later = ordered(mode, 100, 20, 20);
        later.producer = 1;
        later.start_ms = 2_110;
        let plan = cluster(&[4]).with(ordered(mode, 100, 20, 20)).with(later);
        plan.breaks("broker-0", 1_000, 60_000, FaultKind::Queues { count: 8 })
    };
    let conf = "broker-0:4";
    Caveat {
        title: "Two producers with routes of different age",
        happens: "\
One process hands its keys over to the next, as in a deployment, and meanwhile the topic has grown. The
old producer knew 4 queues, the new one knows 8, and both hash right: the keys move. Lanes are no
better here, for each producer pins the queues that *it* saw first.",
        plan: "\
one broker, 20 keys. The first producer sends 100 messages in 2 s; after 1 s the topic goes from 4
queues to 8; then the second producer sends 100.",
        ways: vec![
            Way::loses("selector, one at a time", grown(Mode::Hash)),
            Way::loses("`Strict` lane", grown(Mode::Strict)),
            Way::keeps("selector, one at a time, order topic conf", with_conf(grown(Mode::Hash), conf)),
            Way::keeps("`Strict` lane, order topic conf", with_conf(grown(Mode::Strict), conf)),
        ],
        remedy: "\
fix the queues of an ordered topic where all producers can see them: an order topic conf at the name
servers, which this producer hashes over like Java's. Without one, treat a changed queue count as in the
section above: drain first.",
    }
}

/// A topic is created by its first messages.
pub fn auto_create() -> Caveat {
    let on_demand = |mut plan: Plan| {
        plan.cluster.auto_create_topics = true;
        plan.config.overrides.auto_create_topics = Some(true);
        plan
    };
    let none = [0; 6];
    let made = |mode| on_demand(cluster(&none).with(ordered(mode, 2_000, 12, 20)));
    let others = on_demand(cluster(&none).with(ordered(Mode::Strict, 2_000, 12, 20)).with(sends(
        Mode::Rotate,
        12,
        1,
        20,
    )));
    let before = cluster(&[4; 6]).with(ordered(Mode::Hash, 2_000, 12, 20));
    Caveat {
        title: "A topic is created by its first messages",
        happens: "\
A topic that does not exist has no route; Java takes the one of `TBW102` for it, 4 queues on every broker
that creates topics, and hashes over these. Only the brokers that are hit create the topic, so its own
route, which Java learns at the next poll, has fewer queues, and more with every broker that is hit by
whoever still goes by the template: keys move each time.",
        plan: "\
six brokers that create topics, 12 keys, a message every 20 ms, 40 s. The keys hash to four of the six
brokers. Last but one, another 12 messages in rotation create the topic; last, it exists before.",
        ways: vec![
            Way::loses("selector, one at a time, `Config::java()`", made(Mode::Hash).java()),
            Way::loses("selector, one at a time, creating", made(Mode::Hash)),
            Way::keeps("`Strict` lane, nobody creates it", made(Mode::Strict)),
            Way::announces("`Available` lane, creating", made(Mode::Available)),
            Way::keeps("`Strict` lane, others create it", others),
            Way::keeps("selector, one at a time, created before", before),
        ],
        remedy: "\
create ordered topics before they are used (`updateTopic`, with as many queues as they will ever need).
By default this producer does not have topics created. Switched on, a `Strict` lane still does not go by
the template: it waits until the topic has queues of its own, and fails if nobody creates it.",
    }
}

/// A slave is promoted that lacks the tail.
pub fn promoted() -> Caveat {
    let lost = |tail, mode| {
        let mut plan = cluster(&[4, 4]).with(sends(mode, 4_000, 16, 2));
        plan.cluster.slaves = 2;
        let promote = FaultKind::Promote { after_ms: 2_000, tail, silent: false };
        plan.breaks("broker-1", 2_000, 10_000, promote)
    };
    Caveat {
        title: "A master is promoted without its tail",
        happens: "\
The master dies, its slave takes over, and what had not been copied yet is gone, although it was
acknowledged: with asynchronous replication `SEND_OK` does not say that a slave has it. Offsets are used
again. What is left of a key is in order, with a hole that no error told of; a producer cannot see it.",
        plan: "\
two masters with slaves, 16 keys, a message every 2 ms, 8 s. Broker-1 is killed after 2 s; 2 s later its
slave is master, with or without the last messages.",
        ways: vec![
            Way::loses("tail lost, selector by hash", lost(Tail::Lost, Mode::Hash)),
            Way::keeps("tail lost, `Strict` lane", lost(Tail::Lost, Mode::Strict)),
            Way::announces("tail lost, `Available` lane", lost(Tail::Lost, Mode::Available)),
            Way::keeps("tail kept, `Strict` lane", lost(Tail::Kept, Mode::Strict)),
            Way::announces("tail kept, `Available` lane", lost(Tail::Kept, Mode::Available)),
        ],
        remedy: "\
let only replicas in sync be elected, or have the master wait for its slave, and set `require:
Require::Replicated`, so that a message without a copy is an error and not a success. The keys of
selectors move besides, while the master is away.",
    }
}
