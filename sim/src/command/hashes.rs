//! Which trace hashes do plans have? For whoever runs the same plans elsewhere, such as in a page.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sim::pair::{self, Lines};
use sim::plan::Plan;
use sim::ready::{failover, ordering};

use super::explore::seeds;

#[derive(Debug, Args)]
pub(crate) struct HashesArguments {
    /// Seeds, such as 0..1000.
    #[arg(long, value_name = "FROM..TO", value_parser = seeds, default_value = "0..1000")]
    seeds: Range<u64>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the hashes of the plans of seeds, of their drills, and of the ready plans in their order.
pub(crate) fn run(arguments: &HashesArguments) -> io::Result<()> {
    let hash = |plan: &Plan| format!("{:016x}", pair::run(plan, Lines::Forget).hash);
    let of = |make: fn(u64) -> Plan, seeds: Range<u64>| -> Vec<String> {
        seeds.map(|seed| hash(&make(seed))).collect()
    };
    let Range { start, end } = arguments.seeds;
    let drills = start..end.min(start + DRILLS_MAX);
    let ways = ordering::all().into_iter().flat_map(|caveat| caveat.ways);
    let ordering: Vec<String> = ways.map(|way| hash(&way.plan)).collect();
    let faults = failover::groups().into_iter().flat_map(|group| group.faults);
    let failover: Vec<String> = faults.map(|fault| hash(&fault.plan)).collect();
    let ready = [ordering, failover].concat();
    let all = json!({
        "from": start,
        "swarm": of(Plan::from_seed, start..end),
        "drill": of(Plan::drill, drills),
        "ready": ready,
    });
    if let Some(folder) = arguments.out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&arguments.out, format!("{all}\n"))?;
    println!("{}: the hashes of {} seeds", arguments.out.display(), end.saturating_sub(start));
    Ok(())
}

/// Drills are longer.
const DRILLS_MAX: u64 = 100;
