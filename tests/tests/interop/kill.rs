//! Brokers die, hang and restart under load: no send fails, and what the producer said of each
//! message is true. `INTEROP_REPEAT=20` repeats each fault on its cluster and prints a line a run.

use std::time::Duration;

use producer_native::Producer;
use tests::cluster::{BrokerSpec, Builder, Cluster, Release, Result, Topic};
use tests::interop::account::{Account, none_failed};
use tests::interop::load::{End, Load, Running};
use tests::interop::{Steps, producer, repeats, runtime};
use tokio::runtime::Runtime;

#[test]
fn interop_killed_master_fails_no_send_5_4_0() -> Result<()> {
    repeat(two_masters(Release::V5_4_0), killed_master)
}

#[test]
fn interop_killed_master_fails_no_send_4_9_7() -> Result<()> {
    repeat(two_masters(Release::V4_9_7), killed_master)
}

#[test]
fn interop_bridge_5_4_0_killed_master_fails_no_send() -> Result<()> {
    repeat(two_masters(Release::V5_4_0).bridged(), killed_master)
}

#[test]
fn interop_bridge_4_9_7_rolling_kills_fail_no_send() -> Result<()> {
    repeat(two_masters(Release::V4_9_7).bridged(), |world| rolling(world, How::Kill))
}

#[test]
fn interop_frozen_master_fails_no_send_5_4_0() -> Result<()> {
    repeat(two_masters(Release::V5_4_0), frozen_master)
}

#[test]
fn interop_frozen_master_fails_no_send_4_9_7() -> Result<()> {
    repeat(two_masters(Release::V4_9_7), frozen_master)
}

#[test]
fn interop_rolling_kills_fail_no_send_5_4_0() -> Result<()> {
    repeat(two_masters(Release::V5_4_0), |world| rolling(world, How::Kill))
}

#[test]
fn interop_rolling_kills_fail_no_send_4_9_7() -> Result<()> {
    repeat(two_masters(Release::V4_9_7), |world| rolling(world, How::Kill))
}

#[test]
fn interop_rolling_restart_fails_no_send_4_9_7() -> Result<()> {
    repeat(two_masters(Release::V4_9_7), |world| {
        rolling(world, How::Terminate(Duration::from_millis(300)))
    })
}

/// Brokers say `GO_AWAY` for three seconds and then close their connections.
#[test]
fn interop_rolling_restart_fails_no_send_5_4_0() -> Result<()> {
    let graceful = |name| {
        let spec = BrokerSpec::master(name).config("enableShutdownGracefully", "true");
        spec.config("shutdownWaitTimeSeconds", "3")
    };
    let builder = Cluster::builder(Release::V5_4_0).broker(graceful("a")).broker(graceful("b"));
    repeat(builder, |world| rolling(world, How::Terminate(Duration::from_secs(5))))
}

/// What a fault is tried on: a topic of its own on both masters, and a new producer.
struct World<'w> {
    cluster: &'w Cluster,
    runtime: &'w Runtime,
    producer: Producer,
    topic: String,
    /// What this run has to say beside its account.
    note: String,
}

impl World<'_> {
    fn load(&self, load: Load) -> Running<'_> {
        load.start(self.runtime, &self.producer)
    }
}

/// All senders at full speed: each has a send under way when the broker dies.
fn killed_master(world: &mut World<'_>) -> Result<Vec<End>> {
    let load = Load { sends: Some(SENDS), ..Load::to(&world.topic) };
    let load = world.load(load);
    load.wait_stored(SENDS / 3);
    world.cluster.master("a")?.kill();
    let ends = load.finish();

    world.cluster.master("a")?.restart()?;
    Ok(ends)
}

fn frozen_master(world: &mut World<'_>) -> Result<Vec<End>> {
    let broker = world.cluster.master("a")?;
    let alone = format!("{}-alone", world.topic);
    world.cluster.create_topic(&Topic::new(&alone, 4).on(&["b"]))?;
    let load = world.load(Load { pause: PAUSE, ..Load::to(&alone) });
    load.wait_elapsed(WINDOW * 7);
    let ends = load.stop();
    none_failed(&ends);
    // The first window has the lookup and the dial in it.
    let healthy = median(&ends, WINDOW, WINDOW * 7);

    let load = world.load(Load { pause: PAUSE, ..Load::to(&world.topic) });
    load.wait_elapsed(WINDOW * 2);
    broker.freeze()?;
    let frozen = load.elapsed();
    load.wait_elapsed(frozen + WINDOW * 14);
    let thawed = load.elapsed();
    broker.thaw()?;
    let used = load.wait_stored_by("a", thawed, Duration::from_secs(5));
    let ends = load.stop();

    let stuck = recovered(&ends, frozen, thawed, healthy * 8 / 10);
    let late = median(&ends, frozen + WINDOW * 6, thawed);
    world.note = format!(
        "healthy alone {healthy} sends in {WINDOW:?}, from 3 s after the freeze {late}; recovered \
         after {stuck:?}, used again {:?} after the thaw",
        used - thawed
    );
    assert!(stuck <= Duration::from_secs(3), "{}", world.note);
    assert!(late >= healthy * 8 / 10, "{}", world.note);
    Ok(ends)
}

#[derive(Clone, Copy)]
enum How {
    Kill,
    /// With so much time to leave by itself.
    Terminate(Duration),
}

fn rolling(world: &mut World<'_>, how: How) -> Result<Vec<End>> {
    let load = world.load(Load { pause: PAUSE, ..Load::to(&world.topic) });
    load.wait_stored(1_000);
    for name in ["a", "b"] {
        let broker = world.cluster.master(name)?;
        match how {
            How::Kill => broker.kill(),
            How::Terminate(limit) => broker.terminate_within(limit)?,
        }
        // The next one goes as soon as this one is registered, whether the producer knows or not.
        broker.restart()?;
    }
    Ok(load.stop())
}

fn repeat(builder: Builder, fault: impl Fn(&mut World<'_>) -> Result<Vec<End>>) -> Result<()> {
    let cluster = builder.start()?;
    let steps = Steps::begin(cluster.release());
    let runtime = runtime();
    for run in 1..=repeats() {
        let topic = format!("fault-{run}");
        cluster.create_topic(&Topic::new(&topic, 4))?;
        let producer = producer(&runtime, &cluster).build().expect("it has what it needs");
        let note = String::new();
        let mut world = World { cluster: &cluster, runtime: &runtime, producer, topic, note };

        let ends = fault(&mut world)?;

        let account = Account::check(&cluster, &world.topic, &ends);
        steps.done(format_args!("run {run}: {account}; {}", world.note));
        eprintln!("    {:?}", world.producer.stats());
        none_failed(&ends);
        runtime.block_on(world.producer.close(Duration::ZERO));
    }
    Ok(())
}

fn two_masters(release: Release) -> Builder {
    Cluster::builder(release).master("a").master("b")
}

/// Receipts in the middle one of the whole windows between two times.
fn median(ends: &[End], from: Duration, to: Duration) -> usize {
    let mut windows = windows(ends, from, to);
    windows.sort_unstable();
    windows[windows.len() / 2]
}

/// How long after `from` the rate was for good at least `enough` a window, a single bad window
/// being the machine's fault.
fn recovered(ends: &[End], from: Duration, to: Duration, enough: usize) -> Duration {
    let windows = windows(ends, from, to);
    let bad: Vec<_> = windows.iter().map(|&count| count < enough).collect();
    let last = bad.windows(2).rposition(|pair| pair[0] && pair[1]);
    WINDOW * u32::try_from(last.map_or(0, |last| last + 2)).unwrap_or(u32::MAX)
}

fn windows(ends: &[End], from: Duration, to: Duration) -> Vec<usize> {
    let count = to.saturating_sub(from).as_millis() / WINDOW.as_millis();
    let mut windows = vec![0; usize::try_from(count).unwrap_or(0)];
    for end in ends.iter().filter(|end| end.result.is_ok() && end.at >= from) {
        let window = (end.at - from).as_millis() / WINDOW.as_millis();
        if let Some(count) = usize::try_from(window).ok().and_then(|n| windows.get_mut(n)) {
            *count += 1;
        }
    }
    windows
}

const SENDS: usize = 20_000;
const WINDOW: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);
