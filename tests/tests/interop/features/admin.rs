//! Are administrators' questions answered as our models answer them?

use std::time::Duration;

use producer_native::{AskError, Boundary, NewTopic, Queue, QueueChoice, SendOptions, Window};
use tests::cluster::Result;
use tests::interop::{message, stored, until};

use crate::features::{World, topic};

const LIMIT: Duration = Duration::from_secs(20);

/// Creates a topic and waits until the name servers know it.
fn create(world: &World, new: &NewTopic) -> Vec<Queue> {
    let admin = world.plain.admin();
    let created = world.runtime.block_on(admin.create_topic(new)).expect("the broker has TBW102");
    assert_eq!(created.brokers, ["a"]);
    until(LIMIT, "the topic's route", || {
        world.runtime.block_on(admin.publish_queues(new.topic())).ok()
    })
}

pub(crate) fn topics_and_offsets(world: &World) -> Result<()> {
    let (admin, on) = (world.plain.admin(), &world.runtime);
    let made = topic("admin-made");
    let queues = create(world, &NewTopic::new(made.clone(), 3));
    assert_eq!(queues.len(), 3);
    let queue = &queues[1];
    assert_eq!(on.block_on(admin.max_offset(&made, queue)), Ok(0));
    assert_eq!(on.block_on(admin.earliest_store_time(&made, queue)), Ok(None));

    let options = SendOptions::default().queue(QueueChoice::Queue(queue.clone()));
    for body in ["one", "two"] {
        let sending = world.plain.send_with(message("admin-made", body), options.clone());
        stored(on.block_on(sending));
    }
    // A queue is written a moment after the log.
    until(LIMIT, "the offset", || {
        let max = on.block_on(admin.max_offset(&made, queue));
        (max == Ok(2)).then_some(())
    });
    assert_eq!(on.block_on(admin.min_offset(&made, queue)), Ok(0));
    let since = on.block_on(admin.earliest_store_time(&made, queue));
    let since = since.expect("an answer").expect("there are messages");
    let search = |at, boundary| on.block_on(admin.search_offset(&made, queue, at, boundary));
    assert_eq!(search(since, Boundary::Lower), Ok(0));
    assert_eq!(search(1, Boundary::Lower), Ok(0));
    // Past all messages 5.x names the place behind the last, 4.9 the last.
    let behind = search(since + 3_600_000, Boundary::Lower);
    assert_eq!(behind, Ok(if world.is_5x() { 2 } else { 1 }));
    assert_eq!(search(since + 3_600_000, Boundary::Upper), Ok(1));

    let more = NewTopic::new(made.clone(), 5);
    create(world, &more);
    until(LIMIT, "the changed topic", || {
        let queues = on.block_on(admin.publish_queues(&made)).ok()?;
        (queues.len() == 5).then_some(())
    });
    let absent = topic("admin-absent");
    let refused = on.block_on(admin.create_topic(&NewTopic::new(made.clone(), 1).like(&absent)));
    assert_eq!(refused, Err(AskError::NoTopic));
    assert_eq!(on.block_on(admin.max_offset(&absent, queue)), Err(AskError::NoTopic));
    let elsewhere = Queue::new("gone", 0);
    assert_eq!(on.block_on(admin.max_offset(&made, &elsewhere)), Err(AskError::NoBroker));
    Ok(())
}

pub(crate) fn messages(world: &World) -> Result<()> {
    let (admin, on) = (world.plain.admin(), &world.runtime);
    let name = topic("admin-found");
    create(world, &NewTopic::new(name.clone(), 2));
    let send = |body, keys: [&str; 2]| {
        let message = message("admin-found", body).tag("x").and_then(|m| m.keys(keys));
        stored(on.block_on(world.plain.send(message.expect("valid"))))
    };
    let one = send("one", ["a", "b"]);
    send("two", ["b", "c"]);

    let offset_id = one.offset_id.expect("the broker's");
    for id in [offset_id.as_str(), one.message_id.as_str()] {
        // The index is written a moment after the log.
        let seen = until(LIMIT, "the message", || on.block_on(admin.view_message(&name, id)).ok());
        assert_eq!((&*seen.body, seen.property("TAGS")), (&b"one"[..], Some("x")));
        assert_eq!(seen.message_id, one.message_id.as_str());
        assert_eq!(seen.offset_id, offset_id.as_str());
        assert_eq!(u64::from(seen.queue_id), u64::from(one.queue_id));
    }
    let window = Window { max: 8, from_ms: 0, to_ms: i64::MAX as u64 };
    let find = |key| on.block_on(admin.find_by_key(&name, key, window));
    let both = until(LIMIT, "both messages", || find("b").ok().filter(|found| found.len() == 2));
    assert_eq!((&*both[0].body, &*both[1].body), (&b"two"[..], &b"one"[..]), "the youngest first");
    assert_eq!(find("c").map(|found| found.len()), Ok(1));
    assert_eq!(find("nothing"), Ok(Vec::new()));
    let unknown = "7F0000010001AABBCCDD00000000ABCD";
    assert_eq!(on.block_on(admin.view_message(&name, unknown)), Err(AskError::NoMessage));
    let mut beside = offset_id.as_str().to_owned();
    beside.replace_range(31.., if beside.ends_with('7') { "8" } else { "7" });
    let beside = on.block_on(admin.view_message(&name, &beside));
    assert_eq!(beside, Err(AskError::NoMessage));
    Ok(())
}
