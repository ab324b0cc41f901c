//! Random faults from a seed, and what must hold whatever happens.

use std::collections::BTreeMap;

use crate::pair::{Dial, Does, Knows, World, ms, route_json, route_json_of};
use producer_core::{
    Config, ConnectionEnd, FaultTable, Health, Instant, OnUnknown, Order, Outcome, QueueChoice,
    Reply, SendId, SendOptions,
};

/// SplitMix64, so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }
}

const KEYS: u64 = 5;
/// Each broker lives at one of two addresses.
const BROKERS: [&str; 6] = ["a:1", "b:1", "c:1", "a:2", "b:2", "c:2"];

fn config(dice: &mut Dice) -> Config {
    let base = if dice.one_in(4) { Config::java() } else { Config::default() };
    let health = match dice.roll(6) {
        0 => Health::Java(FaultTable { detector: true, ..FaultTable::default() }),
        1 => Health::Off,
        _ => base.health,
    };
    Config {
        health,
        auto_create_topics: dice.one_in(3),
        retry_not_ok: dice.one_in(5),
        on_unknown: if dice.one_in(4) { OnUnknown::Stop } else { base.on_unknown },
        sends_max: [5, 50, 10_000][dice.roll(3) as usize],
        waiting_max: [3, 1_000][dice.roll(2) as usize],
        header: if dice.one_in(2) {
            producer_core::wire::SerializeType::RocketMq
        } else {
            producer_core::wire::SerializeType::Json
        },
        ..base
    }
}

/// Options of a send, and its key if it is strictly ordered.
fn options(dice: &mut Dice) -> (SendOptions, Option<u64>) {
    let mut strict_key = None;
    let queue = match dice.roll(8) {
        0 => {
            let key = *strict_key.insert(dice.roll(KEYS));
            QueueChoice::ordered(&key.to_string(), Order::Strict)
        }
        1 => QueueChoice::ordered(&dice.roll(KEYS).to_string(), Order::Available),
        2 => QueueChoice::hash(&dice.roll(100).to_string()),
        3 => QueueChoice::Random,
        _ => QueueChoice::Rotate,
    };
    let reply = if dice.one_in(10) { Reply::OneWay } else { Reply::Awaited };
    let timeout = dice.one_in(5).then(|| ms(50 + dice.roll(2_000)));
    (SendOptions { queue, reply, timeout, ..SendOptions::default() }, strict_key)
}

/// One broker or name server changes its mind.
fn fault(world: &mut World, dice: &mut Dice) {
    let broker = BROKERS[dice.roll(6) as usize];
    match dice.roll(20) {
        0 => world.kill(broker),
        1 => world.broker(broker).dial = Dial::BlackHole,
        2..=6 => {
            let peer = world.broker(broker);
            (peer.dial, peer.does) = (Dial::Accept, Does::Store);
            (peer.delay, peer.lag) = (ms(0), ms(0));
        }
        7..=9 => {
            let ways = [
                Does::Hang,
                Does::StoreSilently,
                Does::Reset,
                Does::Garbage,
                Does::AnswerTwice,
                Does::WrongOpaque,
                Does::HalfAnswer,
                Does::StoreAnd([1, 10, 11, 12][dice.roll(4) as usize]),
            ];
            world.broker(broker).does = ways[dice.roll(8) as usize];
        }
        10..=11 => {
            let code = [1, 2, 14, 16, 17, 13, 1500][dice.roll(7) as usize];
            world.broker(broker).does = Does::Refuse(code);
        }
        12 => world.cut(broker, &ConnectionEnd::Closed),
        13 => world.vanish(broker),
        14 if dice.one_in(2) => world.broker(broker).delay = ms(dice.roll(1_500)),
        14 => world.broker(broker).lag = ms(dice.roll(5_000)),
        15 if dice.one_in(2) => world.stall = ms([0, 1, 30, 2_500][dice.roll(4) as usize]),
        15 => world.piece_bytes = [1, 7, 50, usize::MAX][dice.roll(4) as usize],
        16..=17 => change_route(world, dice),
        _ => {
            let server = ["ns0:1", "ns1:1"][dice.roll(2) as usize];
            let knows = [Knows::Routes, Knows::Routes, Knows::Nothing, Knows::Silent]
                [dice.roll(4) as usize]
                .clone();
            let state = world.name_servers.get_mut(server).expect("configured");
            *state = (knows, if dice.one_in(3) { Dial::Refuse } else { Dial::Accept });
        }
    }
}

/// Brokers move, lose their master, come and go, have more or fewer queues; the topic is deleted.
fn change_route(world: &mut World, dice: &mut Dice) {
    if dice.one_in(8) {
        world.routes.remove("t");
        return;
    }
    let mut brokers = Vec::new();
    for (name, homes) in [("a", ["a:1", "a:2"]), ("b", ["b:1", "b:2"]), ("c", ["c:1", "c:2"])] {
        let address = if dice.one_in(8) { "" } else { homes[usize::from(dice.one_in(4))] };
        if !dice.one_in(8) {
            let perm = if dice.one_in(8) { 4 } else { 6 };
            brokers.push((name, address, 1 + dice.roll(4) as u32, perm));
        }
    }
    let mut route = route_json_of(&brokers);
    if dice.one_in(4) {
        route = route.replacen('{', r#"{"orderTopicConf":"a:3;b:3;c:3","#, 1);
    }
    world.routes.insert("t".into(), route);
}

struct Sent {
    body: String,
    at: Instant,
    one_way: bool,
    timeout_ms: u64,
    cancelled: bool,
    strict_key: Option<u64>,
}

fn run(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World::with_seed(config(&mut dice), seed);
    for address in BROKERS {
        world.broker(address);
    }
    let brokers = [("a", "a:1"), ("b", "b:1"), ("c", "c:1")];
    world.routes.insert("t".into(), route_json(&brokers, 3));
    let mut sent: BTreeMap<u64, Sent> = BTreeMap::new();
    let mut open: Vec<(u64, SendId)> = Vec::new();

    for step in 0..300 {
        match dice.roll(10) {
            0 => fault(&mut world, &mut dice),
            1 if !open.is_empty() => {
                let (ticket, id) = open.swap_remove(dice.roll(open.len() as u64) as usize);
                if world.producer.cancel(world.now, id).is_some() {
                    sent.get_mut(&ticket).expect("sent").cancelled = true;
                }
            }
            2 => {
                let span = dice.roll(400);
                world.run(ms(span));
            }
            _ => {
                let (options, strict_key) = options(&mut dice);
                let timeout_ms = options.timeout.map_or(3_000, |t| t.as_millis() as u64);
                let (body, at) = (format!("{seed}-{step}"), world.now);
                let one_way = options.reply == Reply::OneWay;
                let (ticket, id) = world.send_with(&body, options);
                let cancelled = false;
                let send = Sent { body, at, one_way, timeout_ms, cancelled, strict_key };
                sent.insert(ticket, send);
                open.push((ticket, id));
                if dice.one_in(3) {
                    world.run(ms(dice.roll(5)));
                }
            }
        }
    }
    world.run(ms(8_000));
    judge(seed, &mut world, &sent);
    judge_order(seed, &world, &sent);
    heal(seed, &mut world);
    close(seed, &mut world);
}

/// Every send ended once, in time, and as the brokers' logs say.
fn judge(seed: u64, world: &mut World, sent: &BTreeMap<u64, Sent>) {
    let mut copies: BTreeMap<String, u32> = BTreeMap::new();
    for body in world.stored() {
        *copies.entry(body).or_default() += 1;
    }
    for (ticket, send) in sent {
        let copies = copies.get(&send.body).copied().unwrap_or(0);
        let what = format!("seed {seed}, send {} at {:?}", send.body, send.at);
        if send.cancelled {
            assert!(!world.done.contains_key(ticket), "{what}: ended after it was cancelled");
            continue;
        }
        let written = world.written.iter().filter(|&written| written == ticket).count();
        assert!(written <= usize::from(send.one_way), "{what}: written {written} times");
        if written == 1 {
            assert!(!world.done.contains_key(ticket), "{what}: written and completed");
            continue;
        }
        let result = world.done.get(ticket).unwrap_or_else(|| panic!("{what} never ended"));
        match result {
            Ok(receipt) => {
                assert!(copies >= 1, "{what}: acknowledged but not stored");
                assert!(copies <= receipt.attempts, "{what}: more copies than attempts");
                assert!(copies == 1 || receipt.maybe_duplicate, "{what}: unannounced duplicate");
            }
            Err(error) => {
                let late = ms(send.timeout_ms + 10);
                assert!(error.elapsed() <= late, "{what}: {error}");
                if error.outcome() != Outcome::Unknown {
                    assert_eq!(copies, 0, "{what}: stored, but {error}");
                }
            }
        }
    }
    let stats = world.producer.stats();
    assert_eq!(
        (stats.in_hand, stats.bytes_in_hand, stats.bytes_waiting, stats.waiting_for_room),
        (0, 0, 0, 0),
        "seed {seed}: {stats:?}"
    );
}

/// The first copies of messages of one key are in the brokers' logs in the order they were sent.
fn judge_order(seed: u64, world: &World, sent: &BTreeMap<u64, Sent>) {
    let mut place = BTreeMap::new();
    for (at, body) in world.log.iter().enumerate() {
        place.entry(body.as_str()).or_insert(at);
    }
    let strict = |key| sent.iter().filter(move |(_, send)| send.strict_key == Some(key));
    for key in 0..KEYS {
        for (ticket, send) in strict(key) {
            let Some(&at) = place.get(send.body.as_str()) else { continue };
            let ended = match world.done.get(ticket) {
                Some(Ok(_)) => Instant::FAR,
                Some(Err(error)) => send.at + error.elapsed(),
                None => continue, // one-way or cancelled: nobody said how it ended
            };
            // What is sent after one ended unknown may pass it; what waited for it may not.
            let behind = strict(key).filter(|(later, l)| *later > ticket && l.at < ended);
            for (_, later) in behind {
                let overtaken = place.get(later.body.as_str()).is_some_and(|&place| place < at);
                assert!(!overtaken, "seed {seed}: {} overtook {}", later.body, send.body);
            }
        }
    }
}

/// Once everything is well again, so is the producer.
fn heal(seed: u64, world: &mut World) {
    for broker in BROKERS {
        let peer = world.broker(broker);
        (peer.dial, peer.does) = (Dial::Accept, Does::Store);
        (peer.delay, peer.lag) = (ms(0), ms(0));
    }
    world.stall = ms(0);
    let brokers = [("a", "a:1"), ("b", "b:2"), ("c", "c:1")];
    world.routes.insert("t".into(), route_json(&brokers, 3));
    for state in world.name_servers.values_mut() {
        *state = (Knows::Routes, Dial::Accept);
    }
    world.run(ms(35_000));
    for n in 0..30 {
        let result = world.sent(&format!("healed {n}"));
        assert!(result.is_ok(), "seed {seed}: healed, but {result:?}");
    }
    let stats = world.producer.stats();
    assert!(stats.connections <= 5, "seed {seed}: {stats:?}");
}

fn close(seed: u64, world: &mut World) {
    world.close(ms(1_000));
    world.run(ms(2_000));
    assert!(world.closed.is_some(), "seed {seed} never closed");
    world.run(ms(10_000));
    assert_eq!(world.wake_at, None, "seed {seed}: a timer outlives the producer");
    let stats = world.producer.stats();
    assert_eq!((stats.connections, stats.requests_in_flight), (0, 0), "seed {seed}");
    let ended = stats.stored + stats.written + stats.not_sent + stats.rejected + stats.unknown;
    assert!(
        (stats.accepted - stats.cancelled..=stats.accepted).contains(&ended),
        "seed {seed}: {stats:?}"
    );
}

#[test]
fn whatever_fails_no_send_is_lost_or_misreported() {
    // `CHAOS=1000..50000` for more of them.
    let span = std::env::var("CHAOS").unwrap_or_default();
    let (from, to) = span.split_once("..").unwrap_or(("0", "800"));
    for seed in from.parse().expect("a seed")..to.parse().expect("a seed") {
        run(seed);
    }
}
