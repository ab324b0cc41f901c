//! Feature by feature: what we send is stored by real brokers of both releases and by our models of
//! them, and a Java consumer reads it. What was seen becomes the README's table.

mod later;
mod namespaces;
mod plain;
mod replies;
mod transactions;
mod world;

use tests::cluster::{Release, Result};
use tests::compat::{Column, Feature, record};
use tests::interop::Steps;
use world::World;

#[test]
fn interop_compat_with_5_4_0() -> Result<()> {
    with(&World::real(Release::V5_4_0)?)
}

#[test]
fn interop_compat_with_4_9_7() -> Result<()> {
    with(&World::real(Release::V4_9_7)?)
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

/// One step a row of the table.
const STEPS: [(Feature, Step); Feature::ALL.len()] = [
    (Feature::Messages, plain::whole_messages),
    (Feature::OneWay, plain::one_way),
    (Feature::Queues, plain::queues),
    (Feature::OrderingKeys, plain::keys_in_order),
    (Feature::CreatedTopics, plain::created_topics),
    (Feature::Batches, plain::batches),
    (Feature::Requests, replies::requests),
    (Feature::Namespaces, namespaces::prefix),
    (Feature::NamespacesV2, namespaces::fields),
    (Feature::DelayLevels, later::levels),
    (Feature::Timers, later::timers),
    (Feature::Traces, plain::traces),
    (Feature::Transactions, transactions::seen_once_committed),
];

fn with(world: &World) -> Result<()> {
    let steps = Steps::begin(world.release());
    for (feature, step) in STEPS {
        if let Some(why) = feature.lacks(world.release()) {
            steps.done(format_args!("{feature:?}: {why}"));
            continue;
        }
        step(world)?;
        if world.is_model() {
            record(feature, Column::Model(world.release()))?;
        } else {
            record(feature, Column::Broker(world.release()))?;
            record(feature, Column::JavaReads)?;
        }
        steps.done(format_args!("{feature:?}"));
    }
    Ok(())
}
