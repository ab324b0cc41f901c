//! What does a drill do? Where a swarm leaves much to chance, a drill has traffic of all modes at a
//! steady rate, and a few faults one after the other while it lasts. Drills go through all kinds of
//! faults in turn.

use super::swarm::{self, Make};
use super::{
    ClusterPlan, FaultKind, FaultPlan, Mode, NetworkPlan, Overrides, Plan, Preset, ProducerPlan,
    RefusalPlan, Replication, SendFault, StatusPlan, Workload,
};
use crate::dice::{Concern, Dice};

/// Faults of one drill, and the time from one to the next.
const FAULTS: usize = 6;
const EVERY_MS: u64 = 350;
/// A drill of kinds has as many of [`FIRST`] in between, and so is twice as dense.
const KINDS: usize = 2 * FAULTS;

/// What a drill is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// The next kinds of faults.
    Kinds,
    /// The load while nothing breaks.
    Calm,
    /// Name servers alone, from the first lookup on or later.
    Servers,
    /// Brokers that fail together.
    Pairs,
    /// What the others seldom meet: bursts while two brokers are busy, bytes that are no frame,
    /// fewer queues or none to write for long, a broker's name with a slave alone.
    Corners,
    /// Too little room, slow brokers, short timeouts, and callers who give up.
    Crowd,
}

impl Plan {
    /// The drill of a seed.
    pub fn drill(seed: u64) -> Self {
        plan(seed)
    }
}

fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, Concern::Swarm);
    let number = seed / 2;
    let about = match (number % 8, number % 16) {
        (3, _) => About::Servers,
        (5, _) => About::Pairs,
        (7, _) => About::Calm,
        (_, 9) => About::Corners,
        (_, 1) if number > 1 => About::Crowd,
        _ => About::Kinds,
    };
    let mut cluster = swarm::cluster(&mut Dice::new(seed, Concern::Topology));
    let three = matches!(about, About::Pairs | About::Corners);
    cluster.brokers = cluster.brokers.max(if three { 3 } else { 2 });
    cluster.topics[0].queues.resize(cluster.brokers.into(), 3);
    (cluster.slaves, cluster.auto_create_topics, cluster.topics[0].order) = (0, false, None);
    cluster.name_servers = cluster.name_servers.max(2);
    if about == About::Corners {
        cluster.slaves = cluster.brokers;
        cluster.replication = Replication::Async;
    }
    Plan {
        version: Plan::VERSION,
        seed,
        bridge: None,
        network: NetworkPlan { latency_us: 500, jitter_us: *dice.pick(&[0, 300]) },
        config: config(seed, number, about),
        workloads: workloads(&mut dice, number, about),
        faults: faults(&mut dice, number, about, &cluster),
        run_ms: 4_000,
        cluster,
    }
}

fn config(seed: u64, number: u64, about: About) -> ProducerPlan {
    let overrides = match (about, number) {
        (About::Kinds, 0) => Overrides::default(),
        (About::Kinds, 1) => {
            Overrides { sends_max: Some(20), waiting_max: Some(20), ..Overrides::default() }
        }
        (About::Servers, _) => Overrides { route_poll_ms: Some(500), ..Overrides::default() },
        // A route is asked for several times while a fault lasts.
        (About::Corners, _) => Overrides {
            route_poll_ms: Some(150),
            binary_header: Some(number % 32 == 9),
            ..Overrides::default()
        },
        (About::Crowd, _) => Overrides {
            sends_max: Some(if number % 32 == 1 { 3 } else { 8 }),
            waiting_max: Some(40),
            ..Overrides::default()
        },
        _ => {
            let mut config = swarm::config(&mut Dice::new(seed, Concern::Config));
            config.overrides.require_ok = (number % 4 == 2).then_some(true);
            return config;
        }
    };
    ProducerPlan { preset: Preset::Default, overrides }
}

fn workloads(dice: &mut Dice, number: u64, about: About) -> Vec<Workload> {
    let modes: &[(Mode, u64, u32)] = match about {
        About::Calm => &[(Mode::Rotate, 10, 1)],
        About::Corners => &[(Mode::Rotate, 20, 4), (Mode::Strict, 60, 2), (Mode::OneWay, 90, 1)],
        About::Crowd => &[(Mode::Rotate, 30, 3), (Mode::Strict, 50, 3), (Mode::Available, 70, 1)],
        About::Kinds | About::Servers | About::Pairs => &[
            (Mode::Rotate, 8, 1),
            (Mode::Strict, 40, 4),
            (Mode::Available, 40, 2),
            (Mode::Hash, 60, 1),
            (Mode::OneWay, 60, 1),
        ],
    };
    let lasts_ms = EVERY_MS * FAULTS as u64 + 200;
    let late = about == About::Servers && number % 16 == 3;
    let workloads = modes.iter().map(|&(mode, every_ms, burst)| Workload {
        producer: 0,
        topic: "orders".to_owned(),
        mode,
        start_ms: if late { 900 } else { 100 },
        every_us: every_ms * 1_000,
        burst,
        total: (lasts_ms / every_ms) as u32 * burst,
        body_bytes: 24,
        keys: *dice.pick(&[1, 3]),
        serial: false,
        batch: false,
        timeout_ms: match about {
            About::Crowd => (mode != Mode::Available).then_some(300),
            _ => (mode == Mode::Strict && number.is_multiple_of(2)).then_some(400),
        },
    });
    workloads.collect()
}

fn faults(dice: &mut Dice, number: u64, about: About, cluster: &ClusterPlan) -> Vec<FaultPlan> {
    let mut fault = |n: usize, target: String, make: Make| {
        let (at_ms, for_ms) = (50 + EVERY_MS * n as u64, *dice.pick(&[100, 300, 900]));
        FaultPlan { at_ms, for_ms, target, kind: make(dice) }
    };
    match about {
        About::Calm => Vec::new(),
        About::Kinds => {
            // Those of every drill take turns too, and come between the others.
            let drills = (number - number / 8 * 3) as usize;
            let rest = in_turn();
            let kind = |n: usize| match (n / 2, n % 2) {
                (half, 0) => FIRST[(drills * FAULTS + half) % FIRST.len()],
                (half, _) => rest[(drills * FAULTS + half) % rest.len()],
            };
            let faults = (0..KINDS).map(|n| {
                let (sort, make) = kind(n);
                let among = match sort {
                    "broker" => usize::from(cluster.brokers),
                    "ns" => usize::from(cluster.name_servers),
                    _ => 1,
                };
                let mut fault = fault(n, format!("{sort}-{}", n % among), make);
                fault.at_ms = 50 + EVERY_MS / 2 * n as u64;
                fault
            });
            faults.collect()
        }
        About::Servers => {
            // All but one in one drill, all in the next.
            let ill = cluster.name_servers - u16::from(number % 16 == 3);
            let faults = (0..3).flat_map(|n| (0..ill).map(move |server| (n, server)));
            let faults = faults.map(|(n, server)| {
                let make = swarm::NAME_SERVER[(number as usize / 8 + n) % 4];
                let mut fault = fault(2 * n, format!("ns-{server}"), make);
                fault.for_ms = 900;
                fault
            });
            faults.collect()
        }
        About::Pairs => {
            // Two in one drill, all in the next.
            let ill = if number % 16 == 5 { 2 } else { cluster.brokers };
            let faults = (0..FAULTS).flat_map(|n| (0..ill).map(move |broker| (n, broker)));
            let faults = faults.map(|(n, broker)| {
                let (_, make) = FIRST[(number as usize / 8 + n) % 4];
                fault(n, format!("broker-{broker}"), make)
            });
            faults.collect()
        }
        About::Corners => corners(number, cluster.brokers),
        About::Crowd => crowd(number, cluster.brokers),
    }
}

/// What the other drills seldom meet, one after the other; each drill at other brokers.
fn corners(number: u64, brokers: u16) -> Vec<FaultPlan> {
    let busy = FaultKind::Sends { fault: SendFault::Refuse(RefusalPlan::Busy) };
    let faults = [
        (200, 60, 0, busy),
        (200, 60, 1, busy),
        (500, 40, 2, FaultKind::Sends { fault: SendFault::Garbage }),
        (600, 900, 0, FaultKind::Queues { count: 1 }),
        (700, 800, 2, FaultKind::ReadOnly),
        (1_300, 700, 1, FaultKind::Crash),
    ];
    let fault = |(at_ms, for_ms, nth, kind): (u64, u64, u64, FaultKind)| {
        let broker = (number / 16 + nth) % u64::from(brokers);
        FaultPlan { at_ms, for_ms, target: format!("broker-{broker}"), kind }
    };
    faults.map(fault).to_vec()
}

/// Everybody waits: for room, for a turn, for slow brokers; and some no longer.
fn crowd(number: u64, brokers: u16) -> Vec<FaultPlan> {
    let slow = (0..brokers).flat_map(|broker| {
        let at = |at_ms, for_ms, kind| FaultPlan {
            at_ms,
            for_ms,
            target: format!("broker-{broker}"),
            kind,
        };
        [
            at(150, 700, FaultKind::SlowDisk { ms: if number % 32 == 1 { 150 } else { 250 } }),
            at(1_100, 250, FaultKind::SlowReader { window_bytes: 1 }),
            at(1_700, 300, FaultKind::Sends { fault: SendFault::NoAnswer }),
        ]
    });
    let cancels = [(300, 1), (420, 2), (640, 2), (1_250, 2), (1_800, 2)];
    let cancels = cancels.map(|(at_ms, nth)| FaultPlan {
        at_ms,
        for_ms: 0,
        target: "producer-0".to_owned(),
        kind: FaultKind::Cancel { nth },
    });
    let mut faults: Vec<FaultPlan> = slow.chain(cancels).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

/// The kinds of faults that are not in every drill, and to what sort of target they happen.
fn in_turn() -> Vec<(&'static str, Make)> {
    let sort = |sort: &'static str| move |make: &Make| (sort, *make);
    swarm::BROKER
        .iter()
        .map(sort("broker"))
        .chain(swarm::NAME_SERVER.iter().map(sort("ns")))
        .chain(swarm::ANY_NODE.iter().map(sort("broker")))
        .chain(swarm::PRODUCER.iter().map(sort("producer")))
        .collect()
}

/// What goes wrong most often comes first.
const FIRST: [(&str, Make); 12] = [
    ("broker", |_| FaultKind::Sends { fault: SendFault::Refuse(RefusalPlan::Busy) }),
    ("broker", |_| FaultKind::Reset),
    ("broker", |_| FaultKind::Sends { fault: SendFault::NoAnswer }),
    ("broker", |_| FaultKind::Crash),
    ("broker", |_| FaultKind::Queues { count: 1 }),
    ("broker", |_| FaultKind::PowerLoss),
    ("broker", |_| FaultKind::Sends { fault: SendFault::Refuse(RefusalPlan::GoAway) }),
    ("broker", |_| FaultKind::Sends { fault: SendFault::StoredBut(StatusPlan::FlushDiskTimeout) }),
    ("broker", |_| FaultKind::Move),
    ("broker", |_| FaultKind::Sends { fault: SendFault::NoAnswer }),
    ("broker", |_| FaultKind::SlowDisk { ms: 150 }),
    ("producer", |_| FaultKind::Close),
];
