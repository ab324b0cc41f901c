//! Bodies that are compressed: the same bytes in every attempt, whatever fails.

use producer_native::{Compress, Compression, Producer, decompress};
use sim::model::broker::{Fault, Message, Refusal, Times};
use sim::world::{Cut, Way, World};

use super::{BROKERS, cluster, fault, message, ms, stored};

const KINDS: [Compression; 2] = [Compression::Zlib, Compression::Lz4];
const BYTES: usize = 20_000;

fn packing(world: &World, kind: Compression) -> Producer {
    let how = Compress { kind, ..Compress::default() };
    world.producer("shop").compression(how).build().expect("this build has it")
}

/// The `number`th body: repetitive, and like no other.
fn body(number: usize) -> Vec<u8> {
    format!("order {number} is paid; ").into_bytes().into_iter().cycle().take(BYTES).collect()
}

/// What consumers make of it.
fn unpacked(message: &Message) -> Vec<u8> {
    let plain = decompress(message.sys_flag, &message.body, BYTES);
    plain.expect("it is what its flag says").into_owned()
}

/// The planted bug `RetrySaysPlain` makes this fail.
#[test]
pub(crate) fn a_compressed_send_is_the_same_bytes_at_every_broker() {
    for (seed, kind) in (90..).zip(KINDS) {
        cluster(seed).run(move |world| async move {
            let producer = packing(&world, kind);
            producer.send(message("short")).await.expect("all is well");
            let flag = 1 | kind.flag();
            for number in 0..10 {
                // Stored, and lost on the way back: both brokers have what they were sent.
                fault(&world, &BROKERS, Fault::CloseAfterStoring, Times::Next(1));
                let receipt = producer.send(message(body(number))).await.expect("third time");

                let id = receipt.message_id.to_string();
                let found = stored(&world);
                let copies: Vec<&Message> =
                    found.iter().filter(|one| one.uniq_key() == Some(&id)).collect();
                assert_eq!((copies.len(), receipt.attempts), (3, 3), "{kind:?} {number}");
                let packed = copies[0].body.len();
                assert!(packed < BYTES / 20, "{packed} bytes of {BYTES}");
                for copy in copies {
                    assert_eq!(copy.sys_flag & 0x701, flag, "{kind:?} {number}");
                    assert!(copy.body == found_first(&found, &id), "{kind:?} {number}");
                    assert!(unpacked(copy) == body(number), "{kind:?} {number}");
                }
            }
            let places = |name| world.broker(name).messages(super::TOPIC).len();
            let places = BROKERS.map(places);
            assert!(places.iter().all(|&count| count >= 10), "{kind:?}: {places:?} of 31");
        });
    }
}

/// The body that was stored first under an id.
fn found_first<'s>(found: &'s [Message], id: &str) -> &'s [u8] {
    let first = found.iter().find(|one| one.uniq_key() == Some(id));
    first.map_or(&[], |first| &first.body)
}

/// The planted bug `RetrySaysPlain` makes this fail.
#[test]
pub(crate) fn a_busy_broker_lets_a_compressed_send_go_elsewhere() {
    for (seed, kind) in (95..).zip(KINDS) {
        cluster(seed).run(move |world| async move {
            let producer = packing(&world, kind);
            producer.send(message("short")).await.expect("all is well");
            fault(&world, &["broker-a"], Fault::Refuse(Refusal::Busy), Times::All);
            let mut retried = 0;
            for number in 0..20 {
                let receipt = producer.send(message(body(number))).await.expect("the other one");
                retried += u32::from(receipt.attempts == 2);
            }

            let found = world.broker("broker-b").messages(super::TOPIC);
            let long: Vec<&Message> = found.iter().filter(|one| one.sys_flag & 1 == 1).collect();
            assert_eq!(long.len(), 20, "{kind:?}, {retried} retried");
            let mut plain: Vec<Vec<u8>> = long.iter().map(|one| unpacked(one)).collect();
            let mut sent: Vec<Vec<u8>> = (0..20).map(body).collect();
            plain.sort();
            sent.sort();
            assert!(plain == sent, "{kind:?}, {retried} retried: the callers' bodies");
            assert!(retried > 0, "{kind:?}");
        });
    }
}

/// The planted bug `RetrySaysPlain` makes this fail.
#[test]
pub(crate) fn a_compressed_request_that_breaks_off_is_sent_again_whole() {
    for (seed, kind) in (97..).zip(KINDS) {
        cluster(seed).run(move |world| async move {
            let producer = packing(&world, kind);
            producer.send(message("short")).await.expect("all is well");
            let mut again = 0;
            for number in 0..10 {
                for name in BROKERS {
                    world.wire(name).cut_after(Way::Write, 60 * (number as u64 + 1), Cut::Reset);
                }
                let begun = world.elapsed();
                let receipt = producer.send(message(body(number))).await.expect("it is retried");
                let took = world.elapsed() - begun;
                for name in BROKERS {
                    world.wire(name).heal();
                }
                assert!(took < ms(200), "{kind:?} {number}: {took:?}");
                let id = receipt.message_id.to_string();
                let found = stored(&world);
                let copies: Vec<&Message> =
                    found.iter().filter(|one| one.uniq_key() == Some(&id)).collect();
                assert_eq!(copies.len(), 1, "{kind:?} {number}: {receipt:?}");
                assert!(unpacked(copies[0]) == body(number), "{kind:?} {number}");
                again += receipt.attempts - 1;
            }
            assert!(again >= 10, "{kind:?}: {again} attempts again");
        });
    }
}
