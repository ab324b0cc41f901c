//! Scenarios on the simulated network: the native producer, unchanged, and all that can fail.

mod brokers;
mod bytes;
mod names;
mod network;
mod speed;
mod tls;

use std::time::Duration;

use producer_native::Producer;
use sim::world::{Account, Load, Sent, World, WorldBuilder};

pub(crate) const TOPIC: &str = "orders";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Two name servers, masters of these names, a topic of four queues at each.
pub(crate) fn cluster(seed: u64, brokers: &[&str]) -> WorldBuilder {
    let builder = World::builder(seed).name_servers(2).topic(TOPIC, 4);
    brokers.iter().fold(builder, |builder, name| builder.broker(*name, |_| {}))
}

pub(crate) const TWO: [&str; 2] = ["broker-a", "broker-b"];
pub(crate) const THREE: [&str; 3] = ["broker-a", "broker-b", "broker-c"];

pub(crate) fn producer(world: &World) -> Producer {
    world.producer("shop").build().expect("a valid configuration")
}

/// One message each 10 ms for so many seconds.
pub(crate) fn load(seconds: u64) -> Load {
    Load::new(TOPIC, seconds as u32 * 100, ms(10))
}

/// The figures, unless something in them is wrong.
pub(crate) fn account(world: &World, sent: &[Sent]) -> Account {
    let account = Account::of(world, sent, TIMEOUT);
    account.check();
    account
}

/// When, after `since`, a send first ended well.
pub(crate) fn first_success(sent: &[Sent], since: Duration) -> Duration {
    let later = sent.iter().filter(|send| send.at >= since && send.result.is_ok());
    later.map(|send| send.at + send.took).min().unwrap_or(Duration::MAX).saturating_sub(since)
}

/// The same sends, those of a span of time only.
pub(crate) fn between(sent: Vec<Sent>, from: Duration, to: Duration) -> Vec<Sent> {
    sent.into_iter().filter(|send| (from..to).contains(&send.at)).collect()
}

/// A message with this body.
pub(crate) fn message(body: &str) -> producer_native::Message {
    producer_native::Message::new(TOPIC, body.to_owned()).expect("a valid message")
}
