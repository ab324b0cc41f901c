//! Random faults, cancellations and deadlines among sends that share requests: each ends once, as
//! what it is, and messages of one strict key keep their order.

use std::collections::{BTreeMap, BTreeSet};

use crate::pair::{Does, World, ms};
use producer_core::{AutoBatch, Config, Order, Outcome, QueueChoice, SendId, SendOptions};

/// SplitMix64: enough for choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

#[derive(Default)]
struct Run {
    keys: BTreeMap<u64, u64>,
    begun: BTreeMap<u64, u64>,
    ended: BTreeMap<u64, u64>,
    open: Vec<(u64, SendId)>,
    cancelled: BTreeSet<u64>,
}

impl Run {
    /// Notes at which step sends have ended.
    fn note(&mut self, world: &World, step: u64) {
        for &ticket in world.done.keys().chain(&self.cancelled) {
            self.ended.entry(ticket).or_insert(step);
        }
    }
}

fn hurt(world: &mut World, dice: &mut Dice) {
    const DOES: [Does; 9] = [
        Does::Store,
        Does::Store,
        Does::Store,
        Does::StoreSilently,
        Does::Refuse(2),
        Does::Reset,
        Does::Hang,
        Does::HalfAnswer,
        Does::AnswerTwice,
    ];
    let address = ["a:1", "b:1"][dice.roll(2) as usize];
    let peer = world.broker(address);
    peer.does = DOES[dice.roll(DOES.len() as u64) as usize];
    peer.delay = ms([0, 0, 20, 300][dice.roll(4) as usize]);
    peer.lag = ms([0, 0, 15, 400][dice.roll(4) as usize]);
    world.stall = ms([0, 0, 5, 60][dice.roll(4) as usize]);
}

fn run(seed: u64) -> (World, Run) {
    let auto_batch = AutoBatch { messages_max: 7, bytes_max: 900, linger: ms(8) };
    let config = Config {
        auto_batch: Some(auto_batch),
        attempt_timeout: Some(ms(200)),
        send_timeout: ms(900),
        sends_max: 40,
        ..Config::default()
    };
    let mut world = World::with_seed(config, seed);
    let (mut dice, mut run) = (Dice(seed), Run::default());
    for step in 0..250 {
        for _ in 0..dice.roll(6) {
            let key = dice.roll(4);
            let mut options = SendOptions::default();
            if key > 0 {
                let text = key.to_string();
                options = options.queue(QueueChoice::ordered(&text, Order::Strict));
            }
            if dice.roll(5) == 0 {
                options = options.timeout(ms(20 + dice.roll(400)));
            }
            let body = (100_000 + run.begun.len()).to_string();
            let (ticket, id) = world.send_with(&body, options);
            assert_eq!(ticket, run.begun.len() as u64);
            run.begun.insert(ticket, step);
            run.keys.insert(ticket, key);
            run.open.push((ticket, id));
        }
        if dice.roll(6) == 0 && !run.open.is_empty() {
            let (ticket, id) = run.open.remove(dice.roll(run.open.len() as u64) as usize);
            if world.with(|producer, now| producer.cancel(now, id)).is_some() {
                run.cancelled.insert(ticket);
            }
        }
        if dice.roll(12) == 0 {
            hurt(&mut world, &mut dice);
        }
        world.run(ms(1 + dice.roll(30)));
        run.note(&world, step);
    }
    for address in ["a:1", "b:1"] {
        world.broker(address).does = Does::Store;
    }
    world.run_until_done();
    world.run(ms(1_000));
    run.note(&world, 250);
    (world, run)
}

fn check(seed: u64, world: &World, run: &Run) {
    let mut first: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, body) in world.log.iter().enumerate() {
        let number: u64 = body.parse().expect("our bodies are numbers");
        first.entry(number - 100_000).or_insert(at);
    }
    for ticket in run.begun.keys() {
        let what = format!("seed {seed}, send {ticket}");
        match world.done.get(ticket) {
            None => assert!(run.cancelled.contains(ticket), "{what} never ended"),
            Some(_) if run.cancelled.contains(ticket) => panic!("{what} ended twice"),
            Some(Ok(_)) => assert!(first.contains_key(ticket), "{what} is not stored"),
            Some(Err(error)) if error.outcome() == Outcome::Unknown => {}
            Some(Err(error)) => assert!(!first.contains_key(ticket), "{what} is stored: {error}"),
        }
    }
    for (&one, key) in run.keys.iter().filter(|&(_, &key)| key > 0) {
        for (&two, _) in run.keys.range(one + 1..).filter(|&(_, other)| other == key) {
            let together = run.begun[&two] <= run.ended[&one];
            let turned = first.get(&one).zip(first.get(&two)).is_some_and(|(a, b)| a > b);
            assert!(!together || !turned, "seed {seed}: {two} of key {key} overtook {one}");
        }
    }
    let stats = world.producer.stats();
    let left = (stats.in_hand, stats.bytes_in_hand, stats.bytes_waiting, stats.waiting_for_room);
    assert_eq!(left, (0, 0, 0, 0), "seed {seed}");
    let ended = stats.stored + stats.not_sent + stats.rejected + stats.unknown;
    // One that was cancelled under way in a lane counts as both.
    let all = ended..=ended + stats.cancelled;
    assert!(all.contains(&stats.accepted), "seed {seed}: {stats:?}");
}

#[test]
fn each_ends_once_and_keys_keep_their_order() {
    let (mut shared, mut sends, mut outcomes) = (0, 0, BTreeMap::new());
    for seed in 0..150 {
        let (world, run) = run(seed);
        check(seed, &world, &run);
        shared += world.seen(320).len();
        sends += run.begun.len();
        for result in world.done.values() {
            let outcome = result.as_ref().map_or_else(|e| e.outcome().as_str(), |_| "stored");
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
    }
    println!("{sends} sends, {shared} shared requests, {outcomes:?}");
    assert!(shared > 1_000 && outcomes.len() == 4, "{shared} {outcomes:?}");
}
