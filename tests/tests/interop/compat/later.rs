//! Messages that are delivered later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use producer_native::{Message, TopicName};
use tests::cluster::{Result, Topic};
use tests::interop::message;

use crate::compat::world::World;

pub(crate) fn levels(world: &World) -> Result<()> {
    let level = |message: Message| message.delay_level(1).expect("a level that there is");
    come_later(world, "levels", &[level(message("levels", "a")), level(message("levels", "b"))])
}

pub(crate) fn timers(world: &World) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let then = u64::try_from((now + Duration::from_secs(1)).as_millis()).expect("a small number");
    let after = message("timers", "after").delay(Duration::from_secs(1)).expect("delayed once");
    let at = message("timers", "at").deliver_at(then).expect("delayed once");
    come_later(world, "timers", &[after, at])
}

/// What is recalled in time never comes, though it was due before what comes.
pub(crate) fn recalls(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("recalled", 1))?;
    let send = |body, seconds| {
        let timed = message("recalled", body).delay_seconds(seconds).expect("delayed once");
        world.send(timed)
    };
    let (recalled, kept) = (send("recalled", 4), send("kept", 6));
    let handle = recalled.recall_handle.as_deref().expect("a timer message has one");

    let topic = TopicName::new("recalled").expect("valid");
    let id = world.runtime.block_on(world.plain.recall(&topic, handle));
    let read = world.java.consume(&world.reach, "recalled", 1)?;

    assert_eq!(id.as_deref(), Ok(recalled.message_id.as_str()));
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(read[0].message_id, kept.message_id.as_str());
    assert_eq!(world.stored("recalled", 1)?.len(), 1);
    Ok(())
}

/// Nobody sees them within most of a second, and all come.
fn come_later(world: &World, topic: &str, messages: &[Message]) -> Result<()> {
    world.create_topic(&Topic::new(topic, 1))?;
    let receipts: Vec<_> = messages.iter().map(|message| world.send(message.clone())).collect();

    let read = world.java.consume(&world.reach, topic, messages.len())?;

    assert_eq!(read.len(), messages.len(), "{read:?}");
    for (sent, receipt) in messages.iter().zip(&receipts) {
        let id = receipt.message_id.as_str();
        let one = read.iter().find(|read| read.message_id == id).expect("each comes");
        assert_eq!(one.body(), sent.body()[..]);
        let waited = one.store_time_ms - one.born_time_ms;
        assert!((700..8_000).contains(&waited), "it came after {waited} ms: {one:?}");
    }
    Ok(())
}
