//! Every way in which a producer ends accounts for everything and leaves nothing behind.

use std::time::Duration;

use crate::common::{Cluster, Reaction, message, soon, until};
use producer_native::{CloseReport, ErrorKind, Outcome};
use tokio::runtime::Handle;

#[tokio::test]
async fn close_waits_for_what_is_in_hand_and_accounts_for_it() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Hold);
    let producer = cluster.producer();
    let tickets = producer.enqueue_all((0..100).map(|number| message(number.to_string())));
    until(|| cluster.brokers[0].held() == 100).await;

    let (first, second) = (producer.clone(), producer.clone());
    let first = tokio::spawn(async move { first.close(Duration::from_secs(60)).await });
    let second = tokio::spawn(async move { second.close(Duration::from_secs(60)).await });
    until(|| producer.try_send(message("late")).is_err()).await;
    cluster.brokers[0].release();

    let report = soon(first).await.unwrap();
    assert_eq!((report.stored, report.not_sent, report.unknown), (100, 0, 0));
    assert_eq!(soon(second).await.unwrap(), report, "both get the same");
    assert_eq!(soon(producer.close(Duration::ZERO)).await, report, "and so does a third");
    assert!(soon(tickets.all()).await.iter().all(Result::is_ok));
    let late = soon(producer.send(message("late"))).await.unwrap_err();
    assert_eq!((late.kind(), late.outcome()), (&ErrorKind::Closed, Outcome::NotSent));
}

#[tokio::test]
async fn a_close_that_runs_out_of_time_names_what_is_unknown() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Silence);
    let producer = cluster.producer();
    let ticket = producer.enqueue(message("a"));
    until(|| cluster.stored() == 1).await;
    let id = ticket.message_id().unwrap();

    let report = soon(producer.close(Duration::ZERO)).await;

    let mut expected = CloseReport::default();
    expected.unknown = 1;
    expected.unknown_ids = vec![id];
    assert_eq!(report, expected);
    assert_eq!(soon(ticket).await.unwrap_err().outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn flush_waits_for_what_came_before_it() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Hold);
    let producer = cluster.producer();
    soon(producer.flush()).await;
    producer.enqueue(message("before")).detach();
    until(|| cluster.brokers[0].held() == 1).await;

    let flushing = tokio::spawn({
        let producer = producer.clone();
        async move { producer.flush().await }
    });
    tokio::task::yield_now().await;
    let _after = producer.enqueue(message("after"));
    assert!(!flushing.is_finished());
    cluster.brokers[0].release();

    soon(flushing).await.unwrap();
    assert!(producer.stats().stored >= 1);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_sends_connections_and_tasks() {
    let cluster = Cluster::tcp(1).await;
    cluster.brokers[0].react(|_| Reaction::Silence);
    let producer = cluster.producer();
    let ticket = producer.enqueue(message("a"));
    until(|| cluster.stored() == 1).await;

    drop(producer.clone());
    assert_eq!(producer.stats().in_hand, 1, "a clone is not the last");
    drop(producer);

    let error = soon(ticket).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Closed, Outcome::Unknown));
    until(|| cluster.open() == 0).await;
}

#[tokio::test]
async fn a_thousand_lives_leave_no_task_and_no_socket() {
    let cluster = Cluster::tcp(1).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    for round in 0..1000 {
        let producer = cluster.builder().seed(round).build().unwrap();
        soon(producer.send(message("a"))).await.unwrap();
        match round % 3 {
            0 => drop(producer),
            1 => drop(producer.enqueue(message("b"))),
            _ => drop(soon(producer.close(Duration::from_secs(1))).await),
        }
    }

    until(|| cluster.open() == 0 && tasks() == before).await;
    assert!(cluster.stored() >= 1000);
}

#[test]
fn when_the_runtime_is_dropped_everything_ends() {
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let cluster = elsewhere.block_on(Cluster::tcp(1));
    cluster.brokers[0].react(|_| Reaction::Silence);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let producer = cluster.builder().runtime(runtime.handle().clone()).build().unwrap();
    let tickets = producer.enqueue_all((0..50).map(|number| message(number.to_string())));
    elsewhere.block_on(until(|| cluster.stored() == 50));

    drop(runtime);

    elsewhere.block_on(async {
        for result in soon(tickets.all()).await {
            assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
        }
        let late = soon(producer.send(message("late"))).await.unwrap_err();
        assert_eq!(late.kind(), &ErrorKind::Closed);
        assert_eq!(soon(producer.close(Duration::from_secs(60))).await.unknown, 50);
        until(|| cluster.open() == 0).await;
    });
}

#[test]
fn a_runtime_that_is_gone_before_the_first_send_refuses_it() {
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let cluster = elsewhere.block_on(Cluster::tcp(1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let producer = cluster.builder().runtime(runtime.handle().clone()).build().unwrap();
    drop(runtime);

    let error = elsewhere.block_on(soon(producer.send(message("a")))).unwrap_err();

    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Closed, Outcome::NotSent));
}
