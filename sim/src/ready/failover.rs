//! What breaks while a steady workload is sent.

use std::time::Duration;

use crate::plan::{
    Direction, FaultKind, Loss, Mode, Plan, RefusalPlan, Scope, SendFault, StatusPlan, Tail,
};

use super::small::{With, cluster, sends};

/// A fault, and what is broken for it.
#[derive(Debug)]
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What happens in the run.
    pub what: &'static str,
    /// What is run.
    pub plan: Plan,
    /// Why the default does worse than Java in something, if it does.
    pub worse: Option<&'static str>,
}

impl Fault {
    fn worse(mut self, why: &'static str) -> Self {
        self.worse = Some(why);
        self
    }
}

/// Faults of one sort.
#[derive(Debug)]
pub struct Group {
    /// Their sort.
    pub title: &'static str,
    /// The faults, in the order of the document.
    pub faults: Vec<Fault>,
}

/// When faults begin, and how long those last that are not over at once: a poll of routes, which come
/// every 30 s, is among it.
const AT: u64 = 15_000;
const FOR: u64 = 20_000;

/// Three brokers, two name servers, 50 messages a second for 70 s.
fn calm() -> Plan {
    on(&[4, 4, 4])
}

fn on(queues: &[u16]) -> Plan {
    let mut plan = cluster(queues);
    plan.cluster.name_servers = 2;
    plan.network.jitter_us = 500;
    plan.with(sends(Mode::Rotate, 3_500, 1, 20))
}

/// The workload, and something that happens to broker-1 for 20 s.
fn broker(kind: FaultKind) -> Plan {
    calm().breaks("broker-1", AT, FOR, kind)
}

fn cut(direction: Direction, loss: Loss) -> FaultKind {
    FaultKind::Partition { scope: Scope::Producers, direction, loss }
}

fn does(fault: SendFault) -> Plan {
    broker(FaultKind::Sends { fault })
}

/// One of two masters falls silent, in every way there is, for 6 s of 10; 200 messages a second.
pub fn silent_losses() -> Vec<(&'static str, Plan)> {
    let lost = |kind| {
        let plan = cluster(&[4, 4]).with(sends(Mode::Rotate, 2_000, 1, 5));
        plan.breaks("broker-1", 2_000, 6_000, kind)
    };
    let held = |direction| lost(cut(direction, Loss::Held));
    let dropped = |direction| lost(cut(direction, Loss::Dropped));
    vec![
        ("power lost", lost(FaultKind::PowerLoss)),
        ("frozen", lost(FaultKind::Freeze)),
        ("cut", dropped(Direction::Both)),
        ("requests lost", dropped(Direction::Requests)),
        ("answers lost", dropped(Direction::Answers)),
        ("held", held(Direction::Both)),
        ("answers held", held(Direction::Answers)),
        ("no answer to sends", lost(FaultKind::Sends { fault: SendFault::NoAnswer })),
    ]
}

/// All groups, in the order of the document.
pub fn groups() -> Vec<Group> {
    vec![
        Group { title: "Masters die", faults: deaths() },
        Group { title: "Masters are ill", faults: illnesses() },
        Group { title: "The network", faults: network() },
        Group { title: "Name servers and routes", faults: names() },
        Group { title: "Operations", faults: operations() },
    ]
}

fn fault(name: &'static str, what: &'static str, plan: Plan) -> Fault {
    Fault { name, what, plan, worse: None }
}

fn deaths() -> Vec<Fault> {
    let silent = FaultKind::PowerLoss;
    vec![
        fault("nothing", "the workload alone", calm()),
        fault("process killed", "broker-1, back after 20 s", broker(FaultKind::Crash)),
        fault("power lost", "broker-1, silent, back after 20 s", broker(silent)),
        fault("slave promoted", "broker-1 killed, 10 s later its slave", promoted(false)),
        fault("the same, silent", "broker-1 loses power", promoted(true)),
        fault(
            "one of two loses power",
            "broker-1, silent, back after 20 s",
            on(&[4, 4]).breaks("broker-1", AT, FOR, silent),
        ),
        fault(
            "two of three lose power",
            "broker-1 and -2, silent, back after 20 s",
            broker(silent).breaks("broker-2", AT, FOR, silent),
        ),
        fault(
            "all lose power",
            "silent, back after 5 s",
            calm()
                .breaks("broker-0", AT, 5_000, silent)
                .breaks("broker-1", AT, 5_000, silent)
                .breaks("broker-2", AT, 5_000, silent),
        ),
        fault(
            "the only broker restarts",
            "one broker, killed, back after 2 s",
            on(&[4]).breaks("broker-0", AT, 2_000, FaultKind::Crash),
        )
        .worse(
            "dials rest for up to 500 ms, so the first success comes that much \
             later than the broker; sends wait for it, which shows in p99 and the longest, \
             where Java's fail within 10 ms.",
        ),
    ]
}

/// As a controller does it, with replicas in sync.
fn promoted(silent: bool) -> Plan {
    let mut plan = broker(FaultKind::Promote { after_ms: 10_000, tail: Tail::Kept, silent });
    plan.cluster.slaves = 3;
    plan
}

fn illnesses() -> Vec<Fault> {
    let refuse = |refusal| does(SendFault::Refuse(refusal));
    vec![
        fault("frozen", "broker-1 stands still, then executes all", broker(FaultKind::Freeze)),
        fault("disk of 50 ms", "20 sends a second", broker(FaultKind::SlowDisk { ms: 50 })),
        fault(
            "answers 1.5 s late",
            "stored at once",
            does(SendFault::AnswerLate(Duration::from_millis(1_500))),
        ).worse("an attempt has a second, the answer takes longer: it is sent again \
             elsewhere, and the receipt warns. Each attempt that ends without a word on its connection \
             leaves it for a new one, which costs dials. `attempt_timeout: 2 s` would avoid both."),
        fault("no answer to sends", "stored; others are answered", does(SendFault::NoAnswer)),
        fault("busy", "broker-1 says SYSTEM_BUSY", refuse(RefusalPlan::Busy)),
        fault("error", "broker-1 says SYSTEM_ERROR", refuse(RefusalPlan::SystemError)),
        fault("disk full", "SERVICE_NOT_AVAILABLE", broker(FaultKind::DiskFull)),
        fault("read-only", "write permission wiped", broker(FaultKind::ReadOnly)),
        fault(
            "flushes late",
            "stored, FLUSH_DISK_TIMEOUT",
            does(SendFault::StoredBut(StatusPlan::FlushDiskTimeout)),
        ),
    ]
}

fn network() -> Vec<Fault> {
    use Direction::{Answers, Both, Requests};
    let reset_in_answer = FaultKind::ResetInAnswer { after_bytes: 10 };
    vec![
        fault("cut both ways", "broker-1, 20 s", broker(cut(Both, Loss::Dropped))),
        fault("requests lost", "answers pass", broker(cut(Requests, Loss::Dropped))),
        fault("answers lost", "requests pass", broker(cut(Answers, Loss::Dropped))),
        fault(
            "held for 2 s",
            "TCP delivers late",
            calm().breaks("broker-1", AT, 2_000, cut(Both, Loss::Held)),
        ).worse("the price of the second that an attempt has: what was under way is \
             sent again after it, and arrives twice once TCP delivers. Java waits, and its callers with \
             it. The receipts warn."),
        fault(
            "half-open",
            "connection lost unnoticed, dials pass",
            calm().breaks("broker-1", AT, 50, cut(Both, Loss::Dropped)),
        ),
        fault(
            "half-open, one broker",
            "the same, and no other broker",
            on(&[4]).breaks("broker-0", AT, 50, cut(Both, Loss::Dropped)),
        ),
        fault(
            "SYN black hole",
            "reset, then dials unanswered",
            broker(FaultKind::SynBlackHole).breaks("broker-1", AT, 1, FaultKind::Reset),
        ),
        fault("reset in an answer", "after 10 bytes of it", broker(reset_in_answer)),
        fault(
            "reset in a request",
            "half of it has arrived",
            broker(FaultKind::HalfRequest { reset: true }),
        ),
        fault(
            "300 ms away",
            "each way, 50 ms jitter",
            broker(FaultKind::Slow { extra_ms: 300, jitter_ms: 50 }),
        ),
        fault(
            "flapping",
            "500 ms cut, 500 ms not",
            broker(FaultKind::Flap { period_ms: 500, loss: Loss::Dropped }),
        ).worse("evidence makes it ask for the route while the name servers have lost the \
             broker, too, and it looks for it again after pauses that double; Java's poll came at a good moment, \
             and its sends went on failing."),
    ]
}

fn names() -> Vec<Fault> {
    let both = |kind| calm().breaks("ns-0", AT, FOR, kind).breaks("ns-1", AT, FOR, kind);
    let at_start = |kind| calm().breaks("ns-0", 0, 30_000, kind);
    vec![
        fault("all silent", "both name servers lose power", both(FaultKind::PowerLoss)),
        fault("one silent", "from the start", at_start(FaultKind::SilentServer)),
        fault("one without power", "from the start", at_start(FaultKind::PowerLoss)),
        fault("restarted empty", "both forget all", both(FaultKind::Forget)),
        fault(
            "stale, and a broker dies",
            "routes name killed broker-1",
            both(FaultKind::StaleRoutes).breaks("broker-1", AT, FOR, FaultKind::Crash),
        ),
        fault(
            "broker comes and goes",
            "in routes, every 7 s; it is well",
            broker(FaultKind::RouteFlap { period_ms: 7_000 }),
        ),
    ]
}

fn operations() -> Vec<Fault> {
    let upgrade = FaultKind::Upgrade { drain_ms: 5_000, leave_ms: 1_000 };
    let each = |kind, lasts| {
        calm()
            .breaks("broker-0", AT, lasts, kind)
            .breaks("broker-1", AT + 10_000, lasts, kind)
            .breaks("broker-2", AT + 20_000, lasts, kind)
    };
    vec![
        fault("broker moved", "killed, back at once elsewhere", broker(FaultKind::Move)),
        fault("rolling restart", "each killed, 5 s, one by one", each(FaultKind::Crash, 5_000)).worse("it takes each broker out when its sends fail and the route lacks it, \
             and looks for it again after 1, 2 and 4 s; Java's poll happened to miss all three outages, so it \
             never stopped trying."),
        fault("rolling upgrade", "read-only, GO_AWAY, down, back", each(upgrade, 9_000)),
        fault("queues 4 to 2", "broker-1, 20 s", broker(FaultKind::Queues { count: 2 })),
        fault("scale-out", "broker-2 joins", calm().breaks("broker-2", AT, 10, FaultKind::Join)),
    ]
}
