//! Which topics can be sent to, and what is said of those that cannot?

use producer_core::wire::Fields;
use producer_core::wire::code::request::PUT_KV_CONFIG;
use producer_core::wire::code::response::TOPIC_NOT_EXIST;
use producer_native::{ErrorKind, Outcome, TopicName};
use tests::cluster::{Result, Topic};
use tests::interop::{failed, message, producer, stored};

use crate::send::World;

pub(crate) fn unknown(world: &World) -> Result<()> {
    let error = failed(world.send(message("never-made", "x")));

    assert_eq!(*error.kind(), ErrorKind::TopicNotFound, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(world.cluster.read_back("never-made")?.is_empty());
    Ok(())
}

pub(crate) fn auto_created(world: &World) -> Result<()> {
    let builder = producer(&world.runtime, &world.cluster);
    let creating = builder.configure(|config| config.auto_create_topics = true);
    let creating = creating.build().expect("it has what it needs");

    for n in 0..10 {
        let sent = creating.send(message("made-by-sending", &n.to_string()));
        stored(world.runtime.block_on(sent));
    }

    assert_eq!(world.cluster.read_back_when("made-by-sending", 10)?.len(), 10);
    Ok(())
}

pub(crate) fn auto_creation_off(world: &World) -> Result<()> {
    let builder = producer(&world.runtime, &world.cluster);
    let creating = builder.configure(|config| config.auto_create_topics = true);
    let creating = creating.build().expect("it has what it needs");
    for name in ["a", "b", "busy"] {
        world.cluster.master(name)?.update_config("autoCreateTopicEnable", "false")?;
    }

    let error = failed(world.runtime.block_on(creating.send(message("not-to-be-made", "x"))));

    let absent = match error.kind() {
        ErrorKind::TopicNotFound => true,
        ErrorKind::Broker { code, .. } => *code == TOPIC_NOT_EXIST,
        // It is busy before it looks at the topic.
        ErrorKind::Busy { .. } => error
            .attempts()
            .iter()
            .any(|attempt| matches!(attempt.kind, ErrorKind::Broker { code: TOPIC_NOT_EXIST, .. })),
        _ => false,
    };
    assert!(absent, "{error}");
    assert_ne!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(world.cluster.read_back("not-to-be-made")?.is_empty());
    for name in ["a", "b", "busy"] {
        world.cluster.master(name)?.update_config("autoCreateTopicEnable", "true")?;
    }
    Ok(())
}

/// The order configuration of the name server decides, not the queues that brokers announce.
pub(crate) fn ordered(world: &World) -> Result<()> {
    let topic = "in-order";
    world.cluster.create_topic(&Topic::new(topic, 4).on(&["a", "b"]).ordered())?;
    let key = Fields::new().text("namespace", "ORDER_TOPIC_CONFIG").text("key", topic);
    let put = key.text("value", "a:2;b:3");
    world.cluster.name_server(0)?.client()?.call(PUT_KV_CONFIG, &put, &[])?.ok()?;

    let name = TopicName::new(topic).expect("valid");
    let route = world.runtime.block_on(world.plain.route(&name));
    let route = route.unwrap_or_else(|error| panic!("no route: {error}"));

    let queues: Vec<_> = route.queues.iter().map(|queue| (&*queue.broker, queue.id)).collect();
    assert_eq!(queues, [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]);
    assert!(route.ordered);
    for _ in 0..10 {
        stored(world.send(message(topic, "x")));
    }
    assert!(world.cluster.read_back_when(topic, 10)?.iter().all(|message| message.queue_id < 3));
    Ok(())
}

pub(crate) fn read_only(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("read-only", 2).perm(4).on(&["a", "b"]))?;

    let error = failed(world.send(message("read-only", "x")));

    assert_eq!(*error.kind(), ErrorKind::TopicNotWritable, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    Ok(())
}

pub(crate) fn read_only_broker(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("on-a", 2).on(&["a"]))?;
    world.cluster.create_topic(&Topic::new("on-both", 2).on(&["a", "b"]))?;
    let broker = world.cluster.master("a")?;
    broker.update_config("brokerPermission", "4")?;

    let error = failed(world.send(message("on-a", "x")));
    let receipts: Vec<_> = (0..10).map(|_| stored(world.send(message("on-both", "x")))).collect();
    broker.update_config("brokerPermission", "6")?;

    assert_eq!(*error.kind(), ErrorKind::TopicNotWritable, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(receipts.iter().all(|receipt| &*receipt.broker == "b"), "{receipts:?}");
    Ok(())
}
