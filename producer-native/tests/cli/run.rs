//! Runs the binary.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use sim::serve::{ClusterBuilder, EmbeddedCluster};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The lines of standard output as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(line).collect()
    }
}

/// The binary, without what the environment says about name servers and proxies.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rocketmq-producer"));
    command.env_remove("NAMESRV_ADDR").env_remove("ROCKETMQ_PROXY");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end with this standard input.
pub(crate) fn run_with(arguments: &[&str], input: impl Into<Vec<u8>>) -> Ended {
    let mut child = binary().args(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.into();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it to its end with nothing to read.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    run_with(arguments, "")
}

/// A cluster that serves while the tests block.
pub(crate) struct Served {
    pub(crate) cluster: EmbeddedCluster,
    /// Where it runs, and where it can be changed.
    pub(crate) runtime: tokio::runtime::Runtime,
}

/// One broker with the topic `orders`, unless `build` makes it otherwise.
pub(crate) fn serve(build: impl FnOnce(ClusterBuilder) -> ClusterBuilder) -> Served {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let builder = build(EmbeddedCluster::builder().topic("orders", 4));
    let cluster = runtime.block_on(builder.start()).unwrap();
    Served { cluster, runtime }
}

/// An address at which nobody listens.
pub(crate) fn refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
