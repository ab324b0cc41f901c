//! Messages that are delivered later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use producer_native::Message;
use tests::cluster::{Result, Topic};
use tests::interop::message;

use crate::world::World;

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
