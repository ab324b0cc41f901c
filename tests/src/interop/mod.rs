//! What tests of the producer against real servers share: a runtime, waiting with a limit, a load
//! that goes on while servers fail, and the account of what became of each message.

pub mod account;
pub mod client;
pub mod java;
pub mod load;

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use producer_native::{Builder, Message, Producer, Receipt, SendError};
use tokio::runtime::{self, Runtime};

use crate::cluster::{Cluster, Release};

/// A runtime with two workers, for producers that are driven by a test's own thread.
pub fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime starts")
}

/// A producer with the default configuration at this cluster, to be configured further. It goes
/// through the cluster's bridge, if there is one.
pub fn producer(runtime: &Runtime, cluster: &Cluster) -> Builder {
    match cluster.bridge() {
        None => direct(runtime, cluster),
        Some(bridge) => {
            let builder = Producer::builder("interop").bridge(bridge.way());
            builder.runtime(runtime.handle().clone())
        }
    }
}

/// As [`producer`], past the bridge: for what an administrator does.
pub fn direct(runtime: &Runtime, cluster: &Cluster) -> Builder {
    Producer::builder("interop")
        .name_servers(&cluster.name_server_list())
        .runtime(runtime.handle().clone())
}

/// What a builder needs on a slow machine, where an answer may take more than a second: what is tried
/// again meanwhile is stored twice. For tests of what is stored, not of when.
pub fn patient(builder: Builder) -> Builder {
    builder.send_timeout(Duration::from_secs(30)).attempt_timeout(None)
}

/// A message with a body and nothing else.
pub fn message(topic: &str, body: &str) -> Message {
    Message::new(topic, body.to_owned()).expect("topic and body are valid")
}

/// The receipt, or a panic that shows the trail of attempts.
#[track_caller]
pub fn stored(result: Result<Receipt, SendError>) -> Receipt {
    result.unwrap_or_else(|error| panic!("the send failed: {error}"))
}

/// The error, or a panic that shows the receipt.
#[track_caller]
pub fn failed(result: Result<Receipt, SendError>) -> SendError {
    match result {
        Ok(receipt) => panic!("the send should have failed: {receipt:?}"),
        Err(error) => error,
    }
}

/// Asks until there is an answer, and panics when there is none in time.
#[track_caller]
pub fn until<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lets time pass where time itself is what is tested: a name server that is away for a while.
pub fn pass(time: Duration) {
    thread::sleep(time);
}

/// How often fault tests are to run: `$INTEROP_REPEAT`, else once.
pub fn repeats() -> usize {
    let value = std::env::var("INTEROP_REPEAT").ok();
    value.map_or(1, |value| value.parse().expect("INTEROP_REPEAT is a number"))
}

/// Says in the log what has been done, and after how long.
#[derive(Debug)]
pub struct Steps {
    release: Release,
    begin: Instant,
}

impl Steps {
    /// Begins to count time.
    pub fn begin(release: Release) -> Self {
        Self { release, begin: Instant::now() }
    }

    /// One line for one step.
    pub fn done(&self, step: impl fmt::Display) {
        eprintln!("{} {:.1} s {step}", self.release, self.begin.elapsed().as_secs_f32());
    }
}
