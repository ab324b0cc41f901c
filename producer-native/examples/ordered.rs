//! What happens to an order, told in order, while a broker is away.
//!
//!     cargo run -p producer-native --example ordered       # [-- --name-server 10.0.0.1:9876]
//!
//! Messages of one key go to one queue, one after the other; those of other keys do not wait for
//! them. What each kind of order promises when something fails: `docs/ordering.md`.

use std::time::Duration;

use producer_native::{
    Message, Order, Outcome, Producer, QueueChoice, Receipt, SendError, SendOptions,
};

pub mod support;

const STEPS: [&str; 4] = ["placed", "paid", "packed", "shipped"];
/// How often a step is sent, each time for as long as the send timeout, 3 s.
const TRIES: usize = 10;

/// Tells of one step, and does not return before it is stored: the next one must not overtake it.
async fn tell(producer: &Producer, order: &str, step: &str) -> Result<Receipt, SendError> {
    let text = format!("{order} {step}");
    let message = Message::new("orders", text).and_then(|message| message.keys([order]));
    let message = message.expect("a constant topic, and a body that is not empty");
    // `Strict` waits, and fails in the end, while the queue of its key cannot be used.
    // `Order::Available` would go to another queue, and say so by `Receipt::epoch`.
    let queue = QueueChoice::ordered(order, Order::Strict);
    let mut options = SendOptions::default().queue(queue);
    let mut tries = 1;
    loop {
        let error = match producer.send_with(message.clone(), options.clone()).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) => error,
        };
        tries += 1;
        match error.outcome() {
            // A broker has said no, and will again; or it is enough.
            Outcome::Rejected => return Err(error),
            _ if tries > TRIES => return Err(error),
            Outcome::NotSent => {}
            // It may be there: a second copy must be known by its id.
            Outcome::Unknown => options.message_id = error.message_id(),
        }
        eprintln!("again: {error}");
    }
}

/// Tells of the steps that are left of an order.
async fn follow(
    producer: Producer,
    order: String,
    mut receipts: Vec<Receipt>,
) -> Result<Vec<Receipt>, SendError> {
    for step in &STEPS[receipts.len()..] {
        receipts.push(tell(&producer, &order, step).await?);
    }
    Ok(receipts)
}

/// Follows eight orders at once. If the cluster is of models, one of its brokers is away until all
/// orders of the other one are told: those of its own wait.
pub async fn run(cluster: &support::Cluster) -> support::Result<()> {
    let producer = cluster.producer("shop").build()?;
    let mut orders = Vec::new();
    for number in 1..=8 {
        let order = format!("order-{number}");
        let placed = tell(&producer, &order, STEPS[0]).await?;
        orders.push((order, placed));
    }
    let away = cluster.models.as_ref().map(|models| models.broker("broker-a"));
    if let Some(broker) = &away {
        broker.kill().await;
    }
    let (mut told, mut waiting) = (Vec::new(), Vec::new());
    for (order, placed) in orders {
        let waits = away.as_ref().is_some_and(|away| away.name() == *placed.broker);
        let task = tokio::spawn(follow(producer.clone(), order.clone(), vec![placed]));
        if waits { &mut waiting } else { &mut told }.push((order, task));
    }
    for (order, task) in told {
        report(&order, &task.await??);
    }
    if let Some(broker) = &away {
        println!("{} comes back", broker.name());
        broker.restart().await?;
    }
    for (order, task) in waiting {
        report(&order, &task.await??);
    }
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}

fn report(order: &str, receipts: &[Receipt]) {
    let queue = format!("{} queue {}", receipts[0].broker, receipts[0].queue_id);
    let offsets: Vec<u64> = receipts.iter().map(|receipt| receipt.queue_offset).collect();
    println!("{order}: all {} steps in {queue}, at offsets {offsets:?}", offsets.len());
}

#[tokio::main]
async fn main() -> support::Result<()> {
    run(&support::Cluster::from_arguments("orders").await?).await
}
