//! Batches: all of their messages are stored or none, however often they are tried.

use std::collections::{BTreeMap, BTreeSet};

use producer_native::{Batch, Outcome, Receipt};
use sim::model::broker::{Fault, Refusal, Times};
use sim::world::{Cut, Way, World};

use super::{BROKERS, cluster, fault, message, ms, producer, stored, text};

const MEMBERS: usize = 5;

/// The `number`th batch: five bodies that say so.
fn batch(number: usize) -> Batch {
    let messages = (0..MEMBERS).map(|member| message(format!("{number}.{member}")));
    Batch::new(messages).expect("messages that go together")
}

/// The bodies of a batch.
fn bodies(number: usize) -> Vec<String> {
    (0..MEMBERS).map(|member| format!("{number}.{member}")).collect()
}

/// The places where a batch is stored, each with bodies and ids. Whatever is stored of it must be
/// all of it, in order and with nothing in between.
fn copies(world: &World, number: usize) -> Vec<(String, Vec<String>)> {
    let mut copies = Vec::new();
    for broker in world.brokers() {
        let mut queues: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for message in broker.messages(super::TOPIC) {
            queues.entry(message.queue_id).or_default().push(message);
        }
        for (queue, log) in queues {
            let first = format!("{number}.");
            let ours: Vec<_> = log.iter().filter(|one| text(one).starts_with(&first)).collect();
            for copy in ours.chunks(MEMBERS) {
                let found: Vec<String> = copy.iter().map(|message| text(message)).collect();
                assert_eq!(found, bodies(number), "{} queue {queue}", broker.name());
                let (first, last) = (copy[0].queue_offset, copy[MEMBERS - 1].queue_offset);
                assert_eq!(last - first, MEMBERS as i64 - 1, "nothing in between");
                let ids = copy.iter().map(|m| m.uniq_key().unwrap_or_default().to_owned());
                copies.push((broker.name().to_owned(), ids.collect()));
            }
        }
    }
    copies
}

fn ids(receipts: &[Receipt]) -> Vec<String> {
    receipts.iter().map(|receipt| receipt.message_id.to_string()).collect()
}

/// The planted bugs `DuplicateUnsaid` and `AckOnClose` make this fail.
#[test]
pub(crate) fn lost_answers_store_a_batch_again_under_the_same_ids() {
    let ends = [
        (Fault::CloseAfterStoring, 2),
        (Fault::NoAnswer, 2),
        (Fault::HalfAnswer, 2),
        (Fault::Garbage, 2),
        (Fault::AnswerTwice, 1),
    ];
    for (seed, (lost, expected)) in (10..).zip(ends) {
        cluster(seed).run(move |world| async move {
            let producer = producer(&world);
            producer.send_batch(batch(0)).await.expect("all is well");
            for number in 1..=8 {
                let at = BROKERS[number / 2 % 2];
                fault(&world, &[at], lost, Times::Next(1));
                let receipts = producer.send_batch(batch(number)).await.expect("it is retried");
                world.pass(ms(50)).await;

                let copies = copies(&world, number);
                let hit = copies.iter().any(|copy| copy.0 == at);
                let times = if hit { expected } else { 1 };
                assert_eq!(copies.len(), times, "{lost:?}, batch {number}: {copies:?}");
                for (broker, copy) in &copies {
                    assert_eq!(*copy, ids(&receipts), "{lost:?}, batch {number} at {broker}");
                }
                let doubted = receipts.iter().filter(|receipt| receipt.maybe_duplicate).count();
                let all = if times > 1 { MEMBERS } else { 0 };
                assert_eq!(doubted, all, "{lost:?}, batch {number}: of {MEMBERS} receipts");
                world.broker(at).with(|broker, _| broker.clear_faults());
            }
            let stats = producer.stats();
            let again = stats.attempts - 9;
            let extra = (stored(&world).len() - 9 * MEMBERS) / MEMBERS;
            let found = format!("{lost:?}: {again} attempts again, {extra} copies more, {stats:?}");
            assert_eq!(again, if expected > 1 { extra as u64 } else { 0 }, "{found}");
            assert_eq!(extra > 0, expected > 1, "{found}");
        });
    }
}

/// The planted bugs `BusyNotRetried` and `SlowFailover` make this fail.
#[test]
pub(crate) fn a_batch_that_a_busy_broker_refuses_goes_elsewhere_whole() {
    cluster(20).run(|world| async move {
        let producer = producer(&world);
        for number in 20..22 {
            producer.send_batch(batch(number)).await.expect("both are dialled");
        }
        fault(&world, &["broker-a"], Fault::Refuse(Refusal::Busy), Times::All);
        let mut retried = 0;
        let mut longest = ms(0);
        for number in 0..20 {
            let begun = world.elapsed();
            let receipts = producer.send_batch(batch(number)).await.expect("the other takes it");
            longest = longest.max(world.elapsed() - begun);

            let first = &receipts[0];
            assert!(receipts.iter().all(|it| &*it.broker == "broker-b"), "{receipts:?}");
            assert!(receipts.iter().all(|it| it.queue_id == first.queue_id), "{receipts:?}");
            let offsets = receipts.iter().map(|receipt| receipt.queue_offset);
            assert!(offsets.eq(first.queue_offset..first.queue_offset + MEMBERS as u64));
            let copies = copies(&world, number);
            assert_eq!(copies, [("broker-b".to_owned(), ids(&receipts))]);
            assert!(!first.maybe_duplicate, "a busy broker has stored nothing");
            retried += u32::from(first.attempts > 1);
        }
        assert!(retried >= 1, "{retried} of 20 were refused first");
        // A refusal and the other broker, 4 to 6 ms each: no pause.
        assert!(longest <= ms(13), "the longest took {longest:?}, {retried} were refused first");
    });
}

#[test]
fn of_several_batches_those_that_are_refused_fail_whole_and_the_others_are_stored() {
    cluster(30).run(|world| async move {
        let producer = producer(&world);
        producer.send_batch(batch(0)).await.expect("all is well");
        let (mut refused, mut kept) = (Vec::new(), Vec::new());
        for number in 1..=12 {
            if number % 3 == 0 {
                fault(&world, &BROKERS, Fault::Refuse(Refusal::Illegal), Times::Next(1));
            }
            match producer.send_batch(batch(number)).await {
                Ok(_) => kept.push(number),
                Err(error) => {
                    assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
                    refused.push(number);
                }
            }
            for name in BROKERS {
                world.broker(name).with(|broker, _| broker.clear_faults());
            }
        }

        assert_eq!(refused, [3, 6, 9, 12]);
        let found = |numbers: &[usize]| -> Vec<usize> {
            numbers.iter().map(|&number| copies(&world, number).len()).collect()
        };
        assert_eq!((found(&refused), found(&kept)), (vec![0; 4], vec![1; 8]));
        let stats = producer.stats();
        assert_eq!((stats.stored, stats.rejected, stats.retries), (9, 4, 0), "{stats:?}");
    });
}

/// The planted bug `AckOnClose` makes this fail.
#[test]
pub(crate) fn a_request_that_breaks_off_stores_no_message_of_its_batch() {
    cluster(40).run(|world| async move {
        let producer = producer(&world);
        producer.send_batch(batch(0)).await.expect("all is well");
        let mut ends = BTreeSet::new();
        for number in 1..=30 {
            let at = BROKERS[number / 2 % 2];
            // Somewhere in the header or between two messages.
            world.wire(at).cut_after(Way::Write, 37 * number as u64, Cut::Reset);
            let receipts = producer.send_batch(batch(number)).await.expect("it is retried");
            world.wire(at).heal();

            let copies = copies(&world, number);
            assert_eq!(copies.len(), 1, "batch {number}, cut at {at}: {copies:?}");
            assert_eq!(copies[0].1, ids(&receipts));
            ends.insert((receipts[0].attempts, receipts[0].maybe_duplicate));
        }
        let total = stored(&world).len();
        assert_eq!(total, 31 * MEMBERS, "attempts and doubts were {ends:?}");
        assert!(ends.contains(&(2, true)), "none broke off: {ends:?}");
    });
}

/// The planted bugs `BatchIdsRenewed` and `RetryRenewsTime` make this fail.
#[test]
pub(crate) fn a_batch_of_unknown_end_sent_again_keeps_its_ids() {
    cluster(50).run(|world| async move {
        let producer = producer(&world);
        producer.send_batch(batch(0)).await.expect("all is well");
        fault(&world, &BROKERS, Fault::NoAnswer, Times::All);
        let mut mine = batch(1);
        producer.assign_ids(&mut mine);
        let begun = world.elapsed();
        let error = producer.send_batch(mine.clone()).await.expect_err("nobody answers");
        let took = world.elapsed() - begun;

        assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
        assert!(took <= ms(3_010), "{took:?} of 3 s");
        let attempts = error.attempts().len();
        let before = copies(&world, 1);
        assert_eq!(before.len(), attempts, "{error}: {before:?}");

        for name in BROKERS {
            world.broker(name).with(|broker, _| broker.clear_faults());
        }
        let receipts = producer.send_batch(mine).await.expect("all is well again");
        let after = copies(&world, 1);
        assert_eq!(after.len(), attempts + 1, "one copy more: {after:?}");
        for copy in &after {
            assert_eq!(copy.1, ids(&receipts), "one id a message in {} copies", after.len());
        }
    });
}
