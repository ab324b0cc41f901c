//! What becomes of batches, in virtual time.

use crate::pair::{Does, World, messages, ms};
use producer_core::wire::sys_flag::Compression;
use producer_core::{
    Batch, Config, ErrorKind, InvalidBatch, Message, MessageId, OnUnknown, Order, Outcome,
    QueueChoice, Receipt, Reply, SendError, SendOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn batch(bodies: &[&str]) -> Batch {
    Batch::new(messages(bodies)).expect("valid")
}

fn plain() -> SendOptions {
    SendOptions::default()
}

fn ids(receipts: &[Receipt]) -> Vec<MessageId> {
    receipts.iter().map(|receipt| receipt.message_id).collect()
}

/// The ids that a broker has stored, in its order.
fn stored_ids(world: &World, address: &str) -> Vec<MessageId> {
    let stored = world.peers[address].stored.iter();
    let id = |properties: &str| {
        let id = properties.strip_prefix("UNIQ_KEY\u{1}")?.split('\u{2}').next()?;
        MessageId::parse(id)
    };
    stored.map(|stored| id(&stored.properties).expect("an id of its own")).collect()
}

#[test]
fn each_message_has_a_receipt_of_its_own() {
    let mut world = World::new(Config::default());

    let receipts = world.batch_sent(batch(&["one", "two", "three"]), plain()).expect("stored");

    assert_eq!(world.log, ["one", "two", "three"]);
    assert_eq!(world.peers.values().map(|peer| peer.sends_seen).sum::<usize>(), 1);
    let offsets: Vec<u64> = receipts.iter().map(|receipt| receipt.queue_offset).collect();
    assert_eq!(offsets, [1, 2, 3]);
    let address = if receipts[0].broker.as_ref() == "a" { "a:1" } else { "b:1" };
    assert_eq!(ids(&receipts), stored_ids(&world, address));
    let places: Vec<_> = receipts.iter().map(|receipt| receipt.offset_id).collect();
    assert_eq!(places[2].expect("an id").as_str(), "7F00000100002A9F0000000000000002");
    assert!(places[0] != places[1] && places[1] != places[2], "{places:?}");
}

#[test]
fn one_message_makes_a_batch() {
    let mut world = World::new(Config::default());

    let receipts = world.batch_sent(batch(&["alone"]), plain()).expect("stored");

    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].queue_offset, 1);
    assert!(receipts[0].offset_id.is_some());
}

#[test]
fn a_batch_stored_as_one_has_one_id_and_an_offset_for_each() {
    let mut world = World::new(Config::default());
    for address in ["a:1", "b:1"] {
        world.broker(address).inner_batches = true;
    }

    let receipts = world.batch_sent(batch(&["one", "two", "three"]), plain()).expect("stored");

    let offsets: Vec<u64> = receipts.iter().map(|receipt| receipt.queue_offset).collect();
    assert_eq!(offsets, [1, 2, 3]);
    assert!(receipts.iter().all(|receipt| receipt.offset_id == receipts[0].offset_id));
    assert!(receipts[0].offset_id.is_some() && receipts[0].message_id != receipts[1].message_id);
}

#[test]
fn a_retry_goes_elsewhere_with_the_same_ids() {
    let config = Config { attempt_timeout: Some(ms(100)), ..Config::default() };
    let mut world = World::new(config);
    let warm = world.sent("warm").expect("stored");
    let (bad, good) = if warm.broker.as_ref() == "a" { ("b:1", "a:1") } else { ("a:1", "b:1") };
    world.broker(bad).does = Does::StoreSilently;

    let receipts = world.batch_sent(batch(&["one", "two"]), plain()).expect("stored elsewhere");

    assert!(receipts.iter().all(|receipt| receipt.maybe_duplicate && receipt.attempts == 2));
    assert_eq!(stored_ids(&world, bad), ids(&receipts));
    assert_eq!(stored_ids(&world, good)[1..], ids(&receipts));
}

#[test]
fn a_batch_is_sent_again_under_the_same_ids() {
    let config = Config { on_unknown: OnUnknown::Stop, ..Config::default() };
    let mut world = World::new(config);
    for address in ["a:1", "b:1"] {
        world.broker(address).does = Does::StoreSilently;
    }
    let mut first = batch(&["one", "two"]);
    assert!(first.ids().is_empty());
    world.producer.assign_ids(world.now, &mut first);
    let ids = first.ids().to_vec();
    world.producer.assign_ids(world.now, &mut first);
    assert_eq!(first.ids(), ids, "they are given once");

    let error = world.batch_sent(first.clone(), plain()).expect_err("nobody answers");
    assert_eq!(error.outcome(), Outcome::Unknown);
    for address in ["a:1", "b:1"] {
        world.broker(address).does = Does::Store;
    }
    let receipts = world.batch_sent(first, plain()).expect("stored");

    assert_eq!(self::ids(&receipts), ids);
    let mut stored = [stored_ids(&world, "a:1"), stored_ids(&world, "b:1")].concat();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), 2, "twice, under the same ids");
}

#[test]
fn ids_of_an_earlier_run_are_kept() {
    let written = ["7F00000100002A9F0000000000000001", "7F00000100002A9F0000000000000002"];
    let written = written.map(|id| MessageId::parse(id).expect("an id"));
    let mut world = World::new(Config::default());
    let ready = batch(&["one", "two"]).with_ids(written).expect("one each");

    let receipts = world.batch_sent(ready, plain()).expect("stored");

    assert_eq!(ids(&receipts), written);
    let wrong = batch(&["one", "two"]).with_ids([written[0]]);
    assert_eq!(wrong, Err(InvalidBatch::IdCount { messages: 2, ids: 1 }));
}

#[test]
fn one_way_is_told_when_it_is_written() {
    let mut world = World::new(Config::default());
    let options = SendOptions { reply: Reply::OneWay, ..SendOptions::default() };

    let (ticket, _) = world.send_batch(batch(&["one", "two"]), options);
    world.run_until_done();
    world.run(ms(10));

    assert_eq!(world.written, [ticket]);
    assert_eq!(world.log, ["one", "two"]);
    assert!(world.batches_done.is_empty());
}

#[test]
fn a_batch_has_one_place_in_its_lane() {
    let mut world = World::new(Config::default());
    let key = || plain().queue(QueueChoice::ordered("key", Order::Strict));

    world.send_with("first", key());
    let (ticket, _) = world.send_batch(batch(&["second", "third"]), key());
    world.send_with("fourth", key());
    world.run_until_done();

    assert_eq!(world.log, ["first", "second", "third", "fourth"]);
    assert!(world.batches_done[&ticket].is_ok());
}

#[test]
fn a_cancelled_batch_that_has_not_left_is_not_sent() {
    let mut world = World::new(Config::default());
    let (ticket, id) = world.send_batch(batch(&["one", "two"]), plain());

    assert_eq!(world.producer.cancel(world.now, id), Some(ticket));
    world.run(ms(5_000));

    assert!(world.log.is_empty() && world.batches_done.is_empty());
}

#[test]
fn what_cannot_go_out_together_is_refused() {
    let topic = |name: &str| Message::new(name, "x").expect("valid");
    assert_eq!(Batch::new([]), Err(InvalidBatch::Empty));
    assert_eq!(
        Batch::new([topic("t"), topic("t"), topic("u")]),
        Err(InvalidBatch::MixedTopics { index: 2 })
    );
    assert_eq!(
        Batch::new([topic("t"), topic("t").wait_store_ok(false)]),
        Err(InvalidBatch::MixedWait { index: 1 })
    );
    assert_eq!(Batch::new([topic("%RETRY%g")]), Err(InvalidBatch::RetryTopic));
    assert!(Batch::split([topic("t"), topic("u")], 1_000).is_err());
}

#[test]
fn a_batch_above_the_limit_is_refused_whole() {
    let fits = batch(&["x"; 3]);
    let bytes_max = fits.bytes();
    let mut world = World::new(Config { message_bytes_max: bytes_max, ..Config::default() });
    world.batch_sent(fits, plain()).expect("stored");

    let error = world.batch_sent(batch(&["x"; 4]), plain()).expect_err("too large");

    assert_eq!(error.outcome(), Outcome::NotSent);
    let bytes = bytes_max / 3 * 4;
    assert_eq!(*error.kind(), ErrorKind::MessageTooLarge { bytes, bytes_max });
    assert_eq!(world.log.len(), 3);
}

#[test]
fn members_go_uncompressed() {
    let mut world = World::new(Config::default());
    let packed = messages(["long"]).remove(0).with_compressed(Compression::Zlib, &b"packed"[..]);

    world.batch_sent(Batch::new([packed]).expect("valid"), plain()).expect("stored");

    assert_eq!(world.log, ["long"]);
}

#[test]
fn a_refused_batch_tells_all_with_one_error() {
    let mut world = World::new(Config::default());
    for address in ["a:1", "b:1"] {
        world.broker(address).does = Does::Refuse(13);
    }

    let error: SendError = world.batch_sent(batch(&["one", "two"]), plain()).expect_err("refused");

    assert_eq!(error.outcome(), Outcome::Rejected);
    assert!(world.log.is_empty());
}

/// So many letters at most, without a regular expression: tests in wasm have none.
fn word(bytes_max: usize) -> impl Strategy<Value = String> {
    vec(b'a'..=b'z', 1..=bytes_max).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

proptest! {
    #[test]
    fn a_split_loses_nothing_and_keeps_the_order(
        bodies in vec(word(200), 1..60),
        limit in 1_usize..1_500,
    ) {
        let all = messages(&bodies);
        let batches = Batch::split(all.clone(), limit).expect("valid");

        for batch in &batches {
            prop_assert!(batch.bytes() <= limit || batch.len() == 1);
            let sum: usize = batch.messages().iter()
                .map(|message| Batch::new([message.clone()]).expect("valid").bytes()).sum();
            prop_assert_eq!(batch.bytes(), sum);
        }
        for pair in batches.windows(2) {
            let next = Batch::new([pair[1].messages()[0].clone()]).expect("valid").bytes();
            prop_assert!(pair[0].bytes() + next > limit, "another one would have fitted");
        }
        let again: Vec<Message> = batches.into_iter().flat_map(Batch::into_messages).collect();
        prop_assert_eq!(again, all);
    }

    #[test]
    fn the_length_that_is_foretold_is_the_one_sent(
        bodies in vec(word(50), 1..10),
        wait in any::<bool>(),
        value in word(30),
    ) {
        let made = messages(&bodies).into_iter().map(|message| {
            message.wait_store_ok(wait).with_property("name", &value).expect("valid")
        });
        let batch = Batch::new(made).expect("valid");
        let bytes = batch.bytes();
        let mut world = World::new(Config { message_bytes_max: bytes, ..Config::default() });
        prop_assert!(world.batch_sent(batch.clone(), plain()).is_ok());
        let mut world = World::new(Config { message_bytes_max: bytes - 1, ..Config::default() });
        prop_assert!(world.batch_sent(batch, plain()).is_err());
    }
}
