//! When do delayed messages come, and do they come when they are recalled?

use std::time::Duration;

use producer_core::wire::recall::RecallHandle;
use producer_native::{AskError, ErrorKind, Message, Outcome, Queue, QueueChoice, SendOptions};
use tests::cluster::{Result, Stored, Topic};
use tests::interop::{failed, message, stored, until};

use crate::features::{World, topic};

/// The first messages of a topic, once there are any.
fn come(world: &World, to: &str) -> Vec<Stored> {
    until(Duration::from_secs(30), "the message", || {
        world.cluster.read_back(to).ok().filter(|come| !come.is_empty())
    })
}

/// How much later than it was made the only message of a topic came, in milliseconds.
fn came_after(world: &World, to: &str, message: Message) -> Result<i64> {
    world.cluster.create_topic(&Topic::new(to, 1).on(&["a"]))?;
    let receipt = stored(world.runtime.block_on(world.plain.send(message)));
    let come = come(world, to);
    assert_eq!(come[0].uniq_key(), Some(receipt.message_id.as_str()));
    assert_eq!(come[0].topic, to);
    Ok(come[0].store_time_ms - come[0].born_time_ms)
}

pub(crate) fn level(world: &World) -> Result<()> {
    let second = message("level-2", "later").delay_level(2).expect("a level");
    let after = came_after(world, "level-2", second)?;
    assert!((1_900..5_000).contains(&after), "{after} ms, and level 2 is 2 s");
    // The broker has four levels, and takes the last for all above.
    let above = message("level-18", "later").delay_level(18).expect("a level");
    let after = came_after(world, "level-18", above)?;
    assert!((4_900..9_000).contains(&after), "{after} ms, and the last level is 5 s");
    Ok(())
}

pub(crate) fn timer(world: &World) -> Result<()> {
    let delayed = message("timer-ms", "later").delay(Duration::from_millis(3_000)).expect("short");
    let after = came_after(world, "timer-ms", delayed)?;
    let delayed = message("timer-sec", "later").delay_seconds(3).expect("short");
    let of_seconds = came_after(world, "timer-sec", delayed)?;
    let past = message("timer-past", "now").deliver_at(1).expect("a time");
    let of_past = came_after(world, "timer-past", past)?;
    assert!(of_past < 1_000, "what is past comes at once: {of_past} ms");
    if world.is_5x() {
        // Rounded down to a second, and looked at once a second.
        assert!((1_900..6_000).contains(&after), "{after} ms");
        assert!((1_900..6_000).contains(&of_seconds), "{of_seconds} ms");
        let far = message("timer-ms", "x").delay_seconds(4 * 86_400).expect("countable");
        let error = failed(world.runtime.block_on(world.plain.send(far)));
        assert!(matches!(error.kind(), ErrorKind::Broker { code: 13, .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::Rejected);
    } else {
        assert!(after < 1_000 && of_seconds < 1_000, "4.9 knows no timers: {after} {of_seconds}");
    }
    Ok(())
}

pub(crate) fn recall(world: &World) -> Result<()> {
    if !world.is_5x() {
        return Ok(());
    }
    world.cluster.create_topic(&Topic::new("recall", 1).on(&["a"]))?;
    let send = |body, seconds| {
        let delayed = message("recall", body).delay_seconds(seconds).expect("short");
        stored(world.runtime.block_on(world.plain.send(delayed)))
    };
    let recalled = send("recalled", 5);
    let kept = send("kept", 8);
    let handle = recalled.recall_handle.as_deref().expect("a timer message has one");

    let id = world.runtime.block_on(world.plain.recall(&topic("recall"), handle));

    assert_eq!(id.as_deref(), Ok(recalled.message_id.as_str()));
    let come = come(world, "recall");
    assert_eq!(come[0].uniq_key(), Some(kept.message_id.as_str()), "the other was due before");
    let late = kept.recall_handle.as_deref().expect("a handle");
    let late = world.runtime.block_on(world.plain.recall(&topic("recall"), late));
    assert!(matches!(late, Err(AskError::NotRecallable { .. })), "{late:?}");
    Ok(())
}

pub(crate) fn refused(world: &World) -> Result<()> {
    let recall = |name: &str, handle: &RecallHandle| {
        world.runtime.block_on(world.plain.recall(&topic(name), &handle.encode()))
    };
    let handle = |of: &str| RecallHandle {
        topic: of.to_owned(),
        broker_name: "a".to_owned(),
        timestamp: "1700000000000".to_owned(),
        message_id: "7F0000010001AABBCCDD00000000ABCD".to_owned(),
    };
    world.cluster.create_topic(&Topic::new("refused", 1).on(&["a"]))?;
    assert_eq!(recall("nowhere", &handle("nowhere")), Err(AskError::NoTopic));
    let late = recall("refused", &handle("refused"));
    if world.is_5x() {
        assert!(matches!(late, Err(AskError::NotRecallable { .. })), "{late:?}");
        let other = RecallHandle { broker_name: "gone".to_owned(), ..handle("refused") };
        let other = recall("refused", &other);
        assert!(matches!(other, Err(AskError::NotRecallable { .. })), "{other:?}");
        let broker = world.cluster.master("a")?;
        broker.update_config("recallMessageEnable", "false")?;
        assert_eq!(recall("refused", &handle("refused")), Err(AskError::RecallDisabled));
        broker.update_config("recallMessageEnable", "true")?;
    } else {
        let unknown = |kind: &ErrorKind| matches!(kind, ErrorKind::Broker { code: 3, .. });
        assert!(matches!(&late, Err(AskError::Refused(kind)) if unknown(kind)), "{late:?}");
    }
    Ok(())
}

pub(crate) fn priority(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("urgent", 4).on(&["a"]))?;
    for (priority, queue) in [(0, 0), (3, 3), (200, 3)] {
        let urgent = message("urgent", "x").priority(priority).expect("short");
        let options = SendOptions::default().queue(QueueChoice::Queue(Queue::new("a", 1)));
        let receipt = stored(world.runtime.block_on(world.plain.send_with(urgent, options)));
        let taken = if world.is_5x() { queue } else { 1 };
        assert_eq!(receipt.queue_id, taken, "priority {priority}");
    }
    Ok(())
}
