//! Does a message go to the queue that was asked for, and in the order that was asked for?

use producer_native::{ErrorKind, Order, Outcome, QueueChoice, SendOptions, TopicName};
use tests::cluster::java::Peer;
use tests::cluster::{Result, Topic};
use tests::interop::{failed, message, stored};

use crate::send::World;

pub(crate) fn not_there(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("queues", 4).on(&["a", "b"]))?;
    let name = TopicName::new("queues").expect("valid");
    let route = world.runtime.block_on(world.plain.route(&name));
    let mut queue = route.unwrap_or_else(|error| panic!("no route: {error}")).queues[5].clone();
    let options = |queue| SendOptions::default().queue(QueueChoice::Queue(queue));

    let receipt = stored(world.send_with(message("queues", "x"), options(queue.clone())));
    assert_eq!((&receipt.broker, receipt.queue_id), (&queue.broker, queue.id));
    queue.id = 4;
    let error = failed(world.send_with(message("queues", "y"), options(queue)));

    assert_eq!(*error.kind(), ErrorKind::QueueNotFound, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    Ok(())
}

pub(crate) fn ordering_key(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("lane", 4).on(&["a", "b"]))?;
    let options = SendOptions::default().queue(QueueChoice::ordered("order-7", Order::Strict));
    let bodies: Vec<_> = (0..200).map(|n| n.to_string()).collect();

    let ticket = |body: &String| world.plain.enqueue_with(message("lane", body), options.clone());
    let tickets: Vec<_> = world.runtime.block_on(async { bodies.iter().map(ticket).collect() });
    let wait = |ticket| stored(world.runtime.block_on(ticket));
    let receipts: Vec<_> = tickets.into_iter().map(wait).collect();

    let place = |n: usize| (&receipts[n].broker, receipts[n].queue_id);
    assert!((0..200).all(|n| place(n) == place(0)), "{receipts:?}");
    assert!(receipts.is_sorted_by(|one, next| one.queue_offset < next.queue_offset));
    let messages = world.cluster.read_back_when("lane", 200)?;
    let text = |message: &tests::cluster::Stored| String::from_utf8_lossy(&message.body).into();
    assert_eq!(messages.iter().map(text).collect::<Vec<String>>(), bodies);
    Ok(())
}

pub(crate) fn hash_as_java(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("hashed", 4).on(&["a", "b"]))?;
    let peer = Peer::new(world.cluster.release())?;

    let java = peer.send(&world.cluster.name_server_list(), "hashed", &["selector:40"])?;

    assert_eq!(java.len(), 40);
    for result in &java {
        let key = result["keys"][0].as_str().unwrap_or_default();
        let options = SendOptions::default().queue(QueueChoice::hash(key));
        let receipt = stored(world.send_with(message("hashed", key), options));
        assert_eq!(result["broker"], *receipt.broker, "{result}");
        assert_eq!(result["queueId"], receipt.queue_id, "{result}");
    }
    Ok(())
}
