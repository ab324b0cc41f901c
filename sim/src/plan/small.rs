//! Which plan does a seed make where time is dear, as on the simulated network?

use super::Plan;

/// Longest time of faults.
const RUN_MS: u64 = 4_000;
/// Longest time of one.
const FAULT_MS: u64 = 2_000;
/// Time between lookups of routes, which decides how long healing takes.
const ROUTE_POLL_MS: u64 = 1_000;

impl Plan {
    /// The plan of a seed, pressed into a few seconds: the same cluster and faults, and routes
    /// looked up every second.
    pub fn small_from_seed(seed: u64) -> Self {
        let mut plan = Self::from_seed(seed);
        let factor = plan.run_ms.div_ceil(RUN_MS).max(1);
        plan.run_ms /= factor;
        for fault in &mut plan.faults {
            fault.at_ms /= factor;
            fault.for_ms = fault.for_ms.min(FAULT_MS);
        }
        for workload in &mut plan.workloads {
            workload.every_us = (workload.every_us / factor).max(1_000);
        }
        let poll = &mut plan.config.overrides.route_poll_ms;
        *poll = Some(poll.map_or(ROUTE_POLL_MS, |ms| ms.min(ROUTE_POLL_MS)));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_plan_is_short_and_can_be_read_again() {
        for seed in 0..200 {
            let plan = Plan::small_from_seed(seed);

            assert!(plan.run_ms <= RUN_MS);
            assert!(plan.faults.iter().all(|fault| fault.for_ms <= FAULT_MS));
            assert_eq!(Plan::from_json(&plan.to_json()).expect("a plan of our own"), plan);
        }
    }
}
