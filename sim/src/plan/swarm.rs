//! Which plan does a seed make? A seed drops some kinds of faults altogether and redraws rates,
//! durations, cluster and configuration, so that seeds differ in kind and not only in detail.

use std::time::Duration;

use super::{
    ClusterPlan, Direction, FaultKind, FaultPlan, HealthPlan, Heard, Loss, Mode, NetworkPlan,
    Overrides, Plan, Preset, ProducerPlan, RefusalPlan, Release, Replication, Scope, SendFault,
    StatusPlan, Tail, TopicPlan, Workload,
};
use crate::dice::{Concern, Dice};

impl Plan {
    /// The plan of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut swarm = Dice::new(seed, Concern::Swarm);
        let run_ms = *swarm.pick(&[2_000, 5_000, 10_000, 20_000]);
        let mut cluster = cluster(&mut Dice::new(seed, Concern::Topology));
        if Dice::new(seed, Concern::Release).one_in(8) {
            cluster.release = Release::V4_9_7;
        }
        let mut config = config(&mut Dice::new(seed, Concern::Config));
        if cluster.auto_create_topics {
            config.overrides.auto_create_topics = Some(true);
        }
        let (workloads, producers) = workloads(seed, &mut swarm, &cluster, run_ms);
        let faults = faults(seed, &mut swarm, &cluster, producers, run_ms);
        let latency_us = *swarm.pick(&[50, 500, 1_000, 5_000]);
        let jitter_us = *swarm.pick(&[0, 200, 2_000, 10_000]);
        Self {
            version: Self::VERSION,
            seed,
            cluster,
            bridge: None,
            network: NetworkPlan { latency_us, jitter_us },
            config,
            workloads,
            faults,
            run_ms,
        }
    }
}

pub(super) fn cluster(dice: &mut Dice) -> ClusterPlan {
    let brokers = dice.between(1, 4) as u16;
    let even = dice.between(1, 4) as u16;
    let asymmetric = dice.one_in(4);
    let queues: Vec<u16> =
        (0..brokers).map(|_| if asymmetric { dice.between(1, 6) as u16 } else { even }).collect();
    let name_servers = dice.between(1, 3) as u16;
    let conf = |(n, count): (usize, &u16)| format!("broker-{n}:{count}");
    let order =
        dice.one_in(6).then(|| queues.iter().enumerate().map(conf).collect::<Vec<_>>().join(";"));
    let auto_create_topics = dice.one_in(8);
    let made_by_sends = auto_create_topics && dice.one_in(2);
    let queues = if made_by_sends { Vec::new() } else { queues };
    let order = order.filter(|_| !made_by_sends);
    ClusterPlan {
        release: Release::default(),
        name_servers,
        brokers,
        slaves: if dice.one_in(2) { dice.between(1, brokers.into()) as u16 } else { 0 },
        replication: if dice.one_in(3) { Replication::Sync } else { Replication::Async },
        auto_create_topics,
        topics: vec![TopicPlan { name: "orders".to_owned(), queues, order }],
    }
}

pub(super) fn config(dice: &mut Dice) -> ProducerPlan {
    let preset = if dice.one_in(4) { Preset::Java } else { Preset::Default };
    let healths = [HealthPlan::Off, HealthPlan::Java, HealthPlan::Adaptive];
    let overrides = Overrides {
        send_timeout_ms: dice.one_in(5).then(|| *dice.pick(&[500, 1_000, 6_000])),
        attempt_timeout_ms: dice.one_in(6).then(|| *dice.pick(&[0, 200, 2_000])),
        attempts_max: dice.one_in(6).then(|| *dice.pick(&[1, 2, 5])),
        stop_on_unknown: dice.one_in(5).then_some(true),
        retry_not_ok: dice.one_in(6).then_some(true),
        require_ok: None,
        health: dice.one_in(5).then(|| *dice.pick(&healths)),
        binary_header: dice.one_in(3).then_some(true),
        sends_max: dice.one_in(5).then(|| *dice.pick(&[1, 5, 50])),
        waiting_max: dice.one_in(6).then(|| *dice.pick(&[0, 3, 100])),
        route_poll_ms: dice.one_in(4).then(|| *dice.pick(&[1_000, 5_000])),
        auto_create_topics: None,
    };
    ProducerPlan { preset, overrides }
}

fn workloads(
    seed: u64,
    swarm: &mut Dice,
    cluster: &ClusterPlan,
    run_ms: u64,
) -> (Vec<Workload>, u16) {
    let producers = if swarm.one_in(8) { 2 } else { 1 };
    let streams = swarm.between(1, 3);
    let modes = [
        Mode::Rotate,
        Mode::Rotate,
        Mode::Hash,
        Mode::Strict,
        Mode::Strict,
        Mode::Available,
        Mode::OneWay,
    ];
    let workloads = (0..streams).map(|n| {
        let dice = &mut Dice::new(seed, Concern::Workload(n as u16));
        let every_us = *dice.pick(&[1_000, 10_000, 20_000, 100_000]);
        let burst = *dice.pick(&[1, 1, 1, 10, 50]);
        let fits = run_ms * 1_000 / every_us * u64::from(burst);
        Workload {
            producer: (n as u16).min(producers - 1),
            topic: dice.pick(&cluster.topics).name.clone(),
            mode: *dice.pick(&modes),
            start_ms: *dice.pick(&[0, 60, 200, 1_000]),
            every_us,
            burst,
            total: fits.min(dice.between(20, 250)) as u32,
            body_bytes: *dice.pick(&[24, 24, 128, 5_000]),
            keys: *dice.pick(&[1, 3, 20]),
            serial: dice.one_in(3),
            batch: false,
            timeout_ms: dice.one_in(8).then(|| *dice.pick(&[100, 1_000])),
        }
    });
    let workloads: Vec<Workload> = workloads.collect();
    let used = workloads.iter().map(|workload| workload.producer + 1).max().unwrap_or(1);
    (workloads, used)
}

/// A kind of fault: what it makes of a throw.
pub(super) type Make = fn(&mut Dice) -> FaultKind;

pub(super) const ANY_NODE: [Make; 15] = [
    partition,
    partition,
    |_| FaultKind::SynBlackHole,
    |_| FaultKind::RefuseDials,
    |_| FaultKind::Reset,
    |dice| FaultKind::ResetInAnswer { after_bytes: dice.between(1, 40) as u32 },
    |dice| FaultKind::HalfRequest { reset: dice.one_in(2) },
    |dice| FaultKind::Dribble { bytes: *dice.pick(&[1, 7, 100]) },
    |dice| FaultKind::Slow {
        extra_ms: *dice.pick(&[5, 100, 700, 2_500]),
        jitter_ms: *dice.pick(&[0, 50, 500]),
    },
    |dice| FaultKind::Flap {
        period_ms: *dice.pick(&[100, 500, 3_000]),
        loss: *dice.pick(&[Loss::Held, Loss::Dropped]),
    },
    |dice| FaultKind::SlowReader { window_bytes: *dice.pick(&[1, 1_000, 65_536]) },
    |_| FaultKind::Crash,
    |_| FaultKind::Crash,
    |_| FaultKind::PowerLoss,
    |_| FaultKind::Freeze,
];

pub(super) const BROKER: [Make; 18] = [
    |dice| FaultKind::Sends { fault: send_fault(dice) },
    |dice| FaultKind::Sends { fault: send_fault(dice) },
    |dice| FaultKind::Sends { fault: SendFault::Refuse(refusal(dice)) },
    |dice| FaultKind::Sends { fault: SendFault::Refuse(refusal(dice)) },
    |dice| FaultKind::Sends { fault: send_fault(dice) },
    |dice| FaultKind::Sends { fault: SendFault::StoredBut(status(dice)) },
    |dice| FaultKind::SlowDisk { ms: *dice.pick(&[20, 150, 1_500]) },
    |_| FaultKind::DiskFull,
    |_| FaultKind::ReadOnly,
    |_| FaultKind::Move,
    |dice| FaultKind::Queues { count: dice.between(1, 8) as u16 },
    |_| FaultKind::Demote,
    |dice| FaultKind::WriteQueues { count: dice.between(1, 8) as u16 },
    |dice| FaultKind::OrderConf { queues: dice.between(0, 6) as u16 },
    |dice| FaultKind::LostTail { ms: *dice.pick(&[1, 50, 500]) },
    |_| FaultKind::Join,
    |dice| FaultKind::Upgrade {
        drain_ms: *dice.pick(&[1, 200, 2_000]),
        leave_ms: *dice.pick(&[1, 100, 1_000]),
    },
    |dice| FaultKind::RouteFlap { period_ms: *dice.pick(&[100, 1_000, 5_000]) },
];

pub(super) const NAME_SERVER: [Make; 4] = [
    |_| FaultKind::StaleRoutes,
    |_| FaultKind::Forget,
    |_| FaultKind::SilentServer,
    |dice| FaultKind::SlowServer { ms: *dice.pick(&[100, 1_000, 4_000]) },
];

const PAIR: [Make; 5] = [
    promote,
    promote,
    |_| FaultKind::Swap,
    |_| FaultKind::ActingMaster,
    |dice| FaultKind::SplitBrain { heard: *dice.pick(&[Heard::All, Heard::Half]) },
];

const CLUSTER: [Make; 1] = [|_| FaultKind::DeleteTopic { topic: 0 }];

pub(super) const PRODUCER: [Make; 4] = [
    |dice| FaultKind::WallJump { ms: *dice.pick(&[-3_600_000, -5_000, 5_000, 3_600_000]) },
    |_| FaultKind::Stall,
    |dice| FaultKind::Cancel { nth: *dice.pick(&[1, 2, 5]) },
    |_| FaultKind::Close,
];

fn faults(
    seed: u64,
    swarm: &mut Dice,
    cluster: &ClusterPlan,
    producers: u16,
    run_ms: u64,
) -> Vec<FaultPlan> {
    let dice = &mut Dice::new(seed, Concern::Faults);
    let mut keep = |makes: &[Make]| -> Vec<Make> {
        let share = swarm.between(1, 4);
        makes.iter().copied().filter(|_| swarm.below(4) < share).collect()
    };
    let any = keep(&ANY_NODE);
    let (broker, server, producer) = (keep(&BROKER), keep(&NAME_SERVER), keep(&PRODUCER));
    let (whole, roles) = (keep(&CLUSTER), keep(&PAIR));
    let anywhere = |dice: &mut Dice| -> String {
        match dice.below(4) {
            0 if cluster.slaves > 0 => {
                format!("broker-{}-slave", dice.below(cluster.slaves.into()))
            }
            _ => format!("broker-{}", dice.below(cluster.brokers.into())),
        }
    };
    let count = *swarm.pick(&[0, 1, 3, 6, 12]);
    let lengths = *swarm.pick(&[[50, 300, 1_000], [300, 3_000, 10_000]]);
    let mut faults = Vec::new();
    for _ in 0..count {
        let (makes, target) = match dice.below(14) {
            0..=3 => (&any, anywhere(dice)),
            12 | 13 if cluster.slaves > 0 => {
                (&roles, format!("broker-{}", dice.below(cluster.slaves.into())))
            }
            4 => (&any, format!("ns-{}", dice.below(cluster.name_servers.into()))),
            5..=7 => (&broker, format!("broker-{}", dice.below(cluster.brokers.into()))),
            8 => (&whole, "cluster".to_owned()),
            9 => (&server, format!("ns-{}", dice.below(cluster.name_servers.into()))),
            _ => (&producer, format!("producer-{}", dice.below(producers.into()))),
        };
        let (at_ms, for_ms) = (dice.between(20, run_ms), *dice.pick(&lengths));
        if makes.is_empty() {
            continue;
        }
        let make = *dice.pick(makes);
        faults.push(FaultPlan { at_ms, for_ms, target, kind: make(dice) });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn partition(dice: &mut Dice) -> FaultKind {
    let directions = [Direction::Both, Direction::Requests, Direction::Answers];
    let scopes = [Scope::Producers, Scope::Producers, Scope::Nodes, Scope::All];
    FaultKind::Partition {
        scope: *dice.pick(&scopes),
        direction: *dice.pick(&directions),
        loss: *dice.pick(&[Loss::Held, Loss::Dropped]),
    }
}

fn promote(dice: &mut Dice) -> FaultKind {
    FaultKind::Promote {
        after_ms: *dice.pick(&[10, 300, 3_000]),
        tail: *dice.pick(&[Tail::Kept, Tail::Lost]),
        silent: dice.one_in(2),
    }
}

fn status(dice: &mut Dice) -> StatusPlan {
    *dice.pick(&[
        StatusPlan::FlushDiskTimeout,
        StatusPlan::FlushSlaveTimeout,
        StatusPlan::SlaveNotAvailable,
    ])
}

fn send_fault(dice: &mut Dice) -> SendFault {
    match dice.below(10) {
        0 => SendFault::StoredBut(status(dice)),
        1 => SendFault::NoAnswer,
        2 => SendFault::AnswerTwice,
        3 => SendFault::WrongOpaque,
        4 => SendFault::AnswerLate(Duration::from_millis(*dice.pick(&[50, 500, 1_100, 4_000]))),
        5 => SendFault::HalfAnswer,
        6 => SendFault::Garbage,
        7 => SendFault::CloseBeforeStoring,
        8 => SendFault::CloseAfterStoring,
        _ => SendFault::Refuse(refusal(dice)),
    }
}

fn refusal(dice: &mut Dice) -> RefusalPlan {
    *dice.pick(&[
        RefusalPlan::SystemError,
        RefusalPlan::Busy,
        RefusalPlan::Overload,
        RefusalPlan::PageCacheBusy,
        RefusalPlan::WaitedTooLong,
        RefusalPlan::Illegal,
        RefusalPlan::DiskFull,
        RefusalPlan::NoPermission,
        RefusalPlan::NoTopic,
        RefusalPlan::GoAway,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds differ in kind: some have no fault at all, none has every kind, and together they
    /// have all.
    #[test]
    fn seeds_differ_in_kind() {
        let plans: Vec<Plan> = (0..2_000).map(Plan::from_seed).collect();
        let kind = |fault: &FaultPlan| {
            let json = serde_json::to_value(fault).expect("a fault is JSON");
            json["kind"].as_str().expect("tagged").to_owned()
        };
        let kinds: std::collections::BTreeSet<String> =
            plans.iter().flat_map(|plan| plan.faults.iter().map(kind)).collect();

        assert_eq!(kinds.len(), 39, "{kinds:?}");
        assert!(plans.iter().any(|plan| plan.faults.is_empty()));
        assert!(plans.iter().any(|plan| plan.producers() == 2));
        let old = |plan: &&Plan| plan.cluster.release == Release::V4_9_7;
        assert!((100..500).contains(&plans.iter().filter(old).count()));
    }
}
