//! Does anything go wrong in many plans?

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use sim::explore::{self, Explorer, Failure, Mutants, examine};
use sim::plan::Plan;
use sim::shrink::{self, RUNS_MAX};

use super::bug::BugArguments;
use super::table::Table;

#[derive(Debug, Args)]
pub(crate) struct ExploreArguments {
    /// The first seed, and the one after the last: 0..1000.
    #[arg(long, value_name = "FROM..TO", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads; else as many as the machine has cores.
    #[arg(long)]
    jobs: Option<usize>,
    /// Stop after so many seconds; seeds that are left are left, and when there are none, plans are
    /// made from those that showed something new.
    #[arg(long)]
    seconds: Option<u64>,
    /// Only the plans of seeds, none made from others.
    #[arg(long)]
    seeds_only: bool,
    /// Take every Nth seed from the Ith on, so that N machines share the work: 2/8.
    #[arg(long, value_name = "I/N", value_parser = shard, default_value = "1/1")]
    shard: (u64, u64),
    /// Keep plans that show something new in this folder, and run those in it first.
    #[arg(long, value_name = "FOLDER")]
    corpus: Option<PathBuf>,
    /// Where shrunk plans go that went wrong.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    failures: PathBuf,
    /// Print JSON rather than a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bug: BugArguments,
}

/// Runs plans until there are no more or the time is up, and says what was seen.
pub(crate) fn run(arguments: &ExploreArguments) -> io::Result<()> {
    let (this, of) = arguments.shard;
    let seeds = arguments.seeds.clone().filter(move |seed| seed % of == this - 1);
    let mutants = match (arguments.seeds_only, arguments.seconds) {
        (true, _) => Mutants::Never,
        (false, None) => Mutants::InTurn,
        (false, Some(_)) => Mutants::Endless,
    };
    let kept = arguments.corpus.as_deref().map_or_else(|| Ok(Vec::new()), kept_plans)?;
    let explorer = Mutex::new(Explorer::new(seeds, mutants, kept));
    let begun = Instant::now();
    let until = arguments.seconds.map(|seconds| begun + Duration::from_secs(seconds));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A panic is found, counted and shrunk like any other violation; its text need not be printed
    // each time.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| {
                arguments.bug.plant();
                work(&explorer, until, begun);
            });
        }
    });
    clear_progress();
    let explorer = explorer.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = &arguments.corpus {
        keep(folder, explorer.corpus())?;
    }
    let table = Table::of(&explorer, begun.elapsed());
    match arguments.json {
        true => println!("{}", table.to_json()),
        false => print!("{table}"),
    }
    arguments.bug.plant();
    let failures: Vec<&Failure> = explorer.failures().collect();
    for failure in &failures {
        report(failure, &arguments.failures)?;
    }
    std::panic::set_hook(hook);
    match failures.len() {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("{} plans went wrong", explorer.tally().wrong))),
    }
}

/// One thread's part: a plan after the other.
fn work(
    explorer: &Mutex<Explorer<impl Iterator<Item = u64>>>,
    until: Option<Instant>,
    begun: Instant,
) {
    let lock = || explorer.lock().unwrap_or_else(PoisonError::into_inner);
    while until.is_none_or(|until| Instant::now() < until) {
        let Some(trial) = lock().next_trial() else { return };
        let findings = examine(&trial.plan);
        let mut explorer = lock();
        explorer.learn(trial, findings);
        let tally = explorer.tally();
        let runs = tally.seeds + tally.mutants + tally.corpus;
        if runs % 50 == 0 {
            show_progress(&format!(
                "{runs} plans in {} s, {} keys, {} went wrong",
                begun.elapsed().as_secs(),
                explorer.keys().len(),
                tally.wrong
            ));
        }
    }
}

/// Shrinks a plan that went wrong, writes it down and says how to see it again.
fn report(failure: &Failure, folder: &Path) -> io::Result<()> {
    let Failure { trial, violation } = failure;
    let execute = |plan: &Plan| examine(plan).violations;
    let shrunk = shrink::shrink(&trial.plan, violation.invariant, RUNS_MAX, execute);
    let (plan, violation) = match &shrunk {
        Some(shrunk) => (&shrunk.plan, &shrunk.violation),
        None => (&trial.plan, violation),
    };
    fs::create_dir_all(folder)?;
    let name = format!("{}-seed-{}.json", violation.invariant.id(), trial.plan.seed);
    let file = folder.join(name.to_lowercase());
    fs::write(&file, plan.to_json() + "\n")?;
    let sends: u32 = plan.workloads.iter().map(|workload| workload.total).sum();
    eprintln!(
        "\n{:?} {} violates {}\n  smallest plan: {} faults, {sends} sends\n  replay: \
         cargo run -p sim -- run {}",
        trial.origin,
        trial.plan.seed,
        violation.to_string().replace('\n', " "),
        plan.faults.len(),
        file.display()
    );
    Ok(())
}

/// The plans in a folder, which need not be there yet. What is no plan of today is passed over.
fn kept_plans(folder: &Path) -> io::Result<Vec<Plan>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    let (mut plans, mut refused) = (Vec::new(), 0);
    for file in files {
        match Plan::from_json(&fs::read_to_string(&file)?) {
            Ok(plan) => plans.push(plan),
            Err(_) => refused += 1,
        }
    }
    if refused > 0 {
        eprintln!("{refused} files in {} are no plans of this version", folder.display());
    }
    Ok(plans)
}

fn keep(folder: &Path, plans: &[Plan]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for plan in plans {
        let file = folder.join(format!("{}.json", explore::name_of(plan)));
        fs::write(file, plan.to_json() + "\n")?;
    }
    Ok(())
}

/// A line that overwrites itself, for people only.
fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        // Nothing depends on it.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}

fn clear_progress() {
    show_progress("");
}

pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").ok_or("FROM..TO, such as 0..1000")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    Ok(number(ends.0)?..number(ends.1)?)
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text
        .split_once('/')
        .and_then(|(this, of)| Some((this.parse::<u64>().ok()?, of.parse::<u64>().ok()?)));
    parts.filter(|(this, of)| (1..=*of).contains(this)).ok_or_else(|| "I/N, such as 2/8".to_owned())
}
