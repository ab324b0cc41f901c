//! Both kinds of namespace.

use producer_native::Config;
use tests::cluster::{Result, Topic};
use tests::interop::client::Read;
use tests::interop::{message, stored};

use crate::compat::world::World;

/// A Java consumer of the namespace reads it under the plain name, one outside under the whole one.
pub(crate) fn prefix(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("space%named", 2))?;
    send_within(world, "named", |config| config.namespace = Some("space".to_owned()));

    let inside = world.reach.clone().namespace("space");
    let inside = world.java.consume(&inside, "named", COUNT)?;
    let outside = world.java.consume(&world.reach, "space%named", COUNT)?;

    let topics = |read: &[Read]| read.iter().map(|read| read.topic.clone()).collect::<Vec<_>>();
    assert_eq!(topics(&inside), ["named"; COUNT]);
    assert_eq!(topics(&outside), ["space%named"; COUNT]);
    Ok(())
}

/// Brokers store it as any other; who reads the fields is a proxy.
pub(crate) fn fields(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("fields", 2))?;
    send_within(world, "fields", |config| config.namespace_v2 = Some("space".to_owned()));

    let inside = world.reach.clone().namespace_v2("space");
    let read = world.java.consume(&inside, "fields", COUNT)?;

    assert_eq!(read.len(), COUNT);
    Ok(())
}

fn send_within(world: &World, topic: &str, change: impl FnOnce(&mut Config)) {
    let producer = world.producer().configure(change).build().expect("complete");
    let twice = message(topic, "the same object, sent again");
    for _ in 0..COUNT {
        // A message that took its prefix with it would have two the second time.
        stored(world.runtime.block_on(producer.send(twice.clone())));
    }
}

const COUNT: usize = 3;
