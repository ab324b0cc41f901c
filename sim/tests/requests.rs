//! Requests and replies on the simulated network: two native producers, one that asks and one that
//! answers what it finds in the brokers' logs, and what can be lost between them.

use std::collections::HashSet;
use std::time::Duration;

use producer_native::{ErrorKind, Message, Outcome, Producer, QueueChoice, SendOptions};
use sim::world::{World, WorldBuilder};
use tokio::task::{JoinHandle, spawn_local};

const TOPIC: &str = "questions";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn cluster(seed: u64) -> WorldBuilder {
    let builder = World::builder(seed).tick_ms(2).topic(TOPIC, 4).latency(ms(2), ms(4));
    let builder = builder.topic("DefaultCluster_REPLY_TOPIC", 1);
    ["broker-a", "broker-b"].into_iter().fold(builder, |builder, name| builder.broker(name, |_| {}))
}

fn producer(world: &World, group: &str) -> Producer {
    world.producer(group).build().expect("a valid configuration")
}

fn question(body: impl Into<String>) -> Message {
    Message::new(TOPIC, body.into()).expect("a valid message")
}

fn within(time: Duration) -> SendOptions {
    SendOptions::default().timeout(time)
}

/// Answers each request once, so long after it is stored.
fn service(world: &World, delay: Duration) -> JoinHandle<()> {
    let (world, producer) = (world.clone(), producer(world, "service"));
    spawn_local(async move {
        let mut seen = HashSet::new();
        loop {
            for broker in world.brokers() {
                for request in broker.messages(TOPIC) {
                    if !seen.insert(request.offset_message_id()) {
                        continue;
                    }
                    let body = [b"re:", &request.body[..]].concat();
                    let reply = Message::reply_to(|name| request.property(name), body);
                    let (reply, producer) = (reply.expect("a request"), producer.clone());
                    let world = world.clone();
                    spawn_local(async move {
                        world.pass(delay).await;
                        // That it fails is what some tests want.
                        let _sent = producer.reply(reply).await;
                    });
                }
            }
            world.pass(ms(2)).await;
        }
    })
}

#[test]
fn a_thousand_requests_are_each_given_their_own_reply() {
    cluster(1).run(|world| async move {
        let service = service(&world, ms(1));
        let producer = producer(&world, "asks");
        let asks: Vec<_> = (0..50)
            .map(|task| {
                let producer = producer.clone();
                spawn_local(async move {
                    for n in 0..20 {
                        let asked =
                            producer.request(question(format!("{task} {n}")), within(ms(2_000)));
                        let reply = asked.await.expect("the service answers");
                        assert_eq!(reply.body, format!("re:{task} {n}").into_bytes());
                    }
                })
            })
            .collect();
        for ask in asks {
            ask.await.expect("no task panics");
        }
        let stats = producer.stats();
        assert_eq!((stats.stored, stats.late_replies, stats.in_hand), (1_000, 0, 0), "{stats:?}");
        service.abort();
    });
}

#[test]
fn a_reply_that_is_lost_ends_its_request_at_its_time() {
    cluster(2).run(|world| async move {
        let service = service(&world, ms(300));
        let producer = producer(&world, "asks");
        producer.request(question("warm"), within(ms(2_000))).await.expect("it is answered");
        let begun = world.elapsed();
        let asked = spawn_local({
            let producer = producer.clone();
            async move { producer.request(question("lost"), within(ms(1_000))).await }
        });
        world.pass(ms(100)).await;
        for broker in ["broker-a", "broker-b"] {
            world.link(broker).cut_back();
        }

        let error = asked.await.expect("no panic").expect_err("the reply is lost");
        let took = world.elapsed() - begun;
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NoReply, Outcome::Unknown));
        assert!((ms(1_000)..ms(1_050)).contains(&took), "{took:?}");
        for broker in ["broker-a", "broker-b"] {
            world.link(broker).heal();
        }
        world.pass(ms(6_000)).await;
        let reply = producer.request(question("again"), within(ms(3_000))).await;
        assert_eq!(reply.expect("all is well again").body, b"re:again");
        service.abort();
    });
}

#[test]
fn a_late_reply_is_counted_and_given_to_nobody() {
    cluster(3).run(|world| async move {
        let service = service(&world, ms(500));
        let producer = producer(&world, "asks");

        let error = producer.request(question("hasty"), within(ms(100))).await;
        assert_eq!(*error.expect_err("too late").kind(), ErrorKind::NoReply);
        let dropped = producer.request(question("dropped"), within(ms(2_000)));
        assert!(tokio::time::timeout(ms(100), dropped).await.is_err());
        world.pass(ms(1_500)).await;

        assert_eq!(producer.stats().late_replies, 2);
        service.abort();
    });
}

#[test]
fn a_requester_that_reconnects_is_found_again() {
    cluster(4).run(|world| async move {
        let service = service(&world, ms(3_000));
        let producer = producer(&world, "asks");
        let asks: Vec<_> = (0..10)
            .map(|n| {
                let producer = producer.clone();
                spawn_local(async move {
                    producer.request(question(n.to_string()), within(ms(10_000))).await
                })
            })
            .collect();
        world.pass(ms(500)).await;
        for name in ["broker-a", "broker-b"] {
            world.broker(name).kill().await;
            world.broker(name).start().await;
        }

        for (n, asked) in asks.into_iter().enumerate() {
            let reply = asked.await.expect("no panic").expect("on the new connection");
            assert_eq!(reply.body, format!("re:{n}").into_bytes());
        }
        service.abort();
    });
}

#[test]
fn requests_go_where_they_are_told() {
    cluster(5).run(|world| async move {
        let service = service(&world, ms(1));
        let producer = producer(&world, "asks");
        let last = QueueChoice::select(|queues, _| queues.len().checked_sub(1));
        let key = QueueChoice::hash("customer-7");
        let panics = QueueChoice::select(|_, _| panic!("a bad selector"));

        for (queue, body) in [(last, "last"), (key, "by key")] {
            let options = within(ms(2_000)).queue(queue);
            let reply = producer.request(question(body), options).await.expect("it is answered");
            assert_eq!(reply.body, format!("re:{body}").into_bytes());
        }
        let error = producer.request(question("never"), within(ms(2_000)).queue(panics)).await;
        assert_eq!(*error.expect_err("it chose nothing").kind(), ErrorKind::SelectorFailed);
        let reply = producer.request(question("after"), within(ms(2_000))).await;
        reply.expect("the producer is well");
        service.abort();
    });
}

#[test]
fn a_close_waits_for_replies_and_the_drop_of_the_producer_does_not() {
    cluster(6).run(|world| async move {
        let service = service(&world, ms(500));
        let closed = producer(&world, "asks");
        let asked = spawn_local({
            let producer = closed.clone();
            async move { producer.request(question("closing"), within(ms(5_000))).await }
        });
        world.pass(ms(100)).await;
        closed.close(Duration::from_secs(3)).await;
        asked.await.expect("no panic").expect("it was waited for");

        let short = producer(&world, "asks");
        let asked = spawn_local({
            let producer = short.clone();
            async move { producer.request(question("closed"), within(ms(5_000))).await }
        });
        world.pass(ms(100)).await;
        short.close(ms(100)).await;
        let error = asked.await.expect("no panic").expect_err("the close did not wait so long");
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Closed, Outcome::Unknown));
        service.abort();
    });
}
