//! The Rust client of the rocketmq-rust project, as its README uses it: a task for each send in
//! flight, or sends at a fixed rate. Words: name server, `tasks`, `bounded` or `rate`, in flight or
//! a second, bytes, warm-up and measured milliseconds, `default` or `best` settings.

#![recursion_limit = "256"]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq_client_rust::{
    ClientConfig, ClientRuntime, ClientRuntimeConfig, DefaultMQProducer, SendStatus,
};
use rocketmq_model::common::message::message_builder::MessageBuilder;
use rocketmq_model::common::message::message_single::Message;
use rocketmq_observability::TelemetryRuntimeGuard;
use rocketmq_runtime::RuntimeOwner;
use tokio::sync::Semaphore;

/// It refuses more than 512 at a time (`queue_saturated`) and tries those again after a pause: with
/// `bounded`, tasks wait for their turn before they call it.
const AT_A_TIME: usize = 500;
/// Of so many sends one is timed; with one in flight every one.
const TIMED: u64 = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let owner = RuntimeOwner::new()?;
    let telemetry = TelemetryRuntimeGuard::noop();
    let runtime = ClientRuntime::try_new(
        owner.root_context().component("bench"),
        ClientRuntimeConfig::default(),
        telemetry.handle(),
    )?;
    owner.block_on(run(started, words, runtime))?;
    // Orderly ends take seconds and are not measured.
    std::io::stdout().flush()?;
    std::process::exit(0)
}

struct Shared {
    producer: DefaultMQProducer,
    body: Vec<u8>,
    room: Semaphore,
    is_over: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Shared {
    fn message(&self) -> Message {
        MessageBuilder::new().topic("bench-0").body_slice(&self.body).build_unchecked()
    }

    async fn send(&self) -> bool {
        let _turn = self.room.acquire().await;
        let sent = self.producer.send(self.message()).await;
        let stored =
            matches!(&sent, Ok(Some(receipt)) if receipt.send_status == SendStatus::SendOk);
        match &sent {
            Err(error) if !stored && self.failed.load(Relaxed) == 0 => {
                eprintln!("a send failed: {error}");
            }
            _ => {}
        }
        (if stored { &self.done } else { &self.failed }).fetch_add(1, Relaxed);
        stored
    }
}

async fn run(
    started: Instant,
    words: Vec<String>,
    runtime: Arc<ClientRuntime>,
) -> Result<(), Box<dyn Error>> {
    let number = |n: usize| words[n].parse::<u64>().expect("a number");
    let (mode, many) = (words[1].as_str(), number(2));
    let (warm, measured) = (Duration::from_millis(number(4)), Duration::from_millis(number(5)));
    let mut config = ClientConfig::default();
    let is_best = words.get(6).is_some_and(|word| word == "best");
    config.set_send_latency_enable(is_best);
    config.set_start_detector_enable(is_best);
    let mut builder = DefaultMQProducer::builder(runtime)
        .client_config(config)
        .producer_group("bench")
        .name_server_addr(words[0].as_str());
    match (mode, is_best) {
        ("rate", false) => {}
        ("rate", true) => {
            builder = builder.retry_times_when_send_failed(5);
            builder = builder.send_msg_max_timeout_per_request(500);
        }
        _ => builder = builder.send_msg_timeout(10_000),
    }
    let mut producer = builder.build();
    producer.start().await?;
    let at_a_time = if mode == "tasks" { usize::MAX >> 4 } else { AT_A_TIME };
    let shared = Arc::new(Shared {
        producer,
        body: vec![b'x'; number(3) as usize],
        room: Semaphore::new(at_a_time),
        is_over: AtomicBool::new(false),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    if !shared.send().await {
        return Err("the first send failed".into());
    }
    println!("first");
    let first_ms = started.elapsed().as_secs_f64() * 1e3;
    match mode {
        "rate" => at_a_rate(&shared, many, warm, measured, first_ms).await,
        _ => as_many(&shared, many, warm, measured, first_ms).await,
    }
    Ok(())
}

/// So many tasks, each of which sends when its last send ended.
async fn as_many(
    shared: &Arc<Shared>,
    many: u64,
    warm: Duration,
    measured: Duration,
    first_ms: f64,
) {
    let timed = if many == 1 { 1 } else { TIMED };
    let tasks: Vec<_> =
        (0..many).map(|_| tokio::spawn(again_and_again(shared.clone(), timed))).collect();
    tokio::time::sleep(warm).await;
    let mark = Mark::now(shared);
    tokio::time::sleep(measured).await;
    let sample = mark.until_now(shared);
    shared.is_over.store(true, Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        let of_task: Vec<(Instant, u32)> = task.await.unwrap_or_default();
        let in_time = of_task.into_iter().filter(|(start, _)| *start >= mark.at);
        latencies.extend(in_time.map(|(_, micros)| micros));
    }
    print(&sample, latencies, first_ms);
}

async fn again_and_again(shared: Arc<Shared>, timed: u64) -> Vec<(Instant, u32)> {
    let mut latencies = Vec::new();
    for n in 0_u64.. {
        if shared.is_over.load(Relaxed) {
            break;
        }
        let start = Instant::now();
        if shared.send().await && n % timed == 0 {
            latencies.push((start, start.elapsed().as_nanos() as u32));
        }
    }
    latencies
}

/// So many a second, whatever became of those before. Prints `begun`, then how each ended:
/// microseconds from the beginning at which it was due, how long it took, and 1 if it was stored.
async fn at_a_rate(
    shared: &Arc<Shared>,
    rate: u64,
    warm: Duration,
    measured: Duration,
    first_ms: f64,
) {
    let ends = Arc::new(Mutex::new(BTreeMap::<u64, (u64, bool)>::new()));
    let (handle, origin) = (tokio::runtime::Handle::current(), Instant::now() + warm);
    let (due, all) = (
        move |n: u64| origin - warm + Duration::from_nanos(n * 1_000_000_000 / rate),
        (warm + measured).as_millis() as u64 * rate / 1_000,
    );
    // A timer of a runtime is a millisecond late; a thread's sleep is not.
    let pacing = {
        let (shared, ends) = (shared.clone(), ends.clone());
        std::thread::spawn(move || {
            for n in 0..all {
                let at = due(n);
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                let (shared, ends) = (shared.clone(), ends.clone());
                handle.spawn(async move {
                    let stored = shared.send().await;
                    ends.lock().unwrap().insert(n, (at.elapsed().as_micros() as u64, stored));
                });
            }
        })
    };
    tokio::time::sleep_until(origin.into()).await;
    println!("begun");
    let mark = Mark::now(shared);
    tokio::time::sleep(measured).await;
    let sample = mark.until_now(shared);
    let patience = Instant::now() + Duration::from_secs(15);
    while Instant::now() < patience && (ends.lock().unwrap().len() as u64) < all {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pacing.join().unwrap();
    let ends = ends.lock().unwrap();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut latencies = Vec::new();
    for n in (0..all).filter(|n| due(*n) >= origin) {
        let start = (due(n) - origin).as_micros();
        let (took, stored) = ends.get(&n).copied().unwrap_or((u64::MAX >> 20, false));
        latencies.extend(stored.then_some(took.min(4_000_000) as u32 * 1_000));
        writeln!(out, "{start} {took} {}", u8::from(stored)).unwrap();
    }
    drop(out);
    print(&sample, latencies, first_ms);
}

struct Mark {
    at: Instant,
    cpu: f64,
    done: u64,
}

impl Mark {
    fn now(shared: &Shared) -> Self {
        Self { at: Instant::now(), cpu: cpu_seconds(), done: shared.done.load(Relaxed) }
    }

    fn until_now(&self, shared: &Shared) -> String {
        let (seconds, cpu) = (self.at.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        let (done, failed) = (shared.done.load(Relaxed) - self.done, shared.failed.load(Relaxed));
        format!(
            r#""messages":{done},"failed":{failed},"seconds":{seconds},"cpu_seconds":{cpu},"resident_kib":{},"threads":{}"#,
            status("VmRSS:"),
            status("Threads:"),
        )
    }
}

fn print(sample: &str, mut latencies: Vec<u32>, first_ms: f64) {
    latencies.sort_unstable();
    let at = |of: f64| {
        let last = latencies.len().saturating_sub(1) as f64;
        f64::from(latencies.get((last * of) as usize).copied().unwrap_or(0)) / 1e3
    };
    let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
    println!(
        r#"{{{sample},"p50_us":{p50},"p99_us":{p99},"p999_us":{p999},"first_ms":{first_ms}}}"#
    );
}

/// Time on processors of all threads.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks.filter_map(of).sum::<u64>() as f64 / 1e9
}

fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line));
    found.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
