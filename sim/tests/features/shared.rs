//! Sends that share requests of their own accord, while something fails or one of them gives up.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_native::{AutoBatch, Outcome, Producer, Receipt, SendError};
use sim::model::broker::{Fault, Refusal, Times};
use sim::world::World;
use tokio::task::{JoinHandle, spawn_local};

use super::{BROKERS, cluster, fault, message, ms, stored, text};

fn sharing(world: &World, linger: Duration) -> Producer {
    let auto_batch = AutoBatch { linger, ..AutoBatch::default() };
    world.producer("shop").auto_batch(auto_batch).build().expect("a valid configuration")
}

type Sent = JoinHandle<Result<Receipt, SendError>>;

fn send(producer: &Producer, body: &str) -> Sent {
    let (producer, message) = (producer.clone(), message(body));
    spawn_local(async move { producer.send(message).await })
}

fn bodies(world: &World) -> Vec<String> {
    let mut bodies: Vec<String> = stored(world).iter().map(text).collect();
    bodies.sort();
    bodies
}

/// One is cancelled while it gathers with others, one when their request is on its way, and the
/// request is refused. Who cancelled is in no later request. The planted bug `EndedSentAgain` makes
/// this fail.
#[test]
pub(crate) fn who_cancels_is_in_no_later_request_and_the_others_are() {
    cluster(60).run(|world| async move {
        let producer = sharing(&world, ms(20));
        producer.send(message("warm")).await.expect("all is well");
        // They leave at once; fewer than are under way gather until they have waited long enough.
        let first = spawn_local({
            let (producer, messages) = (producer.clone(), ["a", "b", "c", "d", "e", "f"]);
            async move { producer.send_all(messages.map(message)).await }
        });
        world.pass(ms(1)).await;
        let (gone_early, gone_late) = (send(&producer, "gone early"), send(&producer, "gone late"));
        let (second, third) = (send(&producer, "second"), send(&producer, "third"));
        for name in BROKERS {
            world.broker(name).with(|broker, _| broker.delay_answers(ms(50)));
        }
        world.pass(ms(5)).await;
        gone_early.abort();
        fault(&world, &BROKERS, Fault::Refuse(Refusal::Busy), Times::Next(1));
        let before = producer.stats().attempts;
        while producer.stats().attempts == before {
            world.pass(ms(1)).await;
        }
        gone_late.abort();
        for sent in first.await.expect("no panic") {
            assert_eq!(sent.expect("all is well").attempts, 1, "they left before");
        }
        let asked = producer.stats().requests_in_flight;
        for sent in [second, third] {
            let receipt = sent.await.expect("no panic").expect("it is retried");
            assert_eq!(receipt.attempts, 3, "both brokers refuse once: {receipt:?}");
        }

        let stats = producer.stats();
        let found = format!("{asked} under way, {stats:?}");
        let all = ["a", "b", "c", "d", "e", "f", "second", "third", "warm"];
        assert_eq!(bodies(&world), all, "{found}");
        assert_eq!((stats.cancelled, stats.in_hand), (2, 0), "{found}");
    });
}

/// A broker dies under 40 senders, each sending one after the other: nobody fails, nothing is lost,
/// and what is stored twice is said to be so. The planted bug `AckOnClose` makes this fail.
#[test]
pub(crate) fn a_broker_that_dies_under_shared_requests_fails_nobody() {
    const TASKS: usize = 40;
    const EACH: usize = 100;
    cluster(70).run(|world| async move {
        let producer = sharing(&world, ms(10));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let producer = producer.clone();
                spawn_local(async move {
                    let mut receipts = Vec::new();
                    for n in 0..EACH {
                        let sent = producer.send(message(format!("{task} {n}"))).await;
                        receipts.push(sent.expect("the other broker takes it"));
                    }
                    receipts
                })
            })
            .collect();
        world.pass(ms(200)).await;
        world.broker("broker-a").kill().await;
        world.pass(ms(200)).await;
        world.broker("broker-a").start().await;
        world.pass(ms(100)).await;
        world.broker("broker-b").lose_power().await;
        let mut receipts = Vec::new();
        for task in tasks {
            receipts.extend(task.await.expect("no task panics"));
        }

        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        for one in stored(&world) {
            *copies.entry(one.uniq_key().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let count = |receipt: &Receipt| copies.get(&receipt.message_id.to_string()).copied();
        let lost = receipts.iter().filter(|receipt| count(receipt).is_none()).count();
        let unsaid = receipts.iter().filter(|it| count(it) > Some(1) && !it.maybe_duplicate);
        let twice = copies.values().filter(|&&times| times > 1).count();
        let stats = producer.stats();
        let found = format!("{twice} twice, {stats:?}");
        assert_eq!((receipts.len(), lost, unsaid.count()), (TASKS * EACH, 0, 0), "{found}");
        let requests = stats.attempts as usize;
        assert!(requests * 4 < TASKS * EACH, "{requests} requests for {} sends", TASKS * EACH);
        let moved = receipts.iter().filter(|receipt| receipt.attempts > 1).count();
        assert!(moved > 0, "nothing was under way when they died: {found}");
    });
}

/// The planted bug `AckOnClose` makes this fail.
#[test]
pub(crate) fn a_request_that_nobody_answers_is_unknown_to_all_who_share_it() {
    cluster(80).run(|world| async move {
        let producer = sharing(&world, ms(20));
        producer.send(message("warm")).await.expect("all is well");
        fault(&world, &BROKERS, Fault::CloseAfterStoring, Times::All);
        let sent: Vec<Sent> = (0..8).map(|n| send(&producer, &n.to_string())).collect();
        for sent in sent {
            let error = sent.await.expect("no panic").expect_err("nobody answers");
            assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        }

        let stats = producer.stats();
        assert_eq!((stats.unknown, stats.in_hand), (8, 0), "{stats:?}");
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in stored(&world).iter().filter(|one| text(one) != "warm") {
            ids.entry(text(one)).or_default().push(one.uniq_key().unwrap_or_default().to_owned());
        }
        let same = |ids: &Vec<String>| ids.iter().all(|id| *id == ids[0]);
        // A connection that ends under one request takes others along before they are stored.
        let copies = ids.values().map(Vec::len);
        assert!(copies.clone().all(|count| (1..=3).contains(&count)), "{ids:?}");
        assert!(ids.len() == 8 && ids.values().all(same), "one id in {:?} copies", copies.max());
    });
}
