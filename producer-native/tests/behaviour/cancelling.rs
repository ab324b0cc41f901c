//! Dropping a send at any moment leaves the producer as if it had never been made, but for what
//! has left already. In memory and in paused time.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::common::{Cluster, Reaction, message, soon, until};
use producer_native::{Address, Connecting, Producer, Transport};

/// Polls at most `times`, letting other tasks run in between; the output if it became ready.
async fn polled<F: Future>(mut future: Pin<&mut F>, times: usize) -> Option<F::Output> {
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        cx.waker().wake_by_ref();
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

fn assert_nothing_in_hand(producer: &Producer) {
    let stats = producer.stats();
    assert_eq!((stats.in_hand, stats.bytes_in_hand, stats.waiting_for_room), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn dropping_after_any_number_of_polls_leaves_nothing_behind() {
    let mut completed = 0;
    for times in 0..40 {
        let cluster = Cluster::memory(2);
        let producer = cluster.builder().seed(times).build().unwrap();

        let result = {
            let mut send = pin!(producer.send(message("dropped")));
            polled(send.as_mut(), times as usize).await
        };
        assert_nothing_in_hand(&producer);
        let next = soon(producer.send(message("next"))).await;

        next.unwrap();
        completed += usize::from(result.is_some());
        let stats = producer.stats();
        let open = stats.requests_in_flight;
        assert_eq!((stats.stored + stats.cancelled, open), (stats.accepted, 0), "{times} polls");
        producer.close(Duration::from_secs(1)).await;
    }
    assert!((1..40).contains(&completed), "some end before and some after: {completed}");
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_before_its_first_byte_leaves_is_not_sent() {
    let cluster = Cluster::memory(1);
    let producer = cluster.producer();
    soon(producer.send(message("first"))).await.unwrap();

    // The connection's task has had no turn: nothing is taken yet.
    drop(producer.enqueue(message("dropped")));
    drop(producer.enqueue_all((0..10).map(|_| message("dropped"))));
    drop(producer.send(message("never polled")));
    soon(producer.send(message("last"))).await.unwrap();

    assert_eq!(*cluster.brokers[0].stored.lock().unwrap(), [b"first".to_vec(), b"last".to_vec()]);
    assert_nothing_in_hand(&producer);
    assert_eq!(producer.stats().cancelled, 11);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_later_goes_on_and_its_answer_is_late() {
    let cluster = Cluster::memory(1);
    cluster.brokers[0].react(|_| Reaction::Hold);
    let producer = cluster.producer();
    let ticket = producer.enqueue(message("a"));
    until(|| cluster.brokers[0].held() == 1).await;

    drop(ticket);
    assert_nothing_in_hand(&producer);
    cluster.brokers[0].release();

    until(|| producer.stats().late_responses == 1).await;
    assert_eq!(cluster.stored(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_gives_up_its_place() {
    let cluster = Cluster::memory(1);
    cluster.brokers[0].react(|_| Reaction::Hold);
    let producer = cluster.builder().configure(|config| config.sends_max = 1).build().unwrap();
    let first = producer.enqueue(message("first"));
    let second = producer.enqueue(message("second"));
    let third = producer.enqueue(message("third"));
    assert_eq!(producer.stats().waiting_for_room, 2);

    drop(second);
    until(|| cluster.brokers[0].held() == 1).await;
    cluster.brokers[0].release();
    first.await.unwrap();
    until(|| cluster.brokers[0].held() == 1).await;
    cluster.brokers[0].release();

    third.await.unwrap();
    assert_eq!(cluster.stored(), 2);
    assert_nothing_in_hand(&producer);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_dial_is_dropped_without_a_trace() {
    let cluster = Cluster::memory(1);
    let producer = cluster.builder().transport(NeverConnects).build().unwrap();
    let ticket = producer.enqueue(message("a"));
    tokio::task::yield_now().await;

    drop(ticket);

    assert_nothing_in_hand(&producer);
    let report = producer.close(Duration::from_secs(1)).await;
    assert_eq!(report, producer_native::CloseReport::default());
}

/// Every dial hangs.
struct NeverConnects;

impl Transport for NeverConnects {
    fn connect(&self, _: &Address, _: tokio::time::Instant) -> Connecting {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_is_detached_goes_on_with_retries() {
    let cluster = Cluster::memory(1);
    let mut first = true;
    cluster.brokers[0].react(move |_| match std::mem::take(&mut first) {
        true => Reaction::Close,
        false => Reaction::Store,
    });
    let producer = cluster.producer();

    producer.enqueue(message("a")).detach();
    producer.enqueue_all([message("b"), message("c")]).detach();
    producer.flush().await;

    assert_eq!(producer.stats().stored, 3);
    assert_nothing_in_hand(&producer);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_dropped_half_way_cancels_the_rest() {
    let cluster = Cluster::memory(1);
    let producer = cluster.producer();
    let mut tickets = producer.enqueue_all((0..200).map(|number| message(number.to_string())));

    assert!(soon(tickets.next()).await.unwrap().is_ok());
    assert_eq!(tickets.len(), 199);
    drop(tickets);

    assert_nothing_in_hand(&producer);
    soon(producer.send(message("next"))).await.unwrap();
}
