//! The command line of the models.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Models of an Apache RocketMQ name server and broker.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a cluster on TCP until Ctrl-C; see `help` on its standard input.
    Cluster(command::cluster::ClusterArguments),
    /// Shows a producer that loses nothing while brokers fail.
    Demo(command::demo::DemoArguments),
    /// Runs a plan in virtual time and says whether anything happened that must not.
    Run(command::run::RunArguments),
    /// Prints the plan of a seed.
    Plan(command::run::PlanArguments),
    /// Runs a plan and prints a line an event.
    Timeline(command::run::PlanArguments),
    /// Runs the plans of many seeds, and plans made from them, and says what was seen.
    Explore(command::explore::ExploreArguments),
    /// Runs a plan and writes a page that shows it.
    Html(command::html::HtmlArguments),
    /// Takes out of a plan what is not needed for it to go wrong.
    Shrink(command::shrink::ShrinkArguments),
    /// Writes the trace hashes of many plans, for whoever runs the same plans elsewhere.
    Hashes(command::hashes::HashesArguments),
    /// Counts what load a thousand producers put on servers when all start again.
    Scale(command::scale::ScaleArguments),
    /// Measures how much faster than time the simulator is.
    Speed(command::speed::SpeedArguments),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = match command {
        Command::Cluster(arguments) => runtime.block_on(command::cluster::run(arguments)),
        Command::Demo(arguments) => runtime.block_on(command::demo::run(arguments)),
        Command::Run(arguments) => command::run::run(&arguments),
        Command::Plan(arguments) => command::run::plan(&arguments),
        Command::Timeline(arguments) => command::run::timeline(&arguments),
        Command::Explore(arguments) => command::explore::run(&arguments),
        Command::Html(arguments) => command::html::run(&arguments),
        Command::Shrink(arguments) => command::shrink::run(&arguments),
        Command::Hashes(arguments) => command::hashes::run(&arguments),
        Command::Scale(arguments) => command::scale::run(&arguments),
        Command::Speed(arguments) => command::speed::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &std::io::Error) -> ExitCode {
    eprintln!("sim: {error}");
    ExitCode::FAILURE
}
