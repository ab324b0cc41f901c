//! After warm-up, a send allocates nothing: not in the core, not in the driver, not in its future.

mod common;
mod counting;

use std::collections::VecDeque;

use common::{Cluster, soon};
use producer_native::{Bytes, Message, Producer, Ticket};

const MESSAGES: usize = 6_400;

fn message() -> Message {
    Message::new("topic", Bytes::from_static(&[7; 128])).expect("valid")
}

/// One message after the other.
async fn one_by_one(producer: &Producer) {
    for message in prepared(MESSAGES) {
        producer.send(message).await.expect("stored");
    }
}

/// Windows of 64 tickets from one task.
async fn by_ticket(producer: &Producer) {
    let mut tickets = VecDeque::<Ticket>::with_capacity(64);
    for message in prepared(MESSAGES) {
        if tickets.len() == 64 {
            tickets.pop_front().expect("64").await.expect("stored");
        }
        tickets.push_back(producer.enqueue(message));
    }
    for ticket in tickets {
        ticket.await.expect("stored");
    }
}

/// 64 tasks, each one message after the other.
async fn by_task(producer: &Producer) {
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let producer = producer.clone();
            let messages = prepared(MESSAGES / 64);
            tokio::spawn(async move {
                for message in messages {
                    producer.send(message).await.expect("stored");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("stored");
    }
}

/// Clones share their topic and body: cloning allocates nothing.
fn prepared(count: usize) -> impl Iterator<Item = Message> {
    let first = message();
    (0..count).map(move |_| first.clone())
}

#[test]
fn a_send_costs_no_allocation() {
    let elsewhere = tokio::runtime::Runtime::new().unwrap();
    let cluster = elsewhere.block_on(Cluster::tcp(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let producer = cluster.producer();
        soon(producer.send(message())).await.unwrap();

        for round in 0..4 {
            let before = counting::allocations();
            one_by_one(&producer).await;
            check(round, "one by one", before, 1);
            let before = counting::allocations();
            by_ticket(&producer).await;
            check(round, "64 tickets", before, 2);
            let before = counting::allocations();
            by_task(&producer).await;
            check(round, "64 tasks", before, 64 * 2 + 1);
        }
        assert_eq!(producer.stats().retries, 0, "no answer was missed");
    });
}

/// Timers allocate now and then: heartbeats, polls of routes.
const CHORES: u64 = 8;

/// The first rounds warm up; after them only the run itself allocates: the message that is cloned,
/// the queue, the tasks.
fn check(round: usize, name: &str, before: u64, allowed: u64) {
    let counted = counting::allocations() - before;
    println!("round {round}, {name}: {counted} allocations for {MESSAGES} messages");
    assert!(round < 3 || counted <= allowed + CHORES, "{name}: {counted}");
}
