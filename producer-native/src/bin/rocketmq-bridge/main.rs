//! The WebSocket bridge between pages and a RocketMQ cluster.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use producer_native::Address;
use producer_native::bridge::{Bridge, BridgeConfig};
use tokio::net::TcpListener;

/// Carries frames of pages to name servers and brokers, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "rocketmq-bridge", version)]
struct Arguments {
    /// For development: pages and brokers on this machine, no tokens
    #[arg(long, required = true)]
    dev: bool,
    /// Where pages come
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// Where Prometheus comes
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Addresses of name servers, with ; between them
    #[arg(long, value_name = "ADDRESSES", default_value = "127.0.0.1:9876")]
    name_servers: String,
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
    if !arguments.listen.ip().is_loopback() {
        return Err("--dev listens on loopback only".to_owned());
    }
    let name_servers = Address::list(&arguments.name_servers).map_err(|error| error.to_string())?;
    let config = BridgeConfig { name_servers, ..BridgeConfig::dev() };
    let bridge = Bridge::builder(config).log(print_line).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads or sockets: {error}"))?;
    runtime.block_on(serve(bridge, arguments)).map_err(|error| error.to_string())
}

/// A line of the log. Whoever reads it may be gone; pages need not know.
fn print_line(line: &str) {
    let _gone = writeln!(std::io::stdout().lock(), "{line}");
}

async fn serve(bridge: Bridge, arguments: &Arguments) -> std::io::Result<()> {
    let listener = TcpListener::bind(arguments.listen).await?;
    eprintln!("pages come to http://{}/v1/connect/ns", listener.local_addr()?);
    if let Some(address) = arguments.metrics {
        let listener = TcpListener::bind(address).await?;
        eprintln!("figures are at http://{}/metrics", listener.local_addr()?);
        let bridge = bridge.clone();
        tokio::spawn(async move { bridge.serve_metrics(listener).await });
    }
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
