//! Many at once: memory stays within the budget, writes are few, and nobody waits for a stranger.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use producer_native::{Address, Connecting, ErrorKind, Producer, Stream, Tcp, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{self, Runtime};

use crate::common::{Cluster, Memory, Reaction, message, soon, until};

/// Counts writes to the streams that another transport makes.
struct Counted<T> {
    transport: T,
    writes: Arc<AtomicUsize>,
}

impl<T: Transport> Transport for Counted<T> {
    fn connect(&self, address: &Address, deadline: tokio::time::Instant) -> Connecting {
        let connecting = self.transport.connect(address, deadline);
        let writes = self.writes.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            Ok(Box::new(CountedStream { stream, writes }) as Box<dyn Stream>)
        })
    }
}

struct CountedStream {
    stream: Box<dyn Stream>,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Writes a message when so many tasks send one message after the other.
async fn writes_per_message(
    producer: &Producer,
    writes: &AtomicUsize,
    tasks: usize,
    rounds: usize,
) -> f64 {
    soon(producer.send(message("first"))).await.expect("stored");
    let before = writes.load(SeqCst);
    let senders: Vec<_> = (0..tasks)
        .map(|_| {
            let producer = producer.clone();
            tokio::spawn(async move {
                for _ in 0..rounds {
                    producer.send(message("a")).await.expect("stored");
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("stored");
    }
    (writes.load(SeqCst) - before) as f64 / (tasks * rounds) as f64
}

/// How many are under way decides, not how fast the machine is: the broker answers in one write what
/// it has read in one. Alone a message is a write (`a_single_send_is_one_write`).
#[test]
fn tasks_that_send_together_share_writes() {
    let elsewhere = Runtime::new().unwrap();
    let cluster = elsewhere.block_on(Cluster::tcp(1));
    let workers = |count| {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(count).enable_all().build().unwrap()
    };
    let current = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, runtime, tasks, most) in [
        ("current thread", &current, 64, 0.05),
        ("current thread", &current, 1_024, 0.01),
        ("one worker", &workers(1), 64, 0.1),
        ("one worker", &workers(1), 1_024, 0.05),
        ("two workers", &workers(2), 64, 0.1),
    ] {
        let writes = Arc::new(AtomicUsize::new(0));
        let transport = Counted { transport: Tcp, writes: writes.clone() };
        let builder = cluster.builder().transport(transport).runtime(runtime.handle().clone());
        let producer = builder.build().unwrap();

        let rounds = 12_800 / tasks;
        let ratio = runtime.block_on(writes_per_message(&producer, &writes, tasks, rounds));

        println!("{name}, {tasks} tasks: {ratio:.4} writes a message");
        assert!(ratio <= most, "{name}, {tasks} tasks: {ratio:.4} writes a message");
    }
}

#[tokio::test]
async fn a_single_send_is_one_write() {
    let cluster = Cluster::tcp(1).await;
    let writes = Arc::new(AtomicUsize::new(0));
    let transport = Counted { transport: Tcp, writes: writes.clone() };
    let producer = cluster.builder().transport(transport).build().unwrap();
    soon(producer.send(message("first"))).await.unwrap();
    let before = writes.load(SeqCst);

    for _ in 0..100 {
        soon(producer.send(message("a"))).await.unwrap();
    }

    assert_eq!(writes.load(SeqCst) - before, 100);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_fills_the_budget_and_no_more() {
    const BYTES_MAX: usize = 8 << 20;
    let cluster = Cluster::memory(1);
    cluster.brokers[0].react(|_| Reaction::Silence);
    let builder = cluster.builder().configure(|config| {
        config.bytes_max = BYTES_MAX;
        config.sends_max = 5_000;
        config.waiting_max = 20_000;
    });
    let producer = builder.build().unwrap();
    let body = vec![1; 1024];

    let mut tickets = Vec::new();
    for _ in 0..100_000 {
        tickets.push(producer.enqueue(message(body.clone())));
        let stats = producer.stats();
        assert!(stats.bytes_in_hand <= BYTES_MAX);
        assert!(stats.in_hand <= 25_000);
        assert!(stats.out_bytes <= 2 * BYTES_MAX);
    }
    let mut full = 0;
    for ticket in tickets {
        full += usize::from(*ticket.await.unwrap_err().kind() == ErrorKind::Full);
    }

    assert!(full >= 75_000, "{full}");
    let stats = producer.stats();
    assert_eq!((stats.in_hand, stats.bytes_in_hand, stats.waiting_for_room), (0, 0, 0));
    assert_eq!(stats.accepted, stats.not_sent + stats.unknown);
    cluster.brokers[0].react(|_| Reaction::Store);
    producer.send(message("after")).await.unwrap();
}

/// Dials to one address hang for ever.
struct OneHangs {
    memory: Memory,
    hangs: &'static str,
}

impl Transport for OneHangs {
    fn connect(&self, address: &Address, deadline: tokio::time::Instant) -> Connecting {
        if address.as_str() == self.hangs {
            return Box::pin(std::future::pending());
        }
        self.memory.connect(address, deadline)
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_hangs_delays_no_other() {
    let cluster = Cluster::memory(3);
    let transport = OneHangs { memory: cluster.transport(), hangs: "peer-1:1" };
    let producer = cluster.builder().transport(transport).build().unwrap();

    let results = producer.send_all((0..300).map(|number| message(number.to_string()))).await;

    assert!(results.iter().all(Result::is_ok));
    let elsewhere = results.iter().flatten().filter(|receipt| receipt.attempts == 1);
    assert!(elsewhere.count() >= 200, "those of other brokers went at once");
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_hangs_ends_at_its_deadline() {
    let cluster = Cluster::memory(1);
    let transport = OneHangs { memory: cluster.transport(), hangs: "peer-1:1" };
    let producer = cluster.builder().transport(transport).build().unwrap();
    let start = tokio::time::Instant::now();

    let error = producer.send(message("a")).await.unwrap_err();

    assert_eq!(error.outcome(), producer_native::Outcome::NotSent);
    let elapsed = start.elapsed();
    assert!(elapsed <= Duration::from_millis(3_020), "{elapsed:?}");
    until(|| producer.stats().connections <= 2).await;
}
