//! How can it be over sooner?

use super::{Plan, each};

/// Everything earlier by the same time.
pub(super) fn all_earlier(plan: &Plan) -> Vec<Plan> {
    let faults = plan.faults.iter().map(|fault| fault.at_ms).min();
    let first = plan.workloads.iter().map(|workload| workload.start_ms).min().unwrap_or(0);
    let first = faults.map_or(first, |at| at.min(first));
    // Routes and connections take their time, and so does reading: some room before the first.
    let left = [0, 100, 200, 1_000, first / 2].into_iter().filter(|left| *left < first);
    left.map(|left| {
        let earlier = first - left;
        let mut changed = plan.clone();
        for fault in &mut changed.faults {
            fault.at_ms -= earlier;
        }
        for workload in &mut changed.workloads {
            workload.start_ms -= earlier;
        }
        changed
    })
    .collect()
}

/// Each fault shorter.
pub(super) fn fault_shorter(plan: &Plan) -> Vec<Plan> {
    let parts: [fn(u64) -> u64; 6] = [
        |_| 0,
        |ms| ms / 10,
        |ms| ms / 2,
        |ms| ms - ms / 4,
        |ms| ms / 1_000 * 1_000,
        |ms| ms / 100 * 100,
    ];
    let mut plans = Vec::new();
    for part in parts {
        let changed = each(&plan.faults, |faults, at| faults[at].for_ms = part(faults[at].for_ms));
        plans.extend(changed.map(|faults| Plan { faults, ..plan.clone() }));
    }
    plans.retain(|changed| changed.faults != plan.faults);
    plans
}

/// Each fault earlier: at once, half, at a round time.
pub(super) fn fault_earlier(plan: &Plan) -> Vec<Plan> {
    let places: [fn(u64) -> u64; 5] =
        [|_| 0, |ms| ms / 2, |ms| ms / 1_000 * 1_000, |ms| ms / 100 * 100, |ms| ms / 10 * 10];
    let mut plans = Vec::new();
    for place in places {
        let changed = each(&plan.faults, |faults, at| faults[at].at_ms = place(faults[at].at_ms));
        plans.extend(changed.map(|faults| Plan { faults, ..plan.clone() }));
    }
    plans.retain(|changed| changed.faults != plan.faults);
    plans
}

/// Healing sooner: soon after the last send or fault, or after half of the time.
pub(super) fn run_shorter(plan: &Plan) -> Vec<Plan> {
    let faults = plan.faults.iter().map(|fault| fault.at_ms + fault.for_ms);
    let begun = plan.faults.iter().map(|fault| fault.at_ms + 1);
    let sends = plan.workloads.iter().map(|workload| {
        let bursts = u64::from(workload.total.div_ceil(workload.burst.max(1)));
        workload.start_ms + bursts * workload.every_us / 1_000
    });
    let sent = sends.max().unwrap_or(0);
    let ends = [begun.max().unwrap_or(0).max(sent), faults.max().unwrap_or(0).max(sent)];
    let rounded = ends.map(|end| (end / 100 + 1) * 100);
    let shorter = [rounded[0], rounded[1], rounded[1] + 1_000, plan.run_ms / 2]
        .into_iter()
        .chain([plan.run_ms - plan.run_ms / 4]);
    let shorter = shorter.filter(|run_ms| (1..plan.run_ms).contains(run_ms));
    shorter.map(|run_ms| Plan { run_ms, ..plan.clone() }).collect()
}
