//! The producer for programs without async code.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::common::{Cluster, Reaction, message};
use producer_native::{
    Boundary, ErrorKind, Message, NewTopic, Producer, TopicName, Window, blocking,
};
use sim::serve::EmbeddedCluster;

/// A cluster that is served by a runtime of its own.
fn cluster() -> (Arc<Cluster>, tokio::runtime::Runtime) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
    let cluster = runtime.block_on(Cluster::tcp(1));
    (Arc::new(cluster), runtime)
}

fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came to pass");
        std::thread::yield_now();
    }
}

#[test]
fn threads_share_a_blocking_producer() {
    let (cluster, _runtime) = cluster();
    let producer = cluster.builder().build_blocking().unwrap();
    producer.prepare([TopicName::new("topic").unwrap()]).unwrap();

    std::thread::scope(|scope| {
        for thread in 0..4 {
            let producer = producer.clone();
            scope.spawn(move || {
                for number in 0..50 {
                    producer.send(message(format!("{thread}-{number}"))).unwrap();
                }
            });
        }
    });
    let ticket = producer.enqueue(message("one more"));
    ticket.wait().unwrap();
    producer.send_oneway(message("one way")).unwrap();
    producer.enqueue(message("detached")).detach();
    producer.flush();

    let report = producer.close(Duration::from_secs(5));

    assert_eq!(report.unknown, 0);
    until(|| cluster.stored() == 203);
    assert_eq!(producer.send(message("late")).unwrap_err().kind(), &ErrorKind::Closed);
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let (cluster, _runtime) = cluster();
    let producer = cluster.builder().build_blocking().unwrap();
    producer.send(message("a")).unwrap();
    assert_eq!(cluster.open(), 2);

    drop(producer);

    until(|| cluster.open() == 0);
    assert_eq!(cluster.brokers[0].good_byes.load(SeqCst), 1, "it said good-bye");
}

#[test]
fn a_ticket_ends_when_the_last_handle_is_dropped() {
    let (cluster, _runtime) = cluster();
    cluster.brokers[0].react(|_| Reaction::Silence);
    let producer = cluster.builder().build_blocking().unwrap();
    let ticket = producer.enqueue(message("a"));
    until(|| cluster.stored() == 1);

    drop(producer);

    assert_eq!(ticket.wait().unwrap_err().kind(), &ErrorKind::Closed);
}

#[test]
fn waiting_within_async_code_panics_rather_than_deadlocks() {
    let (cluster, runtime) = cluster();
    let producer = cluster.builder().build_blocking().unwrap();

    let used_within: Result<(), _> = runtime.block_on({
        let producer: blocking::Producer = producer.clone();
        async { tokio::spawn(async move { producer.flush() }).await }
    });
    let in_its_place = runtime.block_on({
        let producer = producer.clone();
        async { tokio::task::spawn_blocking(move || producer.send(message("a"))).await }
    });

    assert!(used_within.unwrap_err().is_panic());
    in_its_place.unwrap().unwrap();
}

#[test]
fn questions_and_recalls_need_no_async_code() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let cluster = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker.tune(|config| config.recall = true))
        .topic("orders", 1);
    let cluster = runtime.block_on(cluster.start()).unwrap();
    let producer = Producer::builder("blocking").name_servers(&cluster.name_servers());
    let producer = producer.build_blocking().unwrap();
    let (admin, orders) = (producer.admin(), TopicName::new("orders").unwrap());

    let queues = admin.publish_queues(&orders).unwrap();
    let order = Message::new("orders", "x").unwrap().keys(["k"]).unwrap();
    let receipt = producer.send(order).unwrap();
    assert_eq!(admin.max_offset(&orders, &queues[0]), Ok(1));
    assert_eq!(admin.min_offset(&orders, &queues[0]), Ok(0));
    let since = admin.earliest_store_time(&orders, &queues[0]).unwrap().unwrap();
    assert_eq!(admin.search_offset(&orders, &queues[0], since, Boundary::Lower), Ok(0));
    let seen = admin
        .timeout(Duration::from_secs(5))
        .view_message(&orders, &receipt.message_id.to_string());
    assert_eq!(seen.unwrap().body, b"x");
    let window = Window { max: 8, from_ms: 0, to_ms: i64::MAX as u64 };
    assert_eq!(admin.find_by_key(&orders, "k", window).unwrap().len(), 1);
    assert_eq!(admin.places(&orders).unwrap().queues, queues);
    let new = NewTopic::new(TopicName::new("new").unwrap(), 2);
    assert_eq!(admin.create_topic(&new).unwrap().brokers, ["broker-a"]);

    let later = Message::new("orders", "later").unwrap().delay(Duration::from_secs(60)).unwrap();
    let handle = producer.send(later).unwrap().recall_handle.unwrap();
    assert!(producer.recall(&orders, &handle).is_ok());
}
