//! A bridge between producers and servers: does all hold that holds without one, whatever breaks
//! there?

mod again;
mod faults;
mod order;
mod swarm;
mod tokens;

use std::time::Duration;

use sim::history::{End, SendRecord};
use sim::pair::{Lines, Run};
use sim::plan::{BridgePlan, Mode, Plan};
use sim::ready::small::{With, cluster, sends};
use sim::world;

/// Three brokers behind a bridge, a send every 10 ms for three seconds.
fn bridged(bridge: BridgePlan) -> Plan {
    let mut plan = cluster(&[4, 4, 4]).with(sends(Mode::Rotate, 300, 1, 10));
    plan.bridge = Some(bridge);
    plan.run_ms = 8_000;
    plan
}

/// A run of a plan that JSON can say, which violates nothing and whose ledger is balanced.
fn run(plan: &Plan) -> Run {
    let again = Plan::from_json(&plan.to_json()).expect("a plan that can happen");
    assert_eq!(again, *plan);
    let run = world::run(plan, Lines::Keep);
    assert_eq!(run.violations, [], "{:#?}", run.lines);
    let ledger = Ledger::of(&run);
    let Ledger { asked, acked, rejected, unknown, not_sent, written, cancelled, .. } = ledger;
    assert_eq!(asked, acked + rejected + unknown + not_sent + written + cancelled);
    run
}

/// What became of the sends of the plan, probes left out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Ledger {
    asked: usize,
    acked: usize,
    rejected: usize,
    unknown: usize,
    not_sent: usize,
    written: usize,
    cancelled: usize,
    /// Messages in logs beyond one of each.
    twice: usize,
}

impl Ledger {
    fn of(run: &Run) -> Self {
        let mut ledger = Self::default();
        for send in asked(run) {
            ledger.asked += 1;
            for (_, end) in &send.ends {
                *match end {
                    End::Stored(_) => &mut ledger.acked,
                    End::Written => &mut ledger.written,
                    End::Cancelled => &mut ledger.cancelled,
                    End::Failed(error) => match error.outcome() {
                        producer_core::Outcome::Rejected => &mut ledger.rejected,
                        producer_core::Outcome::Unknown => &mut ledger.unknown,
                        producer_core::Outcome::NotSent => &mut ledger.not_sent,
                    },
                } += 1;
            }
        }
        let mut bodies: Vec<_> = run.history.stored.iter().map(|s| &s.message.body).collect();
        let stored = bodies.len();
        bodies.sort();
        bodies.dedup();
        ledger.twice = stored - bodies.len();
        ledger
    }
}

/// The sends of the plan, probes left out.
fn asked(run: &Run) -> impl Iterator<Item = &SendRecord> {
    run.history.sends.iter().filter(|send| !send.probe)
}

/// The longest time that a send took.
fn longest(run: &Run) -> Duration {
    let took = asked(run).filter_map(|send| Some(send.ends.first()?.0.since(send.at)));
    took.max().unwrap_or_default()
}

/// How often the bridge closed a connection with this code before `until_ms`.
fn closes(run: &Run, code: u16, until_ms: u64) -> usize {
    let said = format!(r#""close":{code},"#);
    let lines = run.lines.iter().filter(|line| line.contains(&said));
    let at = |line: &&String| line.split_whitespace().next().and_then(|at| at.parse::<f64>().ok());
    lines.filter(|line| at(line).is_some_and(|at| at < until_ms as f64)).count()
}
