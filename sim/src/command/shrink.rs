//! What is the least of a plan that still goes wrong?

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use sim::pair::{self, Lines};
use sim::plan::Plan;
use sim::shrink::{self, RUNS_MAX, Shrunk};

use super::run::PlanArguments;

#[derive(Debug, Args)]
pub(crate) struct ShrinkArguments {
    #[command(flatten)]
    plan: PlanArguments,
    /// The invariant to keep violated, such as I8; else the first one that is.
    #[arg(long)]
    invariant: Option<String>,
    /// Runs at most.
    #[arg(long, default_value_t = RUNS_MAX)]
    runs: u32,
    /// Write a Rust test with the plan in it, not the plan.
    #[arg(long)]
    test: bool,
    /// Write to this file rather than to standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Shrinks a plan and writes what is left.
pub(crate) fn run(arguments: &ShrinkArguments) -> io::Result<()> {
    let plan = arguments.plan.read()?;
    let violations = pair::run(&plan, Lines::Forget).violations;
    let wanted = arguments.invariant.as_deref();
    let first = violations
        .iter()
        .find(|found| wanted.is_none_or(|id| id.eq_ignore_ascii_case(found.invariant.id())))
        .ok_or_else(|| io::Error::other("nothing goes wrong that could be kept"))?;
    let execute = |plan: &Plan| pair::run(plan, Lines::Forget).violations;
    let shrunk = shrink::shrink(&plan, first.invariant, arguments.runs, execute)
        .ok_or_else(|| io::Error::other("the plan runs differently each time"))?;
    eprintln!("{}", summary(&plan, &shrunk));
    let text = match arguments.test {
        true => shrink::as_test(&shrunk.plan, &shrunk.violation),
        false => shrunk.plan.to_json() + "\n",
    };
    let Some(file) = &arguments.out else { return write!(io::stdout(), "{text}") };
    fs::write(file, text)?;
    if !arguments.test {
        eprintln!("replay: sim run {}", file.display());
    }
    Ok(())
}

fn summary(plan: &Plan, shrunk: &Shrunk) -> String {
    let size = |plan: &Plan| {
        let sends: u32 = plan.workloads.iter().map(|workload| workload.total).sum();
        let (faults, servers) = (plan.faults.len(), plan.nodes().len());
        format!("{faults} faults, {sends} sends, {servers} servers")
    };
    let Shrunk { violation, runs, complete, .. } = shrunk;
    let more = if *complete { "" } else { "; with more --runs it may get smaller" };
    format!("{violation}\n{} became {} in {runs} runs{more}", size(plan), size(&shrunk.plan))
}
