//! The same plan gives the same run: twice, on threads beside each other, and in two processes.

#[cfg(feature = "command")]
use std::process::Command;

use sim::pair::{self, Lines, Run};
use sim::plan::{FaultKind, Plan};

fn run(seed: u64) -> Run {
    pair::run(&Plan::from_seed(seed), Lines::Keep)
}

/// The first line in which two runs differ.
fn first_difference(one: &Run, two: &Run) -> Option<String> {
    let at = (0..one.lines.len().max(two.lines.len()))
        .find(|&at| one.lines.get(at) != two.lines.get(at))?;
    Some(format!("line {at}: {:?} against {:?}", one.lines.get(at), two.lines.get(at)))
}

#[test]
fn a_plan_runs_the_same_on_four_threads() {
    let runs: Vec<Vec<Run>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..40).map(run).collect())).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });

    for (seed, first) in runs[0].iter().enumerate() {
        for other in &runs[1..] {
            assert_eq!(first_difference(first, &other[seed]), None, "seed {seed}");
            assert_eq!(first.hash, other[seed].hash, "seed {seed}");
        }
    }
}

#[test]
fn another_plan_runs_otherwise() {
    assert_ne!(run(1).hash, run(2).hash);
}

/// I18: a wall clock that jumps changes ids and timestamps and nothing else.
#[test]
fn a_wall_clock_that_jumps_moves_nothing() {
    let mut jumps = 0;
    for seed in 0..400 {
        let plan = Plan::from_seed(seed);
        let mut steady = plan.clone();
        steady.faults.retain(|fault| !matches!(fault.kind, FaultKind::WallJump { .. }));
        if steady.faults.len() == plan.faults.len() {
            continue;
        }
        jumps += 1;
        let ends = |plan: &Plan| -> Vec<_> {
            let sends = pair::run(plan, Lines::Forget).history.sends;
            let place = |send: &sim::history::SendRecord| {
                let receipt = send.receipt().map(|r| (r.broker.to_string(), r.queue_offset));
                let error = send.error().map(|error| error.kind().code());
                (send.at, send.ends.first().map(|(at, _)| *at), receipt, error)
            };
            sends.iter().map(place).collect()
        };

        assert_eq!(ends(&plan), ends(&steady), "seed {seed}");
    }
    assert!(jumps > 20, "only {jumps} plans have a jump");
}

#[cfg(feature = "command")]
#[test]
fn a_plan_runs_the_same_in_two_processes() {
    for seed in [3, 17, 138, 597] {
        let timeline = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
            command.args(["timeline", "--seed", &seed.to_string()]);
            command.output().expect("the binary was built").stdout
        };
        let (one, two) = (timeline(), timeline());

        assert!(!one.is_empty());
        assert!(one == two, "seed {seed}");
        let here = run(seed).lines.join("\n") + "\n";
        assert!(one == here.as_bytes(), "seed {seed}: the process differs from the test");
    }
}
