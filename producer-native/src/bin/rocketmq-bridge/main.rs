//! The WebSocket bridge between pages and a RocketMQ cluster.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    // Certificates and keys that could not be read again, brokers where nobody may go.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let settings = settings(arguments)?;
    let (lines, printer) = Lines::new().map_err(|error| format!("no thread: {error}"))?;
    let opened = settings.open(|builder| builder.log(move |line| lines.print(line)));
    let (bridge, keys) = opened.map_err(|error| error.to_string())?;
    if arguments.check {
        print!("{settings}");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads or sockets: {error}"))?;
    let served = runtime.block_on(serve(bridge, keys, &settings));
    // With it goes the bridge, and who gives lines to the printer.
    drop(runtime);
    let patience = Instant::now() + LAST_LINES;
    while !printer.is_finished() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    served.map_err(|error| error.to_string())
}

/// How long the last lines of the log may take.
const LAST_LINES: Duration = Duration::from_secs(1);

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

/// Prints the lines of the log by a thread of its own: whoever reads them may stand still, and pages
/// must not.
struct Lines {
    queue: SyncSender<String>,
    lost: AtomicU64,
}

/// Lines that wait to be printed. More are lost, and counted.
const LINES_MAX: usize = 4096;

impl Lines {
    /// With the thread that ends when the last line is printed.
    fn new() -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, lines) = sync_channel::<String>(LINES_MAX);
        let printer = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            for line in lines {
                // Whoever read them may be gone.
                let _gone = writeln!(std::io::stdout().lock(), "{line}");
            }
        })?;
        Ok((Self { queue, lost: AtomicU64::new(0) }, printer))
    }

    fn print(&self, line: &str) {
        let lost = self.lost.swap(0, Relaxed);
        let line = match lost {
            0 => line.to_owned(),
            lost => format!("{line}\n{{\"event\":\"lines-lost\",\"count\":{lost}}}"),
        };
        if self.queue.try_send(line).is_err() {
            self.lost.fetch_add(lost + 1, Relaxed);
        }
    }
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
