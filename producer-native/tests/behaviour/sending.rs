//! What sending promises, on real sockets of the loopback interface.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::common::{Cluster, Reaction, message, soon, until};
use producer_native::{
    Bytes, ErrorKind, Outcome, Producer, QueueChoice, SendOptions, TopicName, TrySendError,
};

fn shared_by_tasks<T: Clone + Send + Sync + 'static>() {}

#[test]
fn a_producer_is_shared_by_cloning_and_futures_may_move_between_threads() {
    fn moves<T: Send>(_: &T) {}
    shared_by_tasks::<Producer>();
    #[allow(unreachable_code, reason = "only the types matter")]
    fn futures(producer: &Producer) {
        moves(&producer.send(message("a")));
        moves(&producer.close(Duration::ZERO));
        moves(&producer.flush());
        moves(&producer.prepare([]));
        moves(&producer.enqueue(message("a")));
    }
    let _ = futures;
}

#[tokio::test]
async fn a_message_is_stored_and_its_receipt_names_the_place() {
    let cluster = Cluster::tcp(1).await;
    let producer = cluster.producer();

    let receipt = soon(producer.send(message("hello"))).await.unwrap();

    assert_eq!(&*receipt.broker, "broker-0");
    assert_eq!(receipt.attempts, 1);
    assert_eq!(*cluster.brokers[0].stored.lock().unwrap(), [b"hello"]);
    assert_eq!(soon(producer.close(Duration::from_secs(1))).await.not_sent, 0);
    assert_eq!(cluster.brokers[0].good_byes.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_share_one_producer() {
    let cluster = Cluster::tcp(3).await;
    let producer = cluster.producer();

    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let producer = producer.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    producer.send(message(format!("{task}-{number}"))).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }

    assert_eq!(cluster.stored(), 6400);
    assert_eq!(cluster.name_server.routes_asked.load(SeqCst), 1, "one lookup for all");
    assert_eq!(cluster.open(), 4, "one connection a peer");
}

#[tokio::test]
async fn a_connection_reset_is_survived_by_another_attempt() {
    let cluster = Cluster::tcp(1).await;
    let mut first = true;
    cluster.brokers[0].react(move |_| match std::mem::take(&mut first) {
        true => Reaction::Reset,
        false => Reaction::Store,
    });

    let receipt = soon(cluster.producer().send(message("a"))).await.unwrap();

    assert_eq!(receipt.attempts, 2);
    assert!(receipt.maybe_duplicate, "the first one had left");
}

#[tokio::test]
async fn a_broker_that_nobody_listens_at_is_avoided() {
    let cluster = Cluster::tcp(1).await;
    let dead = "127.0.0.1:1";
    let real = cluster.producer().route(&TopicName::new("topic").unwrap()).await.unwrap();
    let real = real.brokers[0].advertised.clone().unwrap();
    let producer = cluster.builder().map_address(real.as_str(), dead).build().unwrap();

    let options = SendOptions::default().timeout(Duration::from_millis(300));
    let error = soon(producer.send_with(message("a"), options)).await.unwrap_err();

    assert_eq!(error.outcome(), Outcome::NotSent);
    let attempt = &error.attempts()[0];
    assert_eq!(attempt.dialled.as_ref().unwrap().as_str(), dead);
    assert_eq!(attempt.kind, ErrorKind::Connect(producer_native::ConnectionEnd::Refused));
}

#[tokio::test]
async fn one_late_answer_among_a_thousand_delays_no_other() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|body| match body {
        b"500" => Reaction::Hold,
        _ => Reaction::Store,
    });
    let producer = cluster.producer();

    let mut tickets: Vec<_> =
        (0..1000).map(|number| producer.enqueue(message(number.to_string()))).collect();
    let late = tickets.remove(500);
    for ticket in tickets {
        soon(ticket).await.unwrap();
    }

    assert_eq!(producer.stats().requests_in_flight, 1);
    cluster.brokers[0].release();
    soon(late).await.unwrap();
}

#[tokio::test]
async fn when_the_peer_closes_everything_pending_ends_at_once() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Silence);
    let producer = cluster.builder().configure(|config| {
        config.on_unknown = producer_native::OnUnknown::Stop;
    });
    let producer = producer.build().unwrap();
    let tickets = producer.enqueue_all((0..500).map(|number| message(number.to_string())));
    until(|| cluster.brokers[0].stored() == 500).await;

    cluster.brokers[0].kick();
    let results = soon(tickets.all()).await;

    assert_eq!(results.len(), 500);
    for result in results {
        assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
    }
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_reports_each() {
    let cluster = Cluster::tcp(1).await;
    let producer = cluster.producer();
    let bodies = (0..3000).map(|number| format!("{number}"));

    let results = soon(producer.send_all(bodies.clone().map(message))).await;

    assert!(results.iter().all(Result::is_ok));
    let stored = cluster.brokers[0].stored.lock().unwrap();
    assert!(stored.iter().map(Vec::as_slice).eq(bodies.map(String::into_bytes)));
}

#[tokio::test]
async fn a_one_way_send_is_handed_over_and_arrives() {
    let cluster = Cluster::tcp(1).await;
    let producer = cluster.producer();

    soon(producer.send_oneway(message("a"))).await.unwrap();

    until(|| cluster.stored() == 1).await;
    assert_eq!(producer.stats().written, 1);
}

#[tokio::test]
async fn try_send_gives_back_what_there_is_no_room_for() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Hold);
    let producer = cluster.builder().configure(|config| config.sends_max = 2).build().unwrap();
    let first = producer.try_send(message("1")).unwrap();
    let _second = producer.try_send(message("2")).unwrap();

    let refused = producer.try_send(message("3")).unwrap_err();

    assert_eq!(refused, TrySendError::Full(message("3")));
    until(|| cluster.brokers[0].held() == 2).await;
    cluster.brokers[0].release();
    soon(first).await.unwrap();
    let _third = producer.try_send(refused.into_message()).unwrap();
    producer.close(Duration::ZERO).await;
    assert!(matches!(producer.try_send(message("4")), Err(TrySendError::Closed(_))));
}

#[tokio::test]
async fn routes_are_shown_and_prepared() {
    let cluster = Cluster::tcp(2).await;
    let producer = cluster.producer();
    let topic = TopicName::new("topic").unwrap();

    soon(producer.prepare([topic.clone()])).await.unwrap();
    until(|| cluster.open() == 3).await;

    let route = soon(producer.route(&topic)).await.unwrap();
    assert_eq!((route.queues.len(), route.brokers.len()), (8, 2));
    let absent = TopicName::new("absent").unwrap();
    let error = soon(producer.route(&absent)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TopicNotFound);
    assert!(soon(producer.prepare([topic, absent])).await.is_err());
}

#[tokio::test]
async fn a_selector_that_panics_costs_its_own_send_only() {
    let cluster = Cluster::tcp(1).await;
    let producer = cluster.producer();
    let choose = |queue| SendOptions::default().queue(queue);

    let options = choose(QueueChoice::select(|_, _| panic!("on purpose")));
    let error = soon(producer.send_with(message("a"), options)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::SelectorFailed);

    let options = choose(QueueChoice::select(|queues, _| Some(queues.len() - 1)));
    let receipt = soon(producer.send_with(message("a"), options)).await.unwrap();
    assert_eq!(receipt.queue_id, 3);
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let cluster = Cluster::tcp(1).await;
    let body = Bytes::from(vec![7; 4 << 20]);
    let big = producer_native::Message::new("topic", body.clone()).unwrap();

    soon(cluster.producer().send(big)).await.unwrap();

    assert_eq!(cluster.brokers[0].stored.lock().unwrap()[0], body);
}
