//! Is every byte of a message stored, whatever its shape and the header's encoding?

use std::collections::{HashMap, HashSet};
use std::process;
use std::time::{Duration, SystemTime};

use producer_native::{InvalidMessage, Message, Producer, Receipt, SerializeType};
use tests::cluster::java::Peer;
use tests::cluster::{Result, Stored, Topic};
use tests::interop::{message, producer, stored};

use crate::send::World;

pub(crate) fn stored_as_sent(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new(TOPIC, 4).on(&["a"]))?;
    let messages: Vec<_> = (0..COUNT).map(|n| shape(n).expect("a valid shape")).collect();

    let mut receipts = Vec::new();
    let mut producers = Vec::new();
    for (parity, header) in [SerializeType::Json, SerializeType::RocketMq].into_iter().enumerate() {
        // A slow machine must not make duplicates, which would be counted here.
        let builder = producer(&world.runtime, &world.cluster).header(header);
        let builder = builder.send_timeout(Duration::from_secs(60)).attempt_timeout(None);
        let producer = builder.build().expect("it has what it needs");
        let half: Vec<_> = messages.iter().skip(parity).step_by(2).cloned().collect();
        receipts.push(send_in_groups(world, &producer, &half));
        producers.push(producer);
    }

    let mut found = by_place(world.cluster.read_back_when(TOPIC, COUNT)?);
    assert_eq!(found.len(), COUNT);
    for (n, message) in messages.iter().enumerate() {
        let receipt = &receipts[n % 2][n / 2];
        let place = (receipt.broker.to_string(), receipt.queue_id, receipt.queue_offset);
        let stored = found.remove(&place).unwrap_or_else(|| panic!("nothing at {place:?}"));
        assert_same(n, message, receipt, &stored);
    }
    let ids: HashSet<_> = receipts.iter().flatten().map(|receipt| receipt.message_id).collect();
    assert_eq!(ids.len(), COUNT);
    for (producer, receipts) in producers.iter().zip(&receipts) {
        java_reads_our_ids(world, producer, &receipts[..50])?;
        world.runtime.block_on(producer.close(Duration::from_secs(1)));
    }
    Ok(())
}

pub(crate) fn one_way_arrives(world: &World) -> Result<()> {
    let topic = "one-way";
    world.cluster.create_topic(&Topic::new(topic, 2).on(&["a", "b"]))?;

    for n in 0..20 {
        let written = world.runtime.block_on(world.plain.send_oneway(message(topic, "gone")));
        written.unwrap_or_else(|error| panic!("one-way {n}: {error}"));
    }

    let messages = world.cluster.read_back_when(topic, 20)?;
    assert_eq!(messages.len(), 20);
    assert!(messages.iter().all(|message| message.body == b"gone"));
    Ok(())
}

/// A few at a time, for there are long ones among them.
fn send_in_groups(world: &World, producer: &Producer, messages: &[Message]) -> Vec<Receipt> {
    let groups = messages.chunks(25).flat_map(|group| {
        let results = world.runtime.block_on(producer.send_all(group.to_vec()));
        results.into_iter().map(stored)
    });
    groups.collect()
}

fn by_place(messages: Vec<Stored>) -> HashMap<(String, u32, u64), Stored> {
    let place = |message: &Stored| {
        let queue = u32::try_from(message.queue_id).expect("queues count from 0");
        let offset = u64::try_from(message.queue_offset).expect("offsets count from 0");
        (message.broker.clone(), queue, offset)
    };
    messages.into_iter().map(|message| (place(&message), message)).collect()
}

fn assert_same(n: usize, sent: &Message, receipt: &Receipt, stored: &Stored) {
    assert!(stored.body == sent.body()[..], "body of {n}: {} bytes", stored.body.len());
    assert_eq!(stored.flag, sent.flag_value(), "flag of {n}");
    assert_eq!(stored.tags(), sent.property("TAGS"), "tags of {n}");
    assert_eq!(stored.keys(), sent.property("KEYS"), "keys of {n}");
    let own = |(name, _): &(&String, &String)| !ADDED.contains(&name.as_str());
    let properties: HashMap<_, _> = stored.properties.iter().filter(own).collect();
    let wanted: Vec<_> = sent.properties().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    assert_eq!(properties, wanted.iter().map(|(n, v)| (n, v)).collect(), "properties of {n}");
    assert_eq!(stored.topic, TOPIC);
    assert_eq!(stored.uniq_key(), Some(receipt.message_id.as_str()), "id of {n}");
    let offset_id = receipt.offset_id.map(|id| id.to_string());
    assert_eq!(offset_id, Some(stored.offset_id()), "offset id of {n}");
    // A cold broker may be too busy for some of the first, refuse them and get them again; that each
    // is there once is counted.
    assert!(!receipt.maybe_duplicate, "{n} after {} attempts", receipt.attempts);
    assert!(apart_ms(stored.born_time_ms) < 120_000, "{n} was born at {}", stored.born_time_ms);
}

fn java_reads_our_ids(world: &World, producer: &Producer, receipts: &[Receipt]) -> Result<()> {
    let ids: Vec<_> = receipts.iter().map(|receipt| receipt.message_id.to_string()).collect();
    let mut arguments = vec!["ids"];
    arguments.extend(ids.iter().map(String::as_str));
    // Ids count from the start of the month in UTC; Java reads them by its own zone.
    let read = Peer::new(world.cluster.release())?.run(&["-Duser.timezone=UTC"], &arguments)?;

    let client_id = producer.client_id();
    let ip = client_id.split('@').next();
    assert_eq!(read.len(), ids.len());
    for (id, read) in ids.iter().zip(&read) {
        assert_eq!(read["id"], **id);
        assert_eq!(read["ip"].as_str(), ip);
        assert_eq!(read["pid"], process::id() & 0xFFFF);
        let time = read["timeMs"].as_i64().unwrap_or(0);
        assert!(apart_ms(time) < 120_000, "Java reads {read}");
    }
    Ok(())
}

/// From a time to now.
fn apart_ms(unix_ms: i64) -> u128 {
    let then = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is set");
    now.abs_diff(then).as_millis()
}

/// Even and odd numbers go by different headers, so shapes go by pairs.
fn shape(n: usize) -> Result<Message, InvalidMessage> {
    let pair = n / 2;
    let mut message = Message::new(TOPIC, body(pair))?.flag(FLAGS[pair % FLAGS.len()]);
    if pair.is_multiple_of(2) {
        message = message.tag(TEXTS[pair / 2 % TEXTS.len()].trim())?;
    }
    if pair.is_multiple_of(3) {
        let keys = [format!("k{n}"), format!("schlüssel-{n}"), format!("\"{n}\\")];
        message = message.keys(keys.iter().take(1 + pair / 3 % 3).map(String::as_str))?;
    }
    for i in 0..pair % 5 {
        let name = TEXTS[(pair + i) % TEXTS.len()];
        message = message.with_property(name, TEXTS[(pair / 5 + 3 * i) % TEXTS.len()])?;
    }
    if pair.is_multiple_of(97) {
        message = message.with_property("long", &"ß".repeat(8_000))?;
    }
    Ok(message.wait_store_ok(pair % 4 != 3))
}

fn body(pair: usize) -> Vec<u8> {
    let bytes = match pair {
        100 => 4 << 20,
        150 | 250 | 350 | 450 => 1 << 20,
        _ => SIZES[pair % SIZES.len()],
    };
    match pair % 7 {
        0 => "日本語 ☃ ü \u{1F980} \"\\\n".bytes().cycle().take(bytes).collect(),
        // Every byte value, at another place each time.
        _ => (0..bytes).map(|i| (i.wrapping_mul(31) + pair) as u8).collect(),
    }
}

const TOPIC: &str = "shapes";
const COUNT: usize = 1_000;
const SIZES: [usize; 9] = [1, 2, 3, 255, 256, 1_000, 4_096, 4_097, 10_000];
const FLAGS: [i32; 5] = [0, 1, -1, i32::MAX, i32::MIN];
/// Names and values that a careless encoder of JSON, of properties or of UTF-8 breaks.
const TEXTS: [&str; 14] = [
    "plain",
    "with blank",
    " blanks around ",
    "\"quoted\"",
    "back\\slash\\",
    "{\"json\":[1,null]}",
    "line\nbreak\r\ttab",
    "\u{0}\u{3}\u{1f}\u{7f}",
    "ünïcödé",
    "日本語",
    "\u{1F980}\u{1F468}\u{200D}\u{1F469}",
    "\u{2028}\u{2029}\u{FEFF}\u{FFFD}",
    "a=b&c;d:e,f/g",
    "null",
];
/// Properties that client and broker add.
const ADDED: [&str; 5] = ["UNIQ_KEY", "WAIT", "CLUSTER", "MSG_REGION", "TRACE_ON"];
