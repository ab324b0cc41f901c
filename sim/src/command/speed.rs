//! How many simulated seconds does a second of work give?
//!
//! Plans of seeds, as they are; and a thousand messages a second to three brokers, with two name
//! servers and a tick of 1 ms, of which a longer run is compared with a shorter one, so that
//! beginning, healing and end are not measured.

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

/// How a level executes a plan.
type Execute = fn(&Plan, Lines) -> Run;

/// Seconds of the shorter run.
const WARM: u32 = 5;
/// Plans of seeds that are run.
const SEEDS: u64 = 100;

pub(crate) fn run(arguments: &SpeedArguments) -> io::Result<()> {
    println!("simulated seconds in a second of CPU time");
    let seconds = arguments.seconds;
    println!("pair   plans of seeds   {:>8.1}  goal 500", of_seeds(pair::run, Plan::from_seed)?);
    println!("pair   1,000 messages/s {:>8.1}", of_load(pair::run, seconds)?);
    #[cfg(feature = "world")]
    {
        let of_seeds = of_seeds(sim::world::run, Plan::small_from_seed)?;
        println!("world  plans of seeds   {of_seeds:>8.1}");
        let of_load = of_load(sim::world::run, seconds)?;
        println!("world  1,000 messages/s {of_load:>8.1}  goal 25");
    }
    Ok(())
}

fn of_seeds(execute: Execute, make: fn(u64) -> Plan) -> io::Result<f64> {
    let begin = cpu_seconds()?;
    let simulated = (0..SEEDS).map(|seed| execute(&make(seed), Lines::Forget).simulated);
    let simulated: f64 = simulated.map(|simulated| simulated.as_secs_f64()).sum();
    Ok(simulated / (cpu_seconds()? - begin))
}

fn of_load(execute: Execute, seconds: u32) -> io::Result<f64> {
    let short = cost(execute, WARM)?;
    let long = cost(execute, WARM + seconds)?;
    Ok(f64::from(seconds) / (long - short).max(1e-9))
}

/// CPU seconds of a run with so many seconds of sends.
fn cost(execute: Execute, seconds: u32) -> io::Result<f64> {
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
        bridge: None,
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
            batch: false,
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
