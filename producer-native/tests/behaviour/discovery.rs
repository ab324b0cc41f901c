//! Name servers that are searched for, and changed while the producer is in use.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Cluster, Memory, message, until};
use producer_native::{
    Address, AddressServer, BuildError, Builder, Connecting, Discovery, ErrorKind, Finding,
    Outcome, Producer, Stream, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// What a search brings.
#[derive(Clone)]
enum Brings {
    Servers(&'static str),
    Nothing(&'static str),
    NoEnd,
    Panic,
}
use Brings::{NoEnd, Nothing, Panic, Servers};

/// Brings one thing after the other, the last one again and again.
#[derive(Clone)]
struct Script {
    brings: Arc<Mutex<VecDeque<Brings>>>,
    searches: Arc<AtomicUsize>,
}

impl Script {
    fn new<const N: usize>(brings: [Brings; N]) -> Self {
        Self { brings: Arc::new(Mutex::new(brings.into())), searches: Arc::default() }
    }

    fn searches(&self) -> usize {
        self.searches.load(SeqCst)
    }
}

impl Discovery for Script {
    fn find<'a>(&'a self, _: &'a dyn Transport) -> Finding<'a> {
        self.searches.fetch_add(1, SeqCst);
        let mut brings = self.brings.lock().unwrap();
        let next = if brings.len() > 1 { brings.pop_front() } else { brings.front().cloned() };
        Box::pin(async move {
            match next.unwrap() {
                Servers(list) => Ok(Address::list(list).unwrap_or_default()),
                Nothing(why) => Err(why.to_owned()),
                NoEnd => std::future::pending().await,
                Panic => panic!("on purpose"),
            }
        })
    }

    fn every(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn describe(&self) -> String {
        "the script".to_owned()
    }
}

/// Lets time pass, in which all timers go off.
async fn pass(time: Duration) {
    let forever = std::future::pending::<()>();
    tokio::time::timeout(time, forever).await.unwrap_err();
}

/// The name server is `peer-0:1`.
fn builder(cluster: &Cluster, script: &Script) -> Builder {
    Producer::builder("test").transport(cluster.transport()).discover(script.clone())
}

#[tokio::test(start_paused = true)]
async fn the_first_send_waits_until_a_name_server_is_found() {
    let cluster = Cluster::memory(1);
    let script = Script::new([Nothing("not yet"), Servers(""), Servers("peer-0:1")]);
    let producer = builder(&cluster, &script).build().unwrap();
    assert_eq!(script.searches(), 0, "nothing happens before the first use");
    let begun = Instant::now();

    producer.send(message("a")).await.unwrap();

    // 250 ms after the first failure, 500 ms after the second.
    assert_eq!((script.searches(), begun.elapsed().as_millis() / 10), (3, 75));
    pass(Duration::from_secs(119)).await;
    assert_eq!(script.searches(), 3, "what is found is good for two minutes");
    pass(Duration::from_secs(2)).await;
    assert_eq!(script.searches(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_search_that_finds_nothing_is_said_in_the_error() {
    for (brings, words) in [
        (Nothing("status 404"), "the script: status 404"),
        (Servers(""), "the script: none found"),
        (NoEnd, "the script: no answer yet"),
        (Panic, "the search for name servers panicked"),
    ] {
        let cluster = Cluster::memory(1);
        let producer = builder(&cluster, &Script::new([brings])).build().unwrap();

        let error = producer.send(message("a")).await.unwrap_err();

        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(matches!(error.kind(), ErrorKind::NameServersUnreachable { .. }));
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_fails_takes_nothing_away() {
    let cluster = Cluster::memory(1);
    let script = Script::new([Servers("peer-0:1"), Nothing("gone"), Servers(""), NoEnd]);
    let producer = builder(&cluster, &script).build().unwrap();
    producer.send(message("a")).await.unwrap();

    for _ in 0..40 {
        pass(Duration::from_secs(10)).await;
        producer.send(message("b")).await.unwrap();
    }
    let route = producer.route(&"topic".try_into().unwrap()).await;

    assert!(route.is_ok());
    assert!(script.searches() >= 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_serves_until_something_is_found() {
    let cluster = Cluster::memory(1);
    let script = Script::new([NoEnd]);
    let producer = builder(&cluster, &script).name_servers("peer-0:1").build().unwrap();

    producer.send(message("a")).await.unwrap();

    assert_eq!(script.searches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_search_ends_with_the_producer() {
    let before = Handle::current().metrics().num_alive_tasks();
    for brings in [Servers("peer-0:1"), NoEnd, Nothing("gone")] {
        for closes in [true, false] {
            let cluster = Cluster::memory(1);
            let script = Script::new([brings.clone()]);
            let producer = builder(&cluster, &script).build().unwrap();
            let sent = producer.send(message("a")).await;
            assert_eq!(sent.is_ok(), matches!(brings, Servers(_)));

            if closes {
                producer.close(Duration::from_secs(1)).await;
            }
            drop(producer);

            pass(Duration::from_secs(2)).await;
            until(|| Handle::current().metrics().num_alive_tasks() == before).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn name_servers_can_be_told_while_sends_wait() {
    let cluster = Cluster::memory(2);
    let script = Script::new([Servers("nobody:1")]);
    let producer = builder(&cluster, &script).build().unwrap();
    let tickets = producer.enqueue_all((0..100).map(|n| message(n.to_string())));
    pass(Duration::from_secs(1)).await;

    producer.set_name_servers("peer-0:1").unwrap();

    let begun = Instant::now();
    assert!(tickets.all().await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(cluster.stored(), 100);
    pass(Duration::from_secs(600)).await;
    producer.send(message("a")).await.unwrap();
    assert_eq!(script.searches(), 1, "the search is over");
}

#[tokio::test(start_paused = true)]
async fn a_bad_list_changes_nothing() {
    let cluster = Cluster::memory(1);
    let producer = cluster.builder().build().unwrap();

    for bad in ["", ";", "a", "peer-0:1;b"] {
        assert!(producer.set_name_servers(bad).is_err(), "{bad}");
    }

    producer.send(message("a")).await.unwrap();
    producer.set_name_servers("http://MQ_INST_x/peer-0:1").unwrap();
}

/// Brokers and name servers in memory, and an HTTP server that names the latter.
struct WithHttp {
    memory: Memory,
    asked: Arc<AtomicUsize>,
}

impl Transport for WithHttp {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        if address.as_str() != "addresses:8080" {
            return self.memory.connect(address, deadline);
        }
        self.asked.fetch_add(1, SeqCst);
        Box::pin(async {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let mut request = [0; 20];
                theirs.read_exact(&mut request).await.unwrap();
                theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\npeer-0:1\n").await.unwrap();
            });
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_server_is_asked_every_two_minutes() {
    let cluster = Cluster::memory(1);
    let asked = Arc::new(AtomicUsize::new(0));
    let transport = WithHttp { memory: cluster.transport(), asked: asked.clone() };
    let producer = Producer::builder("test")
        .transport(transport)
        .discover(AddressServer::new("addresses").unwrap())
        .build()
        .unwrap();

    producer.send(message("a")).await.unwrap();
    pass(Duration::from_secs(359)).await;

    assert_eq!(asked.load(SeqCst), 3);
}

#[tokio::test]
async fn without_name_servers_and_a_search_there_is_no_producer() {
    assert_eq!(Producer::builder("test").build().unwrap_err(), BuildError::NoNameServers);
}
