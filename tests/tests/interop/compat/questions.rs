//! What administrators ask of a producer.

use std::time::Duration;

use producer_native::{NewTopic, Queue, TopicName, Window};
use tests::cluster::Result;
use tests::interop::{message, stored, until};

use crate::compat::world::World;

/// A topic is made, what is in it is found in every way, and Java reads it.
pub(crate) fn administration(world: &World) -> Result<()> {
    let (admin, on) = (world.plain.admin(), &world.runtime);
    let topic = TopicName::new("made-by-us").expect("valid");
    let made = on.block_on(admin.create_topic(&NewTopic::new(topic.clone(), 2)));
    let made = made.unwrap_or_else(|error| panic!("the topic was refused: {error}"));
    assert!(made.failures.is_empty(), "{made:?}");
    until(LIMIT, "the route", || on.block_on(admin.publish_queues(&topic)).ok());

    let keyed = message("made-by-us", "found").keys(["key"]).expect("valid");
    let receipt = stored(on.block_on(world.plain.send(keyed)));
    let queue = Queue::new(&receipt.broker, receipt.queue_id);
    // Queue and index are written a moment after the log.
    until(LIMIT, "the offset", || {
        (on.block_on(admin.max_offset(&topic, &queue)) == Ok(1)).then_some(())
    });
    assert_eq!(on.block_on(admin.min_offset(&topic, &queue)), Ok(0));
    let offset_id = receipt.offset_id.expect("brokers name it");
    for id in [offset_id.as_str(), receipt.message_id.as_str()] {
        let seen = until(LIMIT, id, || on.block_on(admin.view_message(&topic, id)).ok());
        assert_eq!((&*seen.body, seen.property("KEYS")), (&b"found"[..], Some("key")));
        assert_eq!(seen.message_id, receipt.message_id.as_str());
    }
    let window = Window { max: 8, from_ms: 0, to_ms: i64::MAX as u64 };
    let found = on.block_on(admin.find_by_key(&topic, "key", window));
    assert_eq!(found.map(|found| found.len()), Ok(1));

    let read = world.java.consume(&world.reach, "made-by-us", 1)?;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].message_id, receipt.message_id.as_str());
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(20);
