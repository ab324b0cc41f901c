//! Delays, timers, recalls, access control and administrators' questions, with real brokers of both
//! releases.

mod access;
mod admin;
mod timers;

use std::time::Duration;

use producer_native::{Producer, TopicName};
use tests::cluster::{BrokerSpec, Cluster, Release, Result};
use tests::interop::{Steps, producer, runtime};
use tokio::runtime::Runtime;

#[test]
fn interop_features_5_4_0() -> Result<()> {
    features(Release::V5_4_0)
}

#[test]
fn interop_features_4_9_7() -> Result<()> {
    features(Release::V4_9_7)
}

#[test]
fn interop_access_5_4_0() -> Result<()> {
    access::control(Cluster::builder(Release::V5_4_0))
}

#[test]
fn interop_access_4_9_7() -> Result<()> {
    access::control(Cluster::builder(Release::V4_9_7))
}

#[test]
fn interop_bridge_5_4_0_access() -> Result<()> {
    access::control(Cluster::builder(Release::V5_4_0).bridged())
}

#[test]
fn interop_bridge_4_9_7_access() -> Result<()> {
    access::control(Cluster::builder(Release::V4_9_7).bridged())
}

#[test]
fn interop_access_at_models_of_5_4_0() -> Result<()> {
    access::control_at_models(Release::V5_4_0)
}

#[test]
fn interop_access_at_models_of_4_9_7() -> Result<()> {
    access::control_at_models(Release::V4_9_7)
}

fn features(release: Release) -> Result<()> {
    let broker = BrokerSpec::master("a").config("messageDelayLevel", "1s 2s 3s 5s");
    let broker = match release {
        Release::V5_4_0 => broker
            .config("timerWheelEnable", "true")
            .config("timerFlushIntervalMs", "10000")
            .config("recallMessageEnable", "true"),
        Release::V4_9_7 => broker,
    };
    let cluster = Cluster::builder(release).broker(broker).start()?;
    let runtime = runtime();
    let plain = producer(&runtime, &cluster).build().expect("it has what it needs");
    let world = World { cluster, runtime, plain };
    let steps = Steps::begin(release);
    for (name, step) in STEPS {
        step(&world)?;
        steps.done(name);
    }
    world.runtime.block_on(world.plain.close(Duration::from_secs(1)));
    Ok(())
}

type Step = fn(&World) -> Result<()>;

const STEPS: [(&str, Step); 7] = [
    ("a delay level delays", timers::level),
    ("a timer delays, where there are timers", timers::timer),
    ("a recalled message does not come", timers::recall),
    ("a recall that is refused says why", timers::refused),
    ("a priority decides the queue", timers::priority),
    ("topics are created and offsets found", admin::topics_and_offsets),
    ("messages are found by ids and keys", admin::messages),
];

/// What all steps use.
struct World {
    cluster: Cluster,
    runtime: Runtime,
    /// With the default configuration.
    plain: Producer,
}

impl World {
    fn is_5x(&self) -> bool {
        self.cluster.release() == Release::V5_4_0
    }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("valid")
}
