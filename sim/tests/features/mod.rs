//! What goes out together, shorter, or after the fact, on the simulated network: batches, bodies that
//! are compressed, traces. The native producer, unchanged; and the mistakes that these tests notice.

mod batches;
#[cfg(feature = "planted-bugs")]
mod bugs;
mod callbacks;
mod compressed;
mod found;
mod keys;
mod shared;
mod traces;

use std::time::Duration;

use producer_native::{Message, Producer};
use sim::model::broker::{self, Fault, Times};
use sim::world::{World, WorldBuilder};

const TOPIC: &str = "orders";
const BROKERS: [&str; 2] = ["broker-a", "broker-b"];

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Two brokers with four queues each, 2 ms away.
fn cluster(seed: u64) -> WorldBuilder {
    let builder = World::builder(seed).topic(TOPIC, 4).latency(ms(2), ms(2));
    BROKERS.into_iter().fold(builder, |builder, name| builder.broker(name, |_| {}))
}

fn producer(world: &World) -> Producer {
    world.producer("shop").build().expect("a valid configuration")
}

fn message(body: impl Into<Vec<u8>>) -> Message {
    Message::new(TOPIC, body.into()).expect("a valid message")
}

fn fault(world: &World, at: &[&str], fault: Fault, times: Times) {
    for name in at {
        world.broker(name).with(|broker, _| broker.fault(fault, times));
    }
}

/// What is stored: broker by broker, in the order of storing.
fn stored(world: &World) -> Vec<broker::Message> {
    world.brokers().iter().flat_map(|broker| broker.messages(TOPIC)).collect()
}

fn text(message: &broker::Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}
