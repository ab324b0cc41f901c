//! Is a scenario on the simulated network the same again, as those see it who write one by hand?

use std::process::Command;
use std::thread;
use std::time::Duration;

use sim::model::broker::{Fault, Times};
use sim::world::{Cut, Load, Way, World};

/// Asks this binary to print the trace of a seed instead of testing.
const ASKED: &str = "SIM_META_SEED";
const BEGIN: &str = "---- trace begins\n";
const END: &str = "---- trace ends\n";
const SEEDS: [u64; 2] = [1, 77];

/// Kills, power loss, freezes, holds, cuts, byte faults and model faults, and what was seen.
fn trace(seed: u64) -> String {
    World::builder(seed)
        .name_servers(2)
        .broker("broker-a", |_| {})
        .broker("broker-b", |_| {})
        .broker("broker-c", |_| {})
        .topic("orders", 4)
        .traced()
        .run(|world| async move {
            let producer = world.producer("shop").build().expect("a valid configuration");
            let sends = Load::new("orders", 1500, Duration::from_millis(10)).start(&producer);
            faults(&world).await;
            for send in sends.await.expect("a load does not panic") {
                let how = match send.result {
                    Ok(receipt) => format!("{} {}", receipt.message_id, receipt.queue_offset),
                    Err(error) => error.to_string(),
                };
                world.note(&format!("{} at {:?} took {:?}: {how}", send.body, send.at, send.took));
            }
            producer.close(Duration::from_secs(1)).await;
            world.trace()
        })
}

async fn faults(world: &World) {
    let second = Duration::from_secs(1);
    world.pass(second).await;
    world.broker("broker-a").kill().await;
    world.link("broker-b").hold();
    world.pass(second).await;
    world.broker("broker-a").start().await;
    world.link("broker-b").release();
    world.wire("broker-c").pieces(Way::Read, 7);
    world.wire("broker-c").pieces(Way::Write, 100);
    world.wire("broker-b").cut_after(Way::Write, 1_000, Cut::Reset);
    world.pass(second).await;
    world.broker("broker-b").lose_power().await;
    world.wire("broker-c").heal();
    world.pass(second).await;
    world.broker("broker-b").start().await;
    world.name_server(0).kill().await;
    world.link("broker-c").cut_back();
    world.pass(second).await;
    world.link("broker-c").heal();
    world.broker("broker-a").with(|model, _| model.fault(Fault::HalfAnswer, Times::Next(2)));
    world.broker("broker-b").freeze();
    world.pass(second).await;
    world.broker("broker-b").thaw();
    world.link("broker-a").latency(Duration::from_millis(200));
    world.broker("broker-c").restart_elsewhere().await;
    world.name_server(0).start().await;
}

/// Where two traces part.
fn same(one: &str, other: &str, what: &str) {
    if one == other {
        return;
    }
    let parted = one.lines().zip(other.lines()).enumerate().find(|(_, (one, other))| one != other);
    match parted {
        Some((at, (one, other))) => {
            panic!("{what}: line {} is\n  {one}\nand then\n  {other}", at + 1)
        }
        None => panic!("{what}: {} lines and {}", one.lines().count(), other.lines().count()),
    }
}

/// The trace of a seed as another process sees it.
fn in_another_process(seed: u64) -> String {
    let binary = std::env::current_exe().expect("a test knows its binary");
    let arguments = ["--exact", "again::scenario::prints_a_trace_if_asked", "--nocapture"];
    let done = Command::new(binary).args(arguments).env(ASKED, seed.to_string()).output();
    let done = done.expect("the binary of a test runs");
    let text = String::from_utf8(done.stdout).expect("traces are text");
    let (_, text) = text.split_once(BEGIN).expect("the other process prints a trace");
    text.split_once(END).expect("the other process prints all of it").0.to_owned()
}

#[test]
fn prints_a_trace_if_asked() {
    if let Ok(seed) = std::env::var(ASKED) {
        print!("{BEGIN}{}{END}", trace(seed.parse().expect("a seed is a number")));
    }
}

#[test]
fn a_seed_gives_the_same_trace_twice_in_one_process() {
    for seed in SEEDS {
        let first = trace(seed);

        let second = trace(seed);

        assert!(first.lines().count() > 3_000, "{} lines", first.lines().count());
        same(&first, &second, &format!("seed {seed}, the second time"));
    }
}

#[test]
fn a_seed_gives_the_same_trace_on_four_threads() {
    let seed = SEEDS[0];
    let first = trace(seed);

    let threads: Vec<_> = (0..4).map(|_| thread::spawn(move || trace(seed))).collect();

    for thread in threads {
        let other = thread.join().expect("a world does not panic");
        same(&first, &other, &format!("seed {seed}, on another thread"));
    }
}

#[test]
fn a_seed_gives_the_same_trace_in_two_processes() {
    for seed in SEEDS {
        let one = in_another_process(seed);

        let other = in_another_process(seed);

        same(&one, &other, &format!("seed {seed}, in another process"));
        same(&one, &trace(seed), &format!("seed {seed}, in this process"));
    }
}

#[test]
fn different_seeds_give_different_traces() {
    assert_ne!(trace(SEEDS[0]), trace(SEEDS[1]));
}
