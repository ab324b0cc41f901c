//! How can fewer and simpler sends do?

use super::{Plan, SENDS_WANTED};
use crate::plan::{Mode, Workload};

/// A few sends around a fault instead of many all the time.
pub(super) fn beside_a_fault(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (at, workload) in plan.workloads.iter().enumerate() {
        if workload.total <= SENDS_WANTED {
            continue;
        }
        for fault in &plan.faults {
            let span = fault.for_ms.max(1);
            let windows = [
                (fault.at_ms.saturating_sub(100), 10_000, SENDS_WANTED),
                (fault.at_ms.saturating_sub(span / 10), (span * 1_000).div_ceil(16), SENDS_WANTED),
                (fault.at_ms.saturating_sub(20), 20_000, 3),
                (fault.at_ms + 5, 10_000, 1),
                (fault.at_ms + span + 5, 10_000, 5),
            ];
            for (start_ms, every_us, total) in windows {
                for burst in [1, workload.burst] {
                    plans.push(with(
                        plan,
                        at,
                        Workload { start_ms, every_us, total, burst, ..workload.clone() },
                    ));
                }
            }
        }
    }
    plans
}

/// One, the first ones, the last ones, every second one.
pub(super) fn fewer(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (at, workload) in plan.workloads.iter().enumerate() {
        let total = workload.total;
        let mut push = |total: u32, changed: Workload| {
            if total < workload.total {
                plans.push(with(plan, at, Workload { total, ..changed }));
            }
        };
        for fewer in [1, SENDS_WANTED, total / 8, total / 4, total / 2, total - total / 4] {
            push(fewer, workload.clone());
        }
        for skipped in [total - 1, total - total / 4, total / 2, total / 4, 1] {
            let bursts = u64::from(skipped / workload.burst);
            let start_ms = workload.start_ms + bursts * workload.every_us / 1_000;
            push(total - skipped, Workload { start_ms, ..workload.clone() });
        }
        for thinner in [8, 4, 2] {
            let every_us = workload.every_us * u64::from(thinner);
            push(total / thinner, Workload { every_us, ..workload.clone() });
            let burst = workload.burst / thinner;
            push(total / thinner, Workload { burst, ..workload.clone() });
        }
        push(total.saturating_sub(1), workload.clone());
    }
    plans.retain(|plan| plan.workloads.iter().all(|w| w.total > 0 && w.burst > 0));
    plans
}

/// Fewer sends together with what makes many necessary: fewer keys, less room, less time.
pub(super) fn fewer_in_less(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (at, workload) in plan.workloads.iter().enumerate() {
        for total in [2, 4, 8, 16, 20] {
            if total >= workload.total {
                continue;
            }
            let share = |of: u32| (of * total).div_ceil(workload.total).max(1);
            let apart = u64::from(workload.total.div_ceil(total));
            let smaller = Workload { total, burst: share(workload.burst), ..workload.clone() };
            for keys in [1, 2, 3] {
                let every_us = smaller.every_us * apart;
                let keyed = Workload { keys, burst: 1, every_us, ..smaller.clone() };
                plans.push(with(plan, at, keyed));
                plans.push(with(plan, at, Workload { keys, ..smaller.clone() }));
            }
            for timeout_ms in [Some(20), Some(100)] {
                plans.push(with(plan, at, Workload { timeout_ms, ..smaller.clone() }));
            }
            for room in [1, total as usize / 2] {
                let mut tight = with(plan, at, smaller.clone());
                let overrides = &mut tight.config.overrides;
                overrides.sends_max = overrides.sends_max.map(|max| max.min(room.max(1)));
                overrides.waiting_max = overrides.waiting_max.map(|max| max.min(room));
                plans.push(tight);
            }
        }
    }
    plans
}

/// One producer, small bodies, one key, no bursts, one after the other only if that matters.
pub(super) fn simpler(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (at, workload) in plan.workloads.iter().enumerate() {
        let changes: [fn(&mut Workload); 10] = [
            |workload| workload.producer = 0,
            |workload| workload.mode = Mode::Rotate,
            |workload| workload.burst = 1,
            |workload| workload.body_bytes = workload.body_bytes.min(16),
            |workload| workload.keys = 1,
            |workload| workload.serial = false,
            |workload| workload.batch = false,
            |workload| workload.timeout_ms = None,
            |workload| {
                let every_us = rounded(workload.every_us / 1_000) * 1_000;
                workload.every_us = every_us.max(workload.every_us.min(1_000));
            },
            |workload| workload.start_ms = rounded(workload.start_ms),
        ];
        for change in changes {
            let mut changed = workload.clone();
            change(&mut changed);
            if changed != *workload {
                plans.push(with(plan, at, changed));
            }
        }
    }
    plans
}

/// Without all digits but the first.
fn rounded(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0));
    number / unit * unit
}

fn with(plan: &Plan, at: usize, workload: Workload) -> Plan {
    let mut changed = plan.clone();
    changed.workloads[at] = workload;
    changed
}
