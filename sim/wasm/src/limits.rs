//! How much may a page ask for? What would take all memory, or for ever, is refused before it runs.

use sim::plan::Plan;

/// Sends of a plan. Each needs one to two kilobytes of memory.
const SENDS_MAX: u64 = 1_000_000;
/// Bytes of all bodies.
const BODY_BYTES_MAX: u64 = 128 << 20;
/// Virtual time, in ms: a day.
const RUN_MS_MAX: u64 = 86_400_000;
/// Servers, and producers.
const HOSTS_MAX: u64 = 64;
/// Faults.
const FAULTS_MAX: usize = 1_000;

/// Reads a plan that may be run here.
pub(crate) fn read(text: &str) -> Result<Plan, String> {
    let plan = Plan::from_json(text).map_err(|error| error.to_string())?;
    check(&plan)?;
    Ok(plan)
}

pub(crate) fn check(plan: &Plan) -> Result<(), String> {
    let sends = plan.workloads.iter().map(|workload| u64::from(workload.total)).sum();
    let of_one = |total: u32, bytes: u32| u64::from(total) * u64::from(bytes);
    let bytes = plan.workloads.iter().map(|one| of_one(one.total, one.body_bytes)).sum();
    let cluster = &plan.cluster;
    let servers = [cluster.name_servers, cluster.brokers, cluster.slaves].map(u64::from);
    let producers = plan.workloads.iter().map(|one| u64::from(one.producer) + 1).max();
    let last = plan.workloads.iter().map(|one| one.start_ms).chain([plan.run_ms]).max();
    let limits = [
        ("sends", sends, SENDS_MAX),
        ("bytes of bodies", bytes, BODY_BYTES_MAX),
        ("ms", last.unwrap_or(0), RUN_MS_MAX),
        ("servers", servers.iter().sum(), HOSTS_MAX),
        ("producers", producers.unwrap_or(0), HOSTS_MAX),
        ("topics", cluster.topics.len() as u64, HOSTS_MAX),
        ("faults", plan.faults.len() as u64, FAULTS_MAX as u64),
    ];
    for (what, wanted, most) in limits {
        if wanted > most {
            return Err(format!("too much for a page: {wanted} {what}, {most} at most"));
        }
    }
    if plan.bridge.is_some() {
        return Err("only `sim run --world` has bridges".to_owned());
    }
    Ok(())
}
