//! How many simulated seconds does a second of work give?
//!
//! A thousand messages a second to three brokers, with two name servers. What is measured is the
//! difference of a longer and a shorter run, in CPU time: beginning, healing and end are in neither.

use std::io::{self, ErrorKind};

use clap::Args;
use sim::pair::{self, Lines, Run};
use sim::plan::{
    ClusterPlan, Mode, NetworkPlan, Overrides, Plan, Preset, ProducerPlan, TopicPlan, Workload,
};

#[derive(Debug, Args)]
pub(crate) struct SpeedArguments {
    /// Simulated seconds to measure.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

/// A level, how it executes a plan, and what it must reach in a release build.
type Level = (&'static str, fn(&Plan, Lines) -> Run, f64);

const LEVELS: &[Level] = &[
    ("pair", pair::run, 500.0),
    #[cfg(feature = "world")]
    ("world", sim::world::run, 25.0),
];
/// Seconds of the shorter run.
const WARM: u32 = 5;

pub(crate) fn run(arguments: &SpeedArguments) -> io::Result<()> {
    for (name, execute, goal) in LEVELS {
        let short = cost(*execute, WARM)?;
        let long = cost(*execute, WARM + arguments.seconds)?;
        let speed = f64::from(arguments.seconds) / (long - short).max(1e-9);
        println!("{name:<6} {speed:>8.1} simulated seconds a CPU second, goal {goal}");
    }
    Ok(())
}

/// CPU seconds of a run with so many seconds of sends.
fn cost(execute: fn(&Plan, Lines) -> Run, seconds: u32) -> io::Result<f64> {
    let begin = cpu_seconds()?;
    let run = execute(&plan(seconds), Lines::Forget);
    let end = cpu_seconds()?;
    let stored = run.history.stored.len();
    if !run.violations.is_empty() || stored < seconds as usize * 1_000 {
        return Err(io::Error::other(format!("{stored} stored, {:?}", run.violations)));
    }
    Ok(end - begin)
}

fn plan(seconds: u32) -> Plan {
    let topic = TopicPlan { name: "orders".to_owned(), queues: vec![4; 3], order: None };
    Plan {
        version: Plan::VERSION,
        // A multiple of 8 has a tick of 1 ms on the simulated network.
        seed: 8,
        cluster: ClusterPlan {
            name_servers: 2,
            brokers: 3,
            topics: vec![topic],
            ..ClusterPlan::default()
        },
        network: NetworkPlan { latency_us: 1_000, jitter_us: 4_000 },
        config: ProducerPlan { preset: Preset::Default, overrides: Overrides::default() },
        workloads: vec![Workload {
            producer: 0,
            topic: "orders".to_owned(),
            mode: Mode::Rotate,
            start_ms: 200,
            every_us: 1_000,
            burst: 1,
            total: seconds * 1_000,
            body_bytes: 128,
            keys: 1,
            serial: false,
            timeout_ms: None,
        }],
        faults: Vec::new(),
        run_ms: u64::from(seconds) * 1_000 + 500,
    }
}

/// CPU time of this thread, on which all of a run happens.
fn cpu_seconds() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    let nanos = nanos.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "no CPU time"))?;
    Ok(nanos / 1e9)
}
