//! How does a run look?

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use sim::html;
use sim::pair::Lines;

use super::run::PlanArguments;

#[derive(Debug, Args)]
pub(crate) struct HtmlArguments {
    #[command(flatten)]
    plan: PlanArguments,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes a page that shows a run, whether anything went wrong in it or not.
pub(crate) fn run(arguments: &HtmlArguments) -> io::Result<()> {
    let run = arguments.plan.execute(Lines::Keep)?;
    if run.events.is_empty() {
        let why = "the simulated network keeps no events: leave --world out";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let page = html::page(&run);
    let kilobytes = page.len() / 1024;
    fs::write(&arguments.out, page)?;
    let (events, wrong) = (run.events.len(), run.violations.len());
    let file = arguments.out.display();
    println!("{file}: {events} events, {wrong} violations, {kilobytes} KiB");
    Ok(())
}
