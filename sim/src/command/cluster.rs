//! `sim cluster`: name servers and brokers on TCP, broken by hand.

use std::io::{self, BufRead, Write};

use clap::Args;
use sim::serve::{ClusterBuilder, EmbeddedCluster};
use tokio::sync::mpsc;

use super::control;

/// What the cluster is made of.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Number of name servers.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    name_servers: u16,
    /// Number of masters: broker-a, broker-b and so on.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    brokers: u16,
    /// Gives each master a slave.
    #[arg(long)]
    slaves: bool,
    /// A topic and its queues at each broker, such as `orders:4`; can be given several times.
    #[arg(long = "topic", value_name = "NAME[:QUEUES]", value_parser = topic)]
    topics: Vec<(String, i32)>,
    /// Port of the first name server; the others take those that follow. 0 for free ones.
    #[arg(long, default_value_t = 9876)]
    port: u16,
}

/// Serves until Ctrl-C or a termination signal.
///
/// Standard output gets a line `name server NAME ADDRESS` or `broker NAME ADDRESS` for each node,
/// a line `export NAMESRV_ADDR=...` that says that all are up, and then one `ok` or the lines
/// asked for after each command. Errors go to standard error.
pub(crate) async fn run(arguments: ClusterArguments) -> io::Result<()> {
    let cluster = builder(&arguments).start().await?;
    for (number, server) in cluster.all_name_servers().iter().enumerate() {
        say(&format!("name server ns-{number} {}", server.address()));
    }
    for broker in cluster.brokers() {
        say(&format!("broker {} {}", control::label(broker), broker.address()));
    }
    say(&format!("export NAMESRV_ADDR='{}'", cluster.name_servers()));
    let mut lines = stdin_lines();
    let stop = stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            stopped = &mut stop => return stopped,
            // Nobody at the other end of standard input: go on serving.
            Some(line) = lines.recv() => match control::obey(&cluster, &line).await {
                Ok(text) => say(&text),
                Err(error) => eprintln!("error: {error}"),
            },
        }
    }
}

fn builder(arguments: &ClusterArguments) -> ClusterBuilder {
    let mut builder = EmbeddedCluster::builder()
        .name_servers(usize::from(arguments.name_servers))
        .name_server_port(arguments.port)
        .numbered_brokers(usize::from(arguments.brokers));
    if arguments.slaves {
        builder = builder.slave_of_each();
    }
    for (topic, queues) in &arguments.topics {
        builder = builder.topic(topic, *queues);
    }
    builder
}

/// A line on standard output. Who reads it may have gone; the cluster serves on.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Lines of standard input, read by a thread that ends with the process: nothing waits for it.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (lines, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        biased;
        stopped = tokio::signal::ctrl_c() => stopped,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, queues) = text.rsplit_once(':').unwrap_or((text, "4"));
    let queues: i32 = queues.parse().map_err(|_| format!("'{queues}' is no number of queues"))?;
    if !(1..=1024).contains(&queues) {
        return Err(format!("{queues} queues: 1 to 1024 are possible"));
    }
    producer_core::wire::names::check_topic(name).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), queues))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_a_name_and_a_number_of_queues() {
        assert_eq!(topic("orders:8"), Ok(("orders".to_owned(), 8)));
        assert_eq!(topic("orders"), Ok(("orders".to_owned(), 4)));
        for bad in ["", ":4", "a b:4", "orders:", "orders:x", "orders:0", "orders:9999"] {
            assert!(topic(bad).is_err(), "{bad}");
        }
    }
}
