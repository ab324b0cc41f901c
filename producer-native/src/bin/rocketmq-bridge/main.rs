//! The WebSocket bridge between pages and a RocketMQ cluster.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use producer_native::bridge::{Bridge, BridgeSettings, KeyWatch};
use tokio::net::TcpListener;

/// Carries frames of pages to name servers and brokers, and nothing else.
///
/// Settings come from a TOML file and from variables (ROCKETMQ_BRIDGE_LISTEN, ROCKETMQ_BRIDGE_TLS__KEY_FILE);
/// what is said here wins over both.
#[derive(Debug, Parser)]
#[command(name = "rocketmq-bridge", version)]
struct Arguments {
    /// The file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For development: pages and brokers on this machine, no tokens
    #[arg(long, conflicts_with = "config")]
    dev: bool,
    /// Reads everything, prints what would be in force, and ends
    #[arg(long)]
    check: bool,
    /// Where pages come
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where Prometheus comes
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Addresses of name servers, with ; between them
    #[arg(long, value_name = "ADDRESSES")]
    name_servers: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("rocketmq-bridge: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let settings = settings(arguments)?;
    let opened = settings.open(|builder| builder.log(print_line));
    let (bridge, keys) = opened.map_err(|error| error.to_string())?;
    if arguments.check {
        print!("{settings}");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads or sockets: {error}"))?;
    runtime.block_on(serve(bridge, keys, &settings)).map_err(|error| error.to_string())
}

fn settings(arguments: &Arguments) -> Result<BridgeSettings, String> {
    let mut said = Vec::new();
    let mut say = |name: &str, value: Option<String>| {
        said.extend(value.map(|value| (format!("ROCKETMQ_BRIDGE_{name}"), value)));
    };
    say("LISTEN", arguments.listen.map(|address| address.to_string()));
    say("METRICS", arguments.metrics.map(|address| address.to_string()));
    say("NAME_SERVERS", arguments.name_servers.clone());
    let settings = match arguments.dev {
        true => BridgeSettings::dev(said),
        false => BridgeSettings::load(arguments.config.as_deref(), said),
    };
    let settings = settings.map_err(|error| error.to_string())?;
    if arguments.dev && !settings.listen.ip().is_loopback() {
        return Err("--dev listens on loopback only".to_owned());
    }
    Ok(settings)
}

/// A line of the log. Whoever reads it may be gone; pages need not know.
fn print_line(line: &str) {
    let _gone = writeln!(std::io::stdout().lock(), "{line}");
}

async fn serve(bridge: Bridge, keys: KeyWatch, settings: &BridgeSettings) -> std::io::Result<()> {
    let listener = TcpListener::bind(settings.listen).await?;
    eprintln!("pages come to http://{}/v1/connect/ns", listener.local_addr()?);
    if let Some(address) = settings.metrics {
        let listener = TcpListener::bind(address).await?;
        eprintln!("figures are at http://{}/metrics", listener.local_addr()?);
        let bridge = bridge.clone();
        tokio::spawn(async move { bridge.serve_metrics(listener).await });
    }
    tokio::spawn(keys.run());
    let stopper = bridge.clone();
    tokio::spawn(async move {
        stop_signal().await;
        eprintln!("draining; a second signal stops at once");
        tokio::select! {
            () = stopper.drain() => stop_signal().await,
            () = stop_signal() => {}
        }
        stopper.stop();
    });
    bridge.serve(listener).await
}

/// Waits for SIGTERM or Ctrl-C.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _no_handler = tokio::signal::ctrl_c().await;
}
