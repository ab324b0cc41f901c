//! Feature by feature: what we send is stored by real brokers of both releases and by our models of
//! them, and a Java consumer reads it. What was seen becomes the README's table.

mod bodies;
mod later;
mod light;
mod namespaces;
mod plain;
mod questions;
mod replies;
mod transactions;
mod world;

use tests::cluster::{Cluster, Release, Result};
use tests::compat::{Column, Feature, record};
use tests::interop::Steps;
use world::World;

#[test]
fn interop_compat_with_5_4_0() -> Result<()> {
    with(&World::real(Cluster::builder(Release::V5_4_0))?)
}

#[test]
fn interop_compat_with_4_9_7() -> Result<()> {
    with(&World::real(Cluster::builder(Release::V4_9_7))?)
}

#[test]
fn interop_bridge_5_4_0_compat() -> Result<()> {
    with(&World::real(Cluster::builder(Release::V5_4_0).bridged())?)
}

#[test]
fn interop_bridge_4_9_7_compat() -> Result<()> {
    with(&World::real(Cluster::builder(Release::V4_9_7).bridged())?)
}

#[test]
fn interop_compat_with_models_of_5_4_0() -> Result<()> {
    with(&World::model(Release::V5_4_0)?)
}

#[test]
fn interop_compat_with_models_of_4_9_7() -> Result<()> {
    with(&World::model(Release::V4_9_7)?)
}

/// Does it, has Java read it, and panics if anything is not as it should be.
type Step = fn(&World) -> Result<()>;

/// One step a row of the table. Access control and TLS need clusters of their own:
/// `interop_features` and `interop_tls`.
const STEPS: [(Feature, Step); Feature::ALL.len() - 2] = [
    (Feature::Messages, plain::whole_messages),
    (Feature::OneWay, plain::one_way),
    (Feature::Queues, plain::queues),
    (Feature::OrderingKeys, plain::keys_in_order),
    (Feature::CreatedTopics, plain::created_topics),
    (Feature::Batches, plain::batches),
    (Feature::Shared, bodies::shared),
    (Feature::Compressed, bodies::compressed),
    (Feature::Requests, replies::requests),
    (Feature::Namespaces, namespaces::prefix),
    (Feature::NamespacesV2, namespaces::fields),
    (Feature::DelayLevels, later::levels),
    (Feature::Timers, later::timers),
    (Feature::Recalls, later::recalls),
    (Feature::Traces, plain::traces),
    (Feature::Transactions, transactions::seen_once_committed),
    (Feature::Administration, questions::administration),
    (Feature::LightQueues, light::queues),
    (Feature::SecondPort, light::second_port),
];

fn with(world: &World) -> Result<()> {
    let steps = Steps::begin(world.release());
    let column = match world.is_model() {
        true => Column::Model(world.release()),
        false => Column::Broker(world.release()),
    };
    for (feature, step) in STEPS {
        let lacks = feature.lacks(column);
        if let Some(why) = lacks.or_else(|| world.is_bridged().then(|| no_bridge_has(feature))?) {
            steps.done(format_args!("{feature:?}: {why}"));
            continue;
        }
        step(world)?;
        if world.is_bridged() {
            steps.done(format_args!("{feature:?} through a bridge"));
            continue;
        }
        record(feature, column)?;
        if !world.is_model() {
            record(feature, Column::JavaReads)?;
        }
        steps.done(format_args!("{feature:?}"));
    }
    Ok(())
}

/// What does not go through a bridge, and why.
fn no_bridge_has(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Administration => Some("its filter lets no administrator through"),
        Feature::SecondPort => Some("it is in no route"),
        _ => None,
    }
}
