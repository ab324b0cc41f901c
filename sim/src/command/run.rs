//! What happens in the run of one plan?

use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;
use sim::pair::{self, Lines, Run};
use sim::plan::Plan;
use sim::timeline;

use super::bug::BugArguments;

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    plan: PlanArguments,
    /// Print the history of the sends as JSON lines, in the shape of Jepsen's.
    #[arg(long)]
    json: bool,
}

/// Where a plan comes from.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Make the plan of this seed.
    #[arg(long, group = "origin", required_unless_present_any = ["file", "plan"])]
    seed: Option<u64>,
    /// Read the plan from this file.
    #[arg(value_name = "PLAN", group = "origin")]
    file: Option<PathBuf>,
    /// Read the plan from this file.
    #[arg(long, value_name = "PLAN", hide = true, group = "origin")]
    plan: Option<PathBuf>,
    /// Run it with the real driver on a simulated network; a seed then makes a smaller plan.
    #[arg(long)]
    world: bool,
    /// The seed makes a plan with a bridge between producers and servers.
    #[arg(long, requires = "seed", requires = "world")]
    bridge: bool,
    /// The seed makes a drill: steady traffic, and one kind of fault after the other.
    #[arg(long, requires = "seed", conflicts_with = "world")]
    drill: bool,
    #[command(flatten)]
    bug: BugArguments,
}

impl PlanArguments {
    /// Runs the plan.
    pub(super) fn execute(&self, lines: Lines) -> io::Result<Run> {
        let plan = self.read()?;
        if !self.world {
            return Ok(pair::run(&plan, lines));
        }
        #[cfg(not(feature = "bridge"))]
        if plan.bridge.is_some() {
            let why = "built without the feature `bridge`";
            return Err(io::Error::new(ErrorKind::Unsupported, why));
        }
        #[cfg(feature = "world")]
        return Ok(sim::world::run(&plan, lines));
        #[cfg(not(feature = "world"))]
        Err(io::Error::new(ErrorKind::Unsupported, "built without the feature `world`"))
    }

    /// The plan. From now on this thread makes the mistake that was asked for.
    pub(crate) fn read(&self) -> io::Result<Plan> {
        self.bug.plant();
        let Some(file) = self.file.as_ref().or(self.plan.as_ref()) else {
            let make = match (self.world, self.drill) {
                (true, _) if self.bridge => Plan::bridged_from_seed,
                (true, _) => Plan::small_from_seed,
                (false, true) => Plan::drill,
                (false, false) => Plan::from_seed,
            };
            return Ok(make(self.seed.unwrap_or(0)));
        };
        let named = |error: &dyn Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|e| io::Error::new(e.kind(), named(&e)))?;
        Plan::from_json(&text).map_err(|e| io::Error::new(ErrorKind::InvalidData, named(&e)))
    }
}

pub(crate) fn run(arguments: &RunArguments) -> io::Result<()> {
    let run = arguments.plan.execute(Lines::Forget)?;
    if arguments.json {
        print!("{}", run.history.to_json_lines());
    } else {
        print!("{}", summary(&run));
    }
    judge(&run)
}

/// Prints the plan of a seed.
pub(crate) fn plan(arguments: &PlanArguments) -> io::Result<()> {
    println!("{}", arguments.read()?.to_json());
    Ok(())
}

/// Prints a line an event.
pub(crate) fn timeline(arguments: &PlanArguments) -> io::Result<()> {
    let run = arguments.execute(Lines::Keep)?;
    // The simulated network keeps lines of its own.
    let lines = if run.events.is_empty() { run.lines.clone() } else { timeline::lines(&run) };
    let mut text = lines.join("\n");
    text.push('\n');
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever has read enough of it, such as `head`, is not interested in the rest.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error),
        Ok(()) => judge(&run),
    }
}

fn summary(run: &Run) -> String {
    let sends = &run.history.sends;
    let stored = sends.iter().filter(|send| send.receipt().is_some()).count();
    let failed = sends.iter().filter(|send| send.error().is_some()).count();
    format!(
        "trace {:016x}\n{} sends in {:.1} s: {stored} acknowledged, {failed} failed, {} other\n\
         {} requests left, {} messages in logs\n",
        run.hash,
        sends.len(),
        run.simulated.as_secs_f64(),
        sends.len() - stored - failed,
        run.history.requests.len(),
        run.history.stored.len(),
    )
}

fn judge(run: &Run) -> io::Result<()> {
    for &at in &run.skipped {
        let fault = &run.history.plan.faults[at];
        eprintln!("skipped, for it does not exist here: {:?} at {}", fault.kind, fault.target);
    }
    for violation in &run.violations {
        eprintln!("{violation}");
    }
    match run.violations.len() {
        0 => Ok(()),
        count => Err(io::Error::other(format!("{count} violations"))),
    }
}
