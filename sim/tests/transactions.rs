//! Transactions on the simulated network: the native producer, unchanged, and what can be lost.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use producer_native::{Decision, HalfMessage, Message, Producer, TransactionCheck, WhenDropped};
use sim::model::broker::Transaction;
use sim::world::{World, WorldBuilder};
use tokio::task::spawn_local;
use tokio::time::timeout;

const TOPIC: &str = "orders";

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn cluster(seed: u64) -> WorldBuilder {
    let names = ["broker-a", "broker-b"];
    let builder = World::builder(seed).tick_ms(10).topic(TOPIC, 4);
    let latency = Duration::from_millis(10);
    let builder = builder.latency(latency, latency);
    names.into_iter().fold(builder, |builder, name| builder.broker(name, |_| {}))
}

fn message(body: impl Into<String>) -> Message {
    Message::new(TOPIC, body.into()).expect("a valid message")
}

/// A producer whose checker commits everything but bodies that begin with `no`.
fn producer(world: &World) -> Producer {
    let builder = world.producer("shop").when_dropped(WhenDropped::LeaveUnknown);
    builder.transaction_checker(decide).build().expect("a valid configuration")
}

async fn decide(check: TransactionCheck) -> Decision {
    match check.body.starts_with(b"no") {
        true => Decision::Rollback,
        false => Decision::Commit,
    }
}

/// What takes so much simulated time.
async fn takes(time: Duration) {
    let _elapsed = timeout(time, std::future::pending::<()>()).await;
}

fn transactions(world: &World) -> Vec<Transaction> {
    world.brokers().iter().flat_map(|broker| broker.look(|broker| broker.transactions())).collect()
}

/// How often consumers see each body.
fn seen(world: &World) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for message in world.brokers().iter().flat_map(|broker| broker.messages(TOPIC)) {
        *seen.entry(String::from_utf8_lossy(&message.body).into_owned()).or_default() += 1;
    }
    seen
}

#[test]
fn a_lost_commit_is_made_good_by_a_check() {
    cluster(1).run(|world| async move {
        let producer = producer(&world);
        for broker in world.brokers() {
            broker.with(|broker, _| broker.lose_ends(1));
        }
        let open = producer.begin(message("paid")).await.expect("all is well");
        open.commit().await.expect("it is told");
        world.pass(secs(1)).await;
        assert!(seen(&world).is_empty(), "nobody sees it yet");
        for broker in world.brokers() {
            broker.with(|broker, _| broker.lose_ends(0));
        }

        world.pass(secs(60)).await;

        assert_eq!(seen(&world), BTreeMap::from([("paid".to_owned(), 1)]));
        let all = transactions(&world);
        assert_eq!((all.len(), all[0].checks, all[0].commits, all[0].open), (1, 1, 1, false));
        let stats = producer.stats();
        assert_eq!((stats.checks, stats.transactions_ended), (1, 2), "{stats:?}");
    });
}

/// The number that the project promises.
#[test]
fn ten_thousand_half_messages_with_one_lost_end_in_a_hundred_all_end_once() {
    const TASKS: usize = 100;
    const EACH: usize = 100;
    cluster(2).run(|world| async move {
        let producer = producer(&world);
        for broker in world.brokers() {
            broker.with(|broker, _| broker.lose_ends(100));
        }
        let task = |task: usize| {
            let producer = producer.clone();
            spawn_local(async move {
                for number in 0..EACH {
                    // Every tenth is rolled back, and every thousandth left to the checker.
                    let body = match number % 10 {
                        3 => format!("no {task} {number}"),
                        _ => format!("yes {task} {number}"),
                    };
                    let open = producer.begin(message(body)).await.expect("no broker fails");
                    match number % 10 {
                        3 => open.rollback().await.expect("it is told"),
                        7 if task.is_multiple_of(10) => open.unknown(),
                        _ => drop(open.commit().await.expect("it is told")),
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        world.pass(secs(120)).await;

        let all = transactions(&world);
        assert_eq!(all.len(), TASKS * EACH);
        let asked = all.iter().filter(|one| one.checks > 0).count();
        for one in &all {
            let no = one.message.body.starts_with(b"no");
            let ended = (one.commits, one.rollbacks, one.open, one.given_up);
            assert_eq!(ended, (u32::from(!no), u32::from(no), false, false), "{one:?}");
        }
        let seen = seen(&world);
        assert_eq!(seen.len(), TASKS * EACH * 9 / 10);
        assert!(seen.values().all(|&times| times == 1), "none twice");
        assert!(asked >= 150, "a hundred were lost and a hundred left open: {asked} were asked");
        let stats = producer.stats();
        assert_eq!((stats.checks_dropped, stats.checks_failed), (0, 0), "{stats:?}");
    });
}

#[test]
fn a_storm_of_checks_is_bounded_and_does_not_delay_sends() {
    const OPEN: usize = 3_000;
    cluster(3).run(|world| async move {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (running.clone(), most.clone());
        let slow = move |check: TransactionCheck| {
            let (running, most) = counts.clone();
            async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                takes(Duration::from_millis(100)).await;
                running.fetch_sub(1, SeqCst);
                decide(check).await
            }
        };
        let producer = world.producer("shop").transaction_checker(slow).checks_at_once(16);
        let producer = producer.build().expect("a valid configuration");
        for number in 0..OPEN / 100 {
            let tasks: Vec<_> = (0..100)
                .map(|n| {
                    let producer = producer.clone();
                    spawn_local(async move {
                        let open = producer.begin(message(format!("{number} {n}"))).await;
                        open.expect("all is well").unknown();
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no task panics");
            }
        }
        let longest = Rc::new(Cell::new(Duration::ZERO));
        let sends = {
            let (producer, world, longest) = (producer.clone(), world.clone(), longest.clone());
            spawn_local(async move {
                for _ in 0..1_200 {
                    let begun = world.elapsed();
                    producer.send(message("plain")).await.expect("all is well");
                    longest.set(longest.get().max(world.elapsed() - begun));
                    world.pass(Duration::from_millis(50)).await;
                }
            })
        };
        sends.await.expect("no task panics");
        world.pass(secs(240)).await;

        assert_eq!(most.load(SeqCst), 16, "16 at once");
        assert!(longest.get() <= Duration::from_millis(60), "sends go on: {longest:?}");
        let stats = producer.stats();
        assert!(stats.checks_dropped > 0, "more came than may wait: {stats:?}");
        let open = transactions(&world).iter().filter(|one| one.open || one.commits != 1).count();
        assert_eq!(open, 0, "those that were dropped were asked again: {stats:?}");
    });
}

#[test]
fn a_broker_that_is_lost_between_half_and_commit_asks_when_it_is_back() {
    cluster(4).run(|world| async move {
        let producer = producer(&world);
        let open = producer.begin(message("paid")).await.expect("all is well");
        let name = open.half().receipt.broker.to_string();
        world.broker(&name).kill().await;
        world.pass(secs(1)).await;

        let begun = world.elapsed();
        let told = open.commit().await;
        assert!(world.elapsed() - begun <= secs(4), "it is tried as long as a send may take");
        world.broker(&name).start().await;
        world.pass(secs(60)).await;

        assert_eq!(seen(&world), BTreeMap::from([("paid".to_owned(), 1)]), "{told:?}");
        let one = &transactions(&world)[0];
        assert_eq!((one.checks, one.commits), (1, 1), "the broker asked");
    });
}

#[test]
fn a_process_that_dies_leaves_its_transactions_to_another() {
    cluster(5).run(|world| async move {
        let first = producer(&world);
        let other = producer(&world);
        // Whoever is to be asked must be known to the brokers.
        other.begin(message("other")).await.expect("all is well").commit().await.expect("told");
        let open = first.begin(message("paid")).await.expect("all is well");
        drop(first);
        world.pass(secs(1)).await;
        let error = open.commit().await.expect_err("its producer is no more");
        assert_eq!(error.decision, Decision::Commit);

        world.pass(secs(60)).await;

        assert_eq!(seen(&world).get("paid"), Some(&1));
        assert_eq!(other.stats().checks, 1);
    });
}

#[test]
fn a_checker_that_panics_fails_or_never_returns_is_contained() {
    cluster(6).run(|world| async move {
        let times = Arc::new(AtomicUsize::new(0));
        let count = times.clone();
        let checker = move |_check| {
            let time = count.fetch_add(1, SeqCst);
            assert!(time != 0, "before there is a future");
            async move {
                match time {
                    1 => panic!("within it"),
                    2 => Err("no database"),
                    3 => std::future::pending().await,
                    _ => Ok(Decision::Commit),
                }
            }
        };
        let producer = world.producer("shop").transaction_checker(checker).checks_at_once(1);
        let producer = producer.build().expect("a valid configuration");
        producer.begin(message("paid")).await.expect("all is well").unknown();

        world.pass(secs(135)).await;
        assert_eq!(times.load(SeqCst), 4, "asked again each 30 s");
        producer.send(message("plain")).await.expect("sends go on");
        world.pass(secs(60)).await;

        assert_eq!(seen(&world).get("paid"), Some(&1));
        let stats = producer.stats();
        assert_eq!((stats.checks, stats.checks_failed), (5, 4), "{stats:?}");
        let one = transactions(&world).remove(0);
        assert_eq!((one.checks, one.commits), (5, 1));
    });
}

#[test]
fn without_a_checker_checks_are_counted_and_nothing_is_answered() {
    cluster(7).run(|world| async move {
        let producer = world.producer("shop").build().expect("a valid configuration");
        producer.begin(message("paid")).await.expect("all is well").unknown();

        world.pass(secs(100)).await;

        let stats = producer.stats();
        assert_eq!((stats.checks, stats.checks_without_checker), (3, 3), "{stats:?}");
        assert_eq!(stats.transactions_ended, 1, "the word that nothing is known");
    });
}

#[test]
fn a_guard_that_is_dropped_rolls_back_or_leaves_it_unknown() {
    cluster(8).run(|world| async move {
        let rolls_back = world.producer("one").build().expect("a valid configuration");
        let leaves = producer(&world);
        drop(rolls_back.begin(message("rolled back")).await.expect("all is well"));
        drop(leaves.begin(message("left")).await.expect("all is well"));
        world.pass(secs(1)).await;
        let ended: Vec<u32> = transactions(&world).iter().map(|one| one.rollbacks).collect();
        assert_eq!(ended.iter().sum::<u32>(), 1);

        world.pass(secs(60)).await;

        assert_eq!(seen(&world), BTreeMap::from([("left".to_owned(), 1)]));
    });
}

#[test]
fn a_local_transaction_decides_and_its_failure_is_told_to_the_broker() {
    cluster(9).run(|world| async move {
        let producer = producer(&world);
        let ends = [Ok(Decision::Commit), Ok(Decision::Rollback), Err("disk full")];
        for (end, body) in ends.into_iter().zip(["yes 1", "no 2", "no 3"]) {
            let decision = end.unwrap_or(Decision::Unknown);
            let local = move |half: HalfMessage| async move {
                assert_eq!(half.transaction.id, half.receipt.message_id.as_str());
                end
            };
            let ended = producer.send_in_transaction(message(body), local).await;
            let ended = ended.expect("all is well");
            assert_eq!((ended.decision, ended.told), (decision, true));
            assert_eq!(ended.problem.as_deref(), end.err());
        }
        let panics = |_half| async { panic!("in the middle") as Decision };
        let ended = producer.send_in_transaction(message("yes 4"), panics).await;
        let ended = ended.expect("the panic stays inside");
        assert_eq!(ended.problem.as_deref(), Some("it panicked: in the middle"));
        let stays = |_half| std::future::pending::<Decision>();
        let sending = producer.send_in_transaction(message("yes 5"), stays);
        assert!(timeout(secs(1), sending).await.is_err(), "it is dropped");

        world.pass(secs(60)).await;

        let seen: Vec<String> = seen(&world).into_keys().collect();
        assert_eq!(seen, ["yes 1", "yes 4", "yes 5"]);
        let checks: u32 = transactions(&world).iter().map(|one| one.checks).sum();
        assert_eq!(
            checks, 3,
            "the one that failed, the one that panicked, the one that was dropped"
        );
    });
}
