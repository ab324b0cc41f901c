//! One of three brokers fails under load: who loses what, and for how long?

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::at_rate::{NEVER, Outcome, Pace, Sender};
use crate::child::Places;
use crate::figures::median;
use crate::options::Options;
use crate::peer::Peer;
use crate::series::{Series, longest_gap_ms, quantile};
use crate::servers::Servers;

/// A virtual machine compiles what is hot while it runs.
const WARM_MS: u64 = 3_000;
const RATE: u64 = 2_000;

/// What happens to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fault {
    /// Its connections are reset and its port refuses; name servers know at once.
    Killed,
    /// Its connections and its port stay open, and nothing is answered.
    Silent,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Silent => "silent",
        }
    }
}

/// One client with one kind of settings under one fault.
#[derive(Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) client: String,
    pub(crate) settings: &'static str,
    pub(crate) fault: Fault,
    pub(crate) rate: u64,
    pub(crate) fault_ms: u64,
    /// One a round.
    pub(crate) runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Run {
    sent: u64,
    failed: u64,
    longest_gap_ms: f64,
    back_ms: Option<u64>,
    p99_ms: f64,
    longest_ms: f64,
    pub(crate) series: Series,
}

/// When the fault comes and when a run ends, in milliseconds after warming up.
fn times(options: &Options) -> (u64, u64) {
    if options.quick { (2_000, 8_000) } else { (5_000, 20_000) }
}

/// Runs all cases that are asked for, against one cluster after the other.
pub(crate) fn run(places: Places, options: &Options) -> Result<Vec<Case>, String> {
    let peers = match options.peers {
        true => Peer::build_all(|name| options.wants(name)),
        false => Vec::new(),
    };
    let mut cases = Vec::new();
    for rate in options.rates(&[RATE]) {
        for sender in Sender::all(&peers).into_iter().filter(|it| options.wants(&it.name())) {
            for settings in ["default", "best"] {
                for fault in [Fault::Killed, Fault::Silent] {
                    let case = Case {
                        client: sender.name(),
                        settings,
                        fault,
                        rate,
                        fault_ms: times(options).0,
                        runs: Vec::new(),
                    };
                    cases.push((sender, case));
                }
            }
        }
    }
    let rounds = options.rounds(1);
    let mut servers = Servers::start(places, 3, options.real)?;
    for round in 1..=rounds {
        for (sender, case) in &mut cases {
            let (client, settings, fault) = (&case.client, case.settings, case.fault.name());
            eprintln!("round {round} of {rounds}: {client}, {settings} settings, {fault}");
            match one(places, options, &mut servers, *sender, case) {
                Ok(run) => case.runs.push(run),
                Err(why) => println!("{why}"),
            }
        }
    }
    Ok(cases.into_iter().map(|(_, case)| case).filter(|case| !case.runs.is_empty()).collect())
}

fn one(
    places: Places,
    options: &Options,
    servers: &mut Servers,
    sender: Sender,
    case: &Case,
) -> Result<Run, String> {
    let (fault_ms, measure_ms) = times(options);
    let name_servers = servers.addresses[0].clone();
    let pace = Pace { rate: case.rate, warm_ms: WARM_MS, measure_ms, settings: case.settings };
    let (tell, begun) = mpsc::channel();
    let hurt = &mut *servers;
    let ran = thread::scope(|scope| {
        scope.spawn(move || {
            // Nothing comes if the client fails before.
            if begun.recv().is_ok() {
                thread::sleep(Duration::from_millis(fault_ms));
                let order = if case.fault == Fault::Killed { "kill" } else { "freeze" };
                hurt.order(order);
            }
        });
        // The sender is dropped at the end, whatever it is.
        let tell = tell;
        let is_told = || tell.send(()).unwrap_or(());
        sender.run(places, &name_servers, pace, is_told)
    });
    servers.order("heal");
    let (_, outcomes) = ran?;
    Ok(Run::new(&outcomes, fault_ms, measure_ms))
}

impl Run {
    fn new(outcomes: &[Outcome], fault_ms: u64, measure_ms: u64) -> Self {
        let series = Series::new(outcomes, measure_ms);
        let after = outcomes.iter().filter(|outcome| outcome.due >= fault_ms * 1_000);
        let took: Vec<u64> = after.map(|outcome| outcome.took).collect();
        Self {
            sent: outcomes.len() as u64,
            failed: outcomes.iter().filter(|outcome| !outcome.stored).count() as u64,
            longest_gap_ms: longest_gap_ms(outcomes, fault_ms, measure_ms),
            back_ms: series.back_ms(fault_ms),
            p99_ms: quantile(took.clone(), 0.99),
            longest_ms: quantile(took, 1.0),
            series,
        }
    }
}

pub(crate) fn table(cases: &[Case], options: &Options) {
    let (fault_ms, measure_ms) = times(options);
    println!(
        "\none of three brokers fails {} s after warming up, for the {} s that are left; {}",
        fault_ms / 1_000,
        (measure_ms - fault_ms) / 1_000,
        if options.real { "real brokers 5.4.0" } else { "brokers of the embedded cluster" },
    );
    println!(
        "{:56} {:>7} {:>9} {:>8} {:>12} {:>10} {:>9} {:>10}",
        "", "rate", "sent", "failed", "longest gap", "back after", "p99", "longest"
    );
    for case in cases {
        let name = format!("{}, {}, {}", case.client, case.settings, case.fault.name());
        let of = |of: fn(&Run) -> f64| median(case.runs.iter().map(of));
        // The worst round counts: in one it may never come back.
        let back = case.runs.iter().map(|run| run.back_ms).collect::<Option<Vec<u64>>>();
        let back = back.and_then(|all| all.into_iter().max());
        println!(
            "{name:56} {:>7} {:>9.0} {:>8.0} {:>9.0} ms {:>10} {:>9} {:>10}",
            case.rate,
            of(|run| run.sent as f64),
            of(|run| run.failed as f64),
            of(|run| run.longest_gap_ms),
            back.map_or_else(|| "never".to_owned(), |back| format!("{back} ms")),
            took(of(|run| run.p99_ms)),
            took(of(|run| run.longest_ms)),
        );
    }
    println!(
        "failed: of those sent, an error to the application. longest gap: without any\n\
         acknowledgement. back: 99 % are answered within 100 ms again, for a second at least. p99 and\n\
         longest: from when a message was due, of those due after the fault, failed ones too."
    );
}

/// A time that messages took; one that did not end took for ever.
fn took(ms: f64) -> String {
    if ms < NEVER as f64 / 1e3 { format!("{ms:.0} ms") } else { "for ever".to_owned() }
}
