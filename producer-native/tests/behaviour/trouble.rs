//! Peers, transports and applications that misbehave hurt themselves only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::common::{Cluster, Memory, message, soon, until};
use producer_native::{Address, Connecting, ErrorKind, Outcome, Stream, Transport};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

/// One address behaves in a way of its own, the others as usual.
struct Special {
    memory: Memory,
    address: &'static str,
    connect: fn(usize) -> Option<Connecting>,
    dials: AtomicUsize,
}

impl Transport for Special {
    fn connect(&self, address: &Address, deadline: tokio::time::Instant) -> Connecting {
        if address.as_str() == self.address
            && let Some(special) = (self.connect)(self.dials.fetch_add(1, SeqCst))
        {
            return special;
        }
        self.memory.connect(address, deadline)
    }
}

fn broker_that(cluster: &Cluster, connect: fn(usize) -> Option<Connecting>) -> Special {
    Special {
        memory: cluster.transport(),
        address: "peer-1:1",
        connect,
        dials: AtomicUsize::new(0),
    }
}

/// A stream that accepts a few bytes and no more, and from which nothing ever comes.
fn stuck() -> Connecting {
    Box::pin(async {
        let (ours, theirs) = tokio::io::duplex(16);
        tokio::spawn(async move {
            let _open = theirs;
            std::future::pending::<()>().await;
        });
        Ok(Box::new(ours) as Box<dyn Stream>)
    })
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_holds_nobody_up() {
    let cluster = Cluster::memory(2);
    let transport = broker_that(&cluster, |_| Some(stuck()));
    let producer = cluster.builder().transport(transport).build().unwrap();

    let results = producer.send_all((0..100).map(|number| message(number.to_string()))).await;

    assert!(results.iter().all(Result::is_ok), "the other broker took them");
    assert_eq!(cluster.brokers[1].stored(), 100);
}

/// As TLS does with a record that the socket did not take.
#[tokio::test(start_paused = true)]
async fn a_stream_that_keeps_what_is_written_is_flushed() {
    struct Keeping(Memory);
    impl Transport for Keeping {
        fn connect(&self, address: &Address, deadline: tokio::time::Instant) -> Connecting {
            let stream = self.0.connect(address, deadline);
            Box::pin(async move {
                let kept = tokio::io::BufWriter::with_capacity(1 << 16, stream.await?);
                Ok(Box::new(kept) as Box<dyn Stream>)
            })
        }
    }
    let cluster = Cluster::memory(1);
    let producer = cluster.builder().transport(Keeping(cluster.transport())).build().unwrap();

    producer.send(message("a")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_stuck_does_not_outlive_the_producer() {
    let before = Handle::current().metrics().num_alive_tasks();
    let cluster = Cluster::memory(1);
    let transport = broker_that(&cluster, |_| Some(stuck()));
    let producer = cluster.builder().transport(transport).build().unwrap();
    let ticket = producer.enqueue(message(vec![1; 1000]));
    let stuck_peer = 1;

    let report = producer.close(Duration::from_secs(1)).await;

    assert_eq!((report.unknown, report.unknown_ids.len()), (1, 1), "it may have left");
    assert_eq!(ticket.await.unwrap_err().outcome(), Outcome::Unknown);
    // The clock is paused: it moves on when nothing else is left to do.
    tokio::time::advance(Duration::from_secs(2)).await;
    until(|| Handle::current().metrics().num_alive_tasks() == before + stuck_peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_panics_costs_one_dial() {
    let cluster = Cluster::memory(1);
    let transport = broker_that(&cluster, |dial| {
        let panics: Connecting = Box::pin(async { panic!("on purpose") });
        (dial == 0).then_some(panics)
    });
    let producer = cluster.builder().transport(transport).build().unwrap();

    let receipt = producer.send(message("a")).await.unwrap();

    assert_eq!(receipt.attempts, 2);
    assert!(!receipt.maybe_duplicate);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_nonsense_costs_its_connection() {
    let cluster = Cluster::memory(1);
    let transport = broker_that(&cluster, |dial| {
        let nonsense: Connecting = Box::pin(async {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            theirs.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("room for it");
            tokio::spawn(async move {
                let _open = theirs;
                std::future::pending::<()>().await;
            });
            Ok(Box::new(ours) as Box<dyn Stream>)
        });
        (dial == 0).then_some(nonsense)
    });
    let producer = cluster.builder().transport(transport).build().unwrap();

    producer.send(message("a")).await.unwrap();

    assert_eq!(producer.stats().connection_failures, 1);
}

#[tokio::test]
async fn a_panic_with_the_door_held_wakes_those_who_wait() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| crate::common::Reaction::Silence);
    let reads = Arc::new(AtomicUsize::new(0));
    let broken = reads.clone();
    let builder = cluster.builder().wall_clock(move || {
        assert!(broken.load(SeqCst) == 0, "on purpose");
        1_700_000_000_000
    });
    let producer = builder.build().unwrap();
    let ticket = producer.enqueue(message("a"));
    let waiting = tokio::spawn(ticket);
    until(|| cluster.stored() == 1).await;

    // From now on the clock, which is read about once a second, panics.
    reads.store(1, SeqCst);
    let busy = tokio::spawn(async move {
        loop {
            drop(producer.enqueue(message("b")));
            tokio::task::yield_now().await;
        }
    });

    assert!(soon(waiting).await.unwrap_err().is_panic(), "rather than wait for ever");
    busy.abort();
}

#[tokio::test(start_paused = true)]
async fn all_name_servers_dead_is_said_so() {
    let cluster = Cluster::memory(1);
    let builder = cluster.builder().name_servers("nobody:1;nobody:2");
    let producer = builder.build().unwrap();

    let error = producer.send(message("a")).await.unwrap_err();

    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(matches!(error.kind(), ErrorKind::NameServersUnreachable { .. }), "{error}");
}
