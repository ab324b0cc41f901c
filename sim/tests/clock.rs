//! I18: does a jump of the wall clock move anything but the times that messages carry?

use sim::history::{End, History};
use sim::pair::{self, Lines};
use sim::plan::{FaultKind, FaultPlan, Plan};

const SEEDS: std::ops::Range<u64> = 0..150;

/// What became of each send, and when; ids differ by design, for they contain the time.
fn ends(history: &History) -> Vec<String> {
    let line = |at: producer_core::Instant, end: &End| match end {
        End::Stored(receipt) => {
            let (broker, queue) = (&receipt.broker, receipt.queue_id);
            format!("{at:?} {broker}/{queue}@{} {}", receipt.queue_offset, receipt.attempts)
        }
        End::Failed(error) => format!("{at:?} {} {}", error.outcome(), error.kind()),
        End::Written => format!("{at:?} written"),
        End::Cancelled => format!("{at:?} cancelled"),
    };
    let sends = history.sends.iter();
    sends.flat_map(|send| send.ends.iter().map(|(at, end)| line(*at, end))).collect()
}

/// When messages say that they were born.
fn born(history: &History) -> Vec<i64> {
    history.stored.iter().map(|stored| stored.message.born_timestamp).collect()
}

/// The plan with the wall clock of every producer jumping to and fro.
fn with_jumps(plan: &Plan) -> Plan {
    let mut jumping = plan.clone();
    for (n, ms) in [3_600_000, -7_200_000, 5_000, -1, 86_400_000].into_iter().enumerate() {
        for producer in 0..plan.producers() {
            jumping.faults.push(FaultPlan {
                at_ms: plan.run_ms * (n as u64 + 1) / 7,
                for_ms: 1,
                target: format!("producer-{producer}"),
                kind: FaultKind::WallJump { ms },
            });
        }
    }
    jumping
}

#[test]
fn a_jump_of_the_wall_clock_moves_no_send() {
    let (mut sends, mut born_moved) = (0, 0);
    for seed in SEEDS {
        let mut plan = Plan::from_seed(seed);
        plan.faults.retain(|fault| !matches!(fault.kind, FaultKind::WallJump { .. }));

        let calm = pair::run(&plan, Lines::Forget).history;
        let jumping = pair::run(&with_jumps(&plan), Lines::Forget).history;

        born_moved += usize::from(born(&calm) != born(&jumping));
        let (calm, jumping) = (ends(&calm), ends(&jumping));
        let first = calm.iter().zip(&jumping).position(|(one, two)| one != two);
        let first = first.map(|at| (&calm[at], &jumping[at]));
        assert_eq!((first, calm.len()), (None, jumping.len()), "seed {seed}");
        sends += calm.len();
    }
    assert!(sends > 10_000, "{sends} sends are too few to tell");
    assert!(born_moved > 100, "the clock did not jump in {born_moved} runs");
    println!("{sends} sends, not one moved");
}
