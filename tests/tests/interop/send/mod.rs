//! What brokers of both releases store is what was sent, and what they refuse is refused.

mod queues;
mod refusals;
mod shapes;
mod topics;

use std::time::Duration;

use producer_native::{Message, Producer, Receipt, SendError, SendOptions};
use tests::cluster::{BrokerSpec, Builder, Cluster, Release, Result};
use tests::interop::{Steps, producer, runtime};
use tokio::runtime::Runtime;

#[test]
fn interop_send_5_4_0() -> Result<()> {
    send(Cluster::builder(Release::V5_4_0))
}

#[test]
fn interop_send_4_9_7() -> Result<()> {
    send(Cluster::builder(Release::V4_9_7))
}

#[test]
fn interop_bridge_5_4_0_send() -> Result<()> {
    send(Cluster::builder(Release::V5_4_0).bridged())
}

#[test]
fn interop_bridge_4_9_7_send() -> Result<()> {
    send(Cluster::builder(Release::V4_9_7).bridged())
}

/// One cluster for all steps: broker `a` is plain; `b` flushes and replicates synchronously, so its
/// status can be chosen; `busy` stores one message and is then busy for ever.
fn send(builder: Builder) -> Result<()> {
    let cluster = builder
        .name_server_config("orderMessageEnable", "true")
        // A slow machine must not make a cold broker refuse what this counts.
        .broker(BrokerSpec::master("a").config("waitTimeMillsInSendQueue", "3000"))
        .broker(
            BrokerSpec::master("b")
                .config("waitTimeMillsInSendQueue", "3000")
                .config("brokerRole", "SYNC_MASTER")
                .config("flushDiskType", "SYNC_FLUSH"),
        )
        .broker(
            BrokerSpec::master("busy")
                .config("transientStorePoolEnable", "true")
                .config("transientStorePoolSize", "1"),
        )
        .start()?;
    let runtime = runtime();
    let plain = producer(&runtime, &cluster).build().expect("it has what it needs");
    let world = World { cluster, runtime, plain };
    let steps = Steps::begin(world.cluster.release());
    for (name, step) in STEPS {
        step(&world)?;
        steps.done(name);
    }
    world.runtime.block_on(world.plain.close(Duration::from_secs(1)));
    Ok(())
}

type Step = fn(&World) -> Result<()>;

const STEPS: [(&str, Step); 16] = [
    ("every shape of message is stored as sent", shapes::stored_as_sent),
    ("one-way messages arrive", shapes::one_way_arrives),
    ("unknown topic", topics::unknown),
    ("auto-created topic", topics::auto_created),
    ("auto-creation is off at the brokers", topics::auto_creation_off),
    ("order topic", topics::ordered),
    ("read-only topic", topics::read_only),
    ("read-only broker", topics::read_only_broker),
    ("message longer than we allow", refusals::too_long_for_us),
    ("message longer than the broker allows", refusals::too_long_for_the_broker),
    ("statuses below SEND_OK", refusals::statuses),
    ("busy broker alone", refusals::busy_alone),
    ("busy broker beside another", refusals::busy_beside_another),
    ("a queue that is not there", queues::not_there),
    ("an ordering key keeps its order", queues::ordering_key),
    ("a hash chooses as Java does", queues::hash_as_java),
];

/// What all steps use.
struct World {
    cluster: Cluster,
    runtime: Runtime,
    /// With the default configuration.
    plain: Producer,
}

impl World {
    fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.runtime.block_on(self.plain.send(message))
    }

    fn send_with(&self, message: Message, options: SendOptions) -> Result<Receipt, SendError> {
        self.runtime.block_on(self.plain.send_with(message, options))
    }
}
