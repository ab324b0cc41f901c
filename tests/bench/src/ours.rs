//! Our producer, complete: retries, fault strategy, lanes and hooks are compiled in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use producer_native::{AutoBatch, Message, Producer, Ticket, Tickets};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::count::CountedTcp;
use crate::load::{Client, Load};
use crate::sample::{Mark, Sample};

/// What bodies are cut from.
pub(crate) static BODY: [u8; 1 << 20] = [b'x'; 1 << 20];
/// Of so many sends one is timed; with one in flight every one.
const TIMED: u64 = 16;

pub(crate) fn run(load: &Load) -> Sample {
    runtime(load).block_on(measure(load))
}

fn runtime(load: &Load) -> Runtime {
    let mut builder = match load.workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(load.workers).enable_all().build().unwrap()
}

/// What all tasks share.
struct Shared {
    producer: Producer,
    messages: Vec<Message>,
    is_over: AtomicBool,
    failed: AtomicU64,
    /// By task, so that they do not wait for each other.
    done: Vec<AtomicU64>,
}

impl Shared {
    fn message(&self, n: u64) -> Message {
        self.messages[n as usize % self.messages.len()].clone()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    fn done(&self) -> u64 {
        self.done.iter().map(|of| of.load(Relaxed)).sum()
    }

    fn count<E: std::fmt::Display>(&self, task: usize, result: Result<(), E>) {
        let of = if let Err(error) = result {
            if self.failed.load(Relaxed) == 0 {
                eprintln!("a send failed: {error}");
            }
            &self.failed
        } else {
            &self.done[task]
        };
        of.fetch_add(1, Relaxed);
    }
}

async fn measure(load: &Load) -> Sample {
    let started = Instant::now();
    let mut builder = Producer::builder("bench").name_servers(&load.addresses[0]);
    builder = builder.header(load.header()).configure(|config| config.topics_max = 20_000);
    if load.client == Client::Shared {
        builder = builder.auto_batch(AutoBatch::default());
    }
    if load.counted {
        builder = builder.transport(CountedTcp);
    }
    let body = |n| Message::new(format!("bench-{n}"), &BODY[..load.body]).unwrap();
    let messages: Vec<Message> = (0..load.topics).map(body).collect();
    let tasks = match load.client {
        Client::Tickets | Client::Batches => 1,
        _ => load.in_flight,
    };
    let shared = Arc::new(Shared {
        producer: builder.build().unwrap(),
        messages,
        is_over: AtomicBool::new(false),
        failed: AtomicU64::new(0),
        done: (0..tasks).map(|_| AtomicU64::new(0)).collect(),
    });
    shared.producer.send(shared.message(0)).await.unwrap();
    let first_ms = started.elapsed().as_secs_f64() * 1e3;
    shared.producer.prepare(shared.messages.iter().map(|it| it.topic().clone())).await.unwrap();

    let mut all = JoinSet::new();
    for task in 0..tasks {
        all.spawn(work(shared.clone(), load.clone(), task));
    }
    tokio::time::sleep(Duration::from_millis(load.warm_ms)).await;
    let mark = Mark::now(shared.done());
    tokio::time::sleep(Duration::from_millis(load.measure_ms)).await;
    let sample = mark.until_now(shared.done(), Vec::new());
    shared.is_over.store(true, Relaxed);
    // Those of warming up are among them: a few milliseconds of many.
    let latencies: Vec<u32> = all.join_all().await.into_iter().flatten().collect();
    let timed = mark.until_now(shared.done(), latencies);
    Sample {
        p50_us: timed.p50_us,
        p99_us: timed.p99_us,
        p999_us: timed.p999_us,
        messages_all: timed.messages_all,
        failed: shared.failed.load(Relaxed),
        first_ms,
        ..sample
    }
}

async fn work(shared: Arc<Shared>, load: Load, task: usize) -> Vec<u32> {
    match load.client {
        Client::Tickets => tickets(&shared, load.in_flight).await,
        Client::Batches => batches(&shared, load.in_flight).await,
        Client::Oneway => oneway(&shared, task).await,
        _ => awaited(&shared, &load, task).await,
    }
}

async fn awaited(shared: &Shared, load: &Load, task: usize) -> Vec<u32> {
    let mut latencies = Vec::with_capacity((1 << 20) / load.in_flight);
    let timed = if load.in_flight == 1 { 1 } else { TIMED };
    for n in task as u64.. {
        if shared.is_over() {
            break;
        }
        let start = (n % timed == 0).then(Instant::now);
        let result = shared.producer.send(shared.message(n)).await;
        record(&mut latencies, start);
        shared.count(task, result.map(drop));
    }
    latencies
}

async fn tickets(shared: &Shared, in_flight: usize) -> Vec<u32> {
    let mut latencies = Vec::with_capacity(1 << 20);
    let mut under_way: VecDeque<(Ticket, _)> = VecDeque::with_capacity(in_flight);
    for n in 0_u64.. {
        if shared.is_over() {
            break;
        }
        if under_way.len() == in_flight
            && let Some((ticket, start)) = under_way.pop_front()
        {
            let result = ticket.await;
            record(&mut latencies, start);
            shared.count(0, result.map(drop));
        }
        let start = (n % TIMED == 0).then(Instant::now);
        under_way.push_back((shared.producer.enqueue(shared.message(n)), start));
    }
    latencies
}

fn record(latencies: &mut Vec<u32>, start: Option<Instant>) {
    if let Some(start) = start
        && latencies.len() < latencies.capacity()
    {
        latencies.push(start.elapsed().as_nanos() as u32);
    }
}

/// A quarter of the window at a time, so that some are always under way.
async fn batches(shared: &Shared, in_flight: usize) -> Vec<u32> {
    let many = (in_flight / 4).max(1);
    let mut latencies = Vec::with_capacity(1 << 20);
    let mut under_way: VecDeque<(Tickets, _)> = VecDeque::new();
    for n in 0_u64.. {
        if shared.is_over() {
            break;
        }
        if under_way.len() * many >= in_flight
            && let Some((mut tickets, start)) = under_way.pop_front()
        {
            while let Some(result) = tickets.next().await {
                shared.count(0, result.map(drop));
            }
            record(&mut latencies, start);
        }
        let start = Some(Instant::now());
        let messages = (0..many as u64).map(|k| shared.message(n * many as u64 + k));
        under_way.push_back((shared.producer.enqueue_all(messages), start));
    }
    latencies
}

/// They end when they were written.
async fn oneway(shared: &Shared, task: usize) -> Vec<u32> {
    for n in task as u64.. {
        if shared.is_over() {
            break;
        }
        let result = shared.producer.send_oneway(shared.message(n)).await;
        shared.count(task, result.map(drop));
    }
    Vec::new()
}
