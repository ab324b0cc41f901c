//! The examples do what they say, against the models.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "each example is a program of its own, with its own `main` and `support`"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use producer_native::CloseReport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::common::soon;

#[path = "../../examples/batch_loader.rs"]
mod batch_loader;
#[path = "../../examples/ordered.rs"]
mod ordered;
#[path = "../../examples/outbox.rs"]
mod outbox;
#[path = "../../examples/request_reply.rs"]
mod request_reply;
#[path = "../../examples/service.rs"]
mod service;

/// A file of this process that is not there yet.
fn no_file(name: &str) -> std::path::PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()))
}

/// The web service with room for one order at a time.
struct Service {
    cluster: service::support::Cluster,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<CloseReport>>,
}

impl Service {
    async fn start() -> Self {
        let cluster = service::support::Cluster::of_models("orders").await.unwrap();
        let producer = cluster
            .producer("service")
            .configure(|config| config.sends_max = 1)
            .send_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or(()) };
        let ended = tokio::spawn(service::serve(listener, producer, stopped));
        Self { cluster, address, stop, ended }
    }

    /// Posts an order; the status and the whole answer.
    async fn post(&self, header: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.to_lowercase())
    }

    fn freeze(&self, frozen: bool) {
        for broker in self.cluster.models.as_ref().unwrap().brokers() {
            if frozen { broker.pause() } else { broker.resume() }
        }
    }
}

#[tokio::test]
async fn the_service_says_what_became_of_an_order() {
    let service = Service::start().await;

    let (status, answer) = soon(service.post("", "two books")).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(soon(service.post("", "")).await.0, 400);
    assert_eq!(soon(service.post("Message-Id: 7\r\n", "a pen")).await.0, 400);

    service.freeze(true);
    // There is room for one: which of the two gets it is chance.
    let (one, other) =
        soon(async { tokio::join!(service.post("", "a pen"), service.post("", "a pen")) }).await;
    let (unanswered, refused) = if one.0 == 504 { (one, other) } else { (other, one) };
    assert_eq!((unanswered.0, refused.0), (504, 503), "{unanswered:?} {refused:?}");
    assert!(refused.1.contains("retry-after: 1"), "{refused:?}");
    service.freeze(false);

    let id = unanswered.1.lines().find(|line| line.starts_with("message-id: ")).unwrap();
    let (status, answer) = soon(service.post(&format!("{id}\r\n"), "a pen")).await;
    assert_eq!(status, 201, "{answer}");
    assert!(answer.contains(id), "{answer}");

    service.stop.send(()).unwrap();
    assert_eq!(soon(service.ended).await.unwrap().unwrap().unknown, 0);
}

#[tokio::test]
async fn the_outbox_shows_what_was_paid_and_nothing_else() {
    let cluster = outbox::support::Cluster::of_models("orders").await.unwrap();
    let file = no_file("outbox");

    soon(outbox::run(&cluster, &outbox::Store::at(&file))).await.unwrap();

    let mut seen = cluster.stored("orders");
    seen.sort();
    assert_eq!(seen, ["order-1 is paid", "order-3 is paid", "order-4 is paid"]);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn requests_get_their_replies() {
    let cluster = request_reply::support::Cluster::of_models("prices").await.unwrap();

    let prices = soon(request_reply::run(&cluster)).await.unwrap();

    assert_eq!(prices, [Some("two euros".to_owned()), Some("three euros".to_owned())]);
}

#[tokio::test]
async fn steps_stay_in_order_while_a_broker_is_away() {
    let cluster = ordered::support::Cluster::of_models("orders").await.unwrap();

    soon(ordered::run(&cluster)).await.unwrap();

    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for body in cluster.stored("orders") {
        let (order, step) = body.split_once(' ').unwrap();
        let steps = steps.entry(order.to_owned()).or_default();
        // A second copy of a step is known by its id, and consumers drop it.
        if !steps.iter().any(|known| known == step) {
            steps.push(step.to_owned());
        }
    }
    assert_eq!(steps.len(), 8);
    for (order, steps) in steps {
        assert_eq!(steps, ["placed", "paid", "packed", "shipped"], "{order}");
    }
}

#[test]
fn arguments_that_are_not_understood_are_refused() {
    use batch_loader::support::{Arguments, Usage};

    let parse = |text: &str| Arguments::parse(text.split_whitespace().map(str::to_owned), 1);
    let arguments = |name_server: Option<&str>, operands: &[&str]| {
        let operands = operands.iter().copied().map(str::to_owned).collect();
        Ok(Arguments { name_server: name_server.map(str::to_owned), operands })
    };
    let wrong = |what: &str| Err(Usage::Wrong(what.to_owned()));

    assert_eq!(parse(""), arguments(None, &[]));
    assert_eq!(parse("--name-server a:1 lines"), arguments(Some("a:1"), &["lines"]));
    assert_eq!(parse("lines --name-server a:1"), arguments(Some("a:1"), &["lines"]));
    assert_eq!(parse("lines --help"), Err(Usage::Asked));
    assert_eq!(parse("-h"), Err(Usage::Asked));
    assert_eq!(parse("--nameserver a:1"), wrong("there is no option --nameserver"));
    assert_eq!(parse("--name-server"), wrong("--name-server needs an address"));
    assert_eq!(parse("--name-server --help"), wrong("--name-server needs an address"));
    assert_eq!(parse("lines more"), wrong("more is one argument too many"));
}

#[test]
fn the_loader_goes_on_where_it_stopped() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = runtime.block_on(batch_loader::support::Cluster::of_models("lines")).unwrap();
    let producer = cluster.producer("loader").build_blocking().unwrap();
    let note = no_file("loader");
    let lines = |from: usize, to: usize| -> String {
        (from..=to).map(|number| format!("line {number}\n")).collect()
    };
    let load = |input: &str| {
        let mut most = 0;
        let show = |lines, _| most = lines;
        let done = batch_loader::load(&producer, input.as_bytes(), Some(&note), show);
        (done, most)
    };

    let (done, shown) = load(&lines(1, 2_500));
    assert_eq!((done.unwrap(), shown), (2_500, 2_500));
    // The file has grown meanwhile; what is stored is not sent again.
    assert_eq!(load(&lines(1, 2_600)).0.unwrap(), 2_600);
    assert_eq!(cluster.stored("lines").len(), 2_600);

    // Something ends it half-way: the next run sends the rest, and little again.
    let broken = lines(1, 4_000) + &"x".repeat(2 << 20) + "\n" + &lines(4_002, 5_000);
    let error = load(&broken).0.unwrap_err().to_string();
    assert!(error.contains("line 4001 is longer"), "{error}");
    assert_eq!(load(&lines(1, 5_000)).0.unwrap(), 5_000);
    let mut stored = cluster.stored("lines");
    let twice = stored.len();
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), 5_000);
    assert!(twice <= 5_000 + batch_loader::WINDOW + 1_000, "{twice}");
    std::fs::remove_file(note).unwrap();
}
