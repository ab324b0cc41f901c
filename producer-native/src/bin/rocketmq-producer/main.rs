//! The command line of the producer: send messages, and find out why they cannot be sent.

mod admin;
mod completions;
mod date;
mod decode;
mod doctor;
mod exchange;
mod exit;
mod inspect;
mod options;
mod recall;
mod route;
mod send;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{EXIT_CODES, Exit, Failure};

/// Sends messages to Apache RocketMQ, and finds out why they cannot be sent.
#[derive(Debug, Parser)]
#[command(name = "rocketmq-producer", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Print JSON, one object per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send messages: a body, a file, lines of standard input, or generated ones
    #[command(after_help = EXIT_CODES)]
    Send(Box<send::SendArguments>),
    /// Send a request, and show the reply of whoever consumes it
    #[command(after_help = EXIT_CODES)]
    Request(Box<exchange::RequestArguments>),
    /// Send a message in a transaction, end it, and answer brokers that ask
    #[command(after_help = EXIT_CODES)]
    Transaction(Box<exchange::TransactionArguments>),
    /// Show the queues and brokers of a topic, as the producer sees them
    #[command(after_help = EXIT_CODES)]
    Route(route::RouteArguments),
    /// Take a timer message back before it is delivered
    #[command(after_help = EXIT_CODES)]
    Recall(recall::RecallArguments),
    /// Create topics, show offsets, find messages
    #[command(after_help = EXIT_CODES)]
    Admin(admin::AdminArguments),
    /// Show frames of the remoting protocol as JSON
    #[command(after_help = EXIT_CODES)]
    Decode(decode::DecodeArguments),
    /// Show what a message id says: where and when it was made or stored
    #[command(after_help = EXIT_CODES)]
    InspectId(inspect::InspectArguments),
    /// Ask every name server and broker, and say what is wrong and what to do
    #[command(after_help = EXIT_CODES)]
    Doctor(doctor::DoctorArguments),
    /// Print the completions of a shell, to be sourced by it
    Completions(completions::CompletionArguments),
}

fn main() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let done = match command {
        Command::Send(arguments) => block_on(send::run(*arguments, json)),
        Command::Request(arguments) => block_on(exchange::request(*arguments, json)),
        Command::Transaction(arguments) => block_on(exchange::transaction(*arguments, json)),
        Command::Route(arguments) => block_on(route::run(arguments, json)),
        Command::Recall(arguments) => block_on(recall::run(arguments, json)),
        Command::Admin(arguments) => block_on(admin::run(arguments, json)),
        Command::Decode(arguments) => decode::run(arguments),
        Command::InspectId(arguments) => inspect::run(&arguments, json),
        Command::Doctor(arguments) => block_on(doctor::run(arguments, json)),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    done.unwrap_or_else(|failure| failure.report()).code()
}

fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(format!("the operating system gives no threads or sockets: {error}"))
    })?;
    let done = runtime.block_on(work);
    // A thread may be reading standard input, which nothing can interrupt.
    runtime.shutdown_background();
    done
}
