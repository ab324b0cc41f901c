//! Asks another service by a message, and waits for its answer.
//!
//!     cargo run -p producer-native --example request_reply     # [-- --name-server 10.0.0.1:9876]
//!
//! The other service is any RocketMQ consumer, in Java for example:
//! `producer.send(MessageUtil.createReplyMessage(request, "two euros".getBytes()))`. With models, it
//! is a task `answer` for each broker, below.

use std::time::Duration;

use producer_native::{ErrorKind, Message, Producer, SendOptions};
use sim::serve::BrokerHandle;
use tokio::task::JoinSet;

pub mod support;

/// Asks for a price; `None` if nobody answered in time.
pub async fn price(producer: &Producer, of: &str) -> support::Result<Option<String>> {
    // Covers both ways. The answer is for this process alone: it comes by a connection of ours.
    let options = SendOptions::default().timeout(Duration::from_secs(5));
    match producer.request(Message::new("prices", of.to_owned())?, options).await {
        Ok(reply) => Ok(Some(String::from_utf8_lossy(&reply.body).into_owned())),
        // The question is stored: somebody may still act upon it. Asking again is a second
        // question, so let questions do no harm when they are answered twice.
        Err(error) if *error.kind() == ErrorKind::NoReply => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The other service, at one broker: reads questions out of the model's log, for this crate
/// consumes nothing.
async fn answer(producer: Producer, broker: BrokerHandle) -> support::Result<()> {
    let mut answered = 0;
    loop {
        for question in broker.messages_after("prices", answered).await {
            answered += 1;
            let price = match &question.body[..] {
                b"milk" => "two euros",
                b"bread" => "three euros",
                _ => continue, // the one who asks will find that nobody answers
            };
            // The question's properties say who asked, and by which broker to reach them.
            let reply = Message::reply_to(|name| question.property(name), price)?;
            producer.reply(reply).await?;
        }
    }
}

/// Asks for these, one after the other.
pub async fn ask(producer: &Producer, things: &[&str]) -> support::Result<Vec<Option<String>>> {
    let mut prices = Vec::new();
    for thing in things {
        let price = price(producer, thing).await?;
        println!("{thing}: {}", price.as_deref().unwrap_or("nobody says"));
        prices.push(price);
    }
    Ok(prices)
}

/// Questions and their answers.
pub async fn run(cluster: &support::Cluster) -> support::Result<Vec<Option<String>>> {
    let producer = cluster.producer("customer").build()?;
    let things = ["milk", "bread"];
    let prices = match &cluster.models {
        None => ask(&producer, &things).await?,
        Some(models) => {
            let service = cluster.producer("price-service").build()?;
            let mut answering = JoinSet::new();
            for broker in models.brokers() {
                answering.spawn(answer(service.clone(), broker.clone()));
            }
            tokio::select! {
                prices = ask(&producer, &things) => prices?,
                Some(ended) = answering.join_next() => return ended?.map(|()| Vec::new()),
            }
        }
    };
    producer.close(Duration::from_secs(5)).await;
    Ok(prices)
}

#[tokio::main]
async fn main() -> support::Result<()> {
    let cluster = support::Cluster::from_arguments("prices").await?;
    run(&cluster).await?;
    Ok(())
}
