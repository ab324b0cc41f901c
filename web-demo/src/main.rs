//! `web-demo`: serves the page until Ctrl-C or a termination signal.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use web_demo::{Demo, Options};

/// A cluster, a bridge and a page on one loopback port: publish from the browser, break brokers.
#[derive(Debug, Parser)]
#[command(name = "web-demo")]
struct Arguments {
    /// Port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 7070)]
    port: u16,
    /// Folder of the built page.
    #[arg(long, value_name = "DIR", default_value = PAGE)]
    page: PathBuf,
}

/// Where `./demo` builds the page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page/dist");

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { port, page }: Arguments) -> io::Result<()> {
    // Before the port is known to anybody: a signal that comes early is not lost.
    let stop = stop_signal()?;
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let started = Demo::start(Options { listen, page }).await;
    let demo = started.map_err(|error| {
        let text = format!("{error} (127.0.0.1:{port}; --port 0 takes any free one)");
        io::Error::new(error.kind(), text)
    })?;
    if !demo.is_built() {
        eprintln!("the page is not built; ./demo builds it");
    }
    // Whoever reads it may have gone; the page is served on.
    let mut out = io::stdout().lock();
    let _gone = writeln!(out, "{}", demo.url()).and_then(|()| out.flush());
    drop(out);
    stop.await?;
    demo.stop().await
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}
