//! Servers, real or modelled, with our producer and the Java client before them.

use std::time::Duration;

use producer_native::{Builder, Message, Producer, Receipt};
use sim::model;
use sim::serve::EmbeddedCluster;
use tests::cluster::{
    self, BrokerSpec, Cluster, Release, Result, Stored, Topic, create_at, read_from,
};
use tests::interop::client::{Java, Reach};
use tests::interop::{patient, producer, runtime, stored, until};
use tokio::runtime::Runtime;

/// The real broker that asks about transactions at once, and has light queues.
pub(crate) const TRANSACTIONS: &str = "transactions";

/// Servers, and who uses them.
pub(crate) struct World {
    servers: Servers,
    release: Release,
    pub(crate) runtime: Runtime,
    /// With the default configuration, and more patience.
    pub(crate) plain: Producer,
    pub(crate) java: Java,
    /// How Java reaches them.
    pub(crate) reach: Reach,
}

enum Servers {
    Real(Cluster),
    Model(EmbeddedCluster),
}

impl Servers {
    fn name_servers(&self) -> String {
        match self {
            Self::Real(cluster) => cluster.name_server_list(),
            Self::Model(cluster) => cluster.name_servers(),
        }
    }
}

impl World {
    pub(crate) fn real(servers: cluster::Builder) -> Result<Self> {
        let release = servers.release();
        let timers = BrokerSpec::master("a").config("timerWheelEnable", "true");
        let timers = timers.config("timerPrecisionMs", "100").config("recallMessageEnable", "true");
        // A 5.4.0 broker with timers looks at half messages when it likes.
        let transactions = BrokerSpec::master(TRANSACTIONS);
        let transactions = transactions.config("transactionCheckInterval", "1000");
        let transactions = transactions.config("transactionTimeOut", "1000");
        // Else 5.4.0 asks about what has ended, and commits it once more.
        let transactions = transactions.config("transactionOpBatchInterval", "100");
        // What has no use of it on the other broker must not depend on it.
        let transactions = transactions.config("enableLmq", "true");
        let transactions = transactions.config("enableMultiDispatch", "true");
        let cluster = servers.broker(timers).broker(transactions).start()?;
        Self::around(Servers::Real(cluster), release, runtime())
    }

    pub(crate) fn model(release: Release) -> Result<Self> {
        let runtime = runtime();
        let cluster = EmbeddedCluster::builder().broker("a", |broker| {
            broker.tune(|config| {
                config.timer_precision = Duration::from_millis(100);
                config.recall = true;
                config.transaction_timeout = Duration::from_millis(200);
                config.transaction_check_interval = Duration::from_millis(200);
            })
        });
        let cluster = cluster.release(match release {
            Release::V5_4_0 => model::Release::V5_4_0,
            Release::V4_9_7 => model::Release::V4_9_7,
        });
        let cluster = runtime.block_on(cluster.start()).expect("ports of this process are free");
        Self::around(Servers::Model(cluster), release, runtime)
    }

    fn around(servers: Servers, release: Release, runtime: Runtime) -> Result<Self> {
        let name_servers = servers.name_servers();
        let reach = Reach::new(&name_servers, "java");
        let plain = builder(&servers, &runtime).build().expect("complete");
        Ok(Self { servers, release, runtime, plain, java: Java::start()?, reach })
    }

    pub(crate) fn release(&self) -> Release {
        self.release
    }

    pub(crate) fn name_servers(&self) -> String {
        self.servers.name_servers()
    }

    pub(crate) fn is_model(&self) -> bool {
        matches!(self.servers, Servers::Model(_))
    }

    /// Whether our producers go through a bridge; Java does not.
    pub(crate) fn is_bridged(&self) -> bool {
        matches!(&self.servers, Servers::Real(cluster) if cluster.bridge().is_some())
    }

    /// A producer of the group `interop`, to be configured further.
    pub(crate) fn producer(&self) -> Builder {
        builder(&self.servers, &self.runtime)
    }

    pub(crate) fn create_topic(&self, topic: &Topic) -> Result<()> {
        self.create_topic_on("a", topic)
    }

    /// Models have one broker for all.
    pub(crate) fn create_topic_on(&self, master: &str, topic: &Topic) -> Result<()> {
        match &self.servers {
            Servers::Real(cluster) => cluster.create_topic(&topic.clone().on(&[master])),
            // The name server knows it when the broker answers.
            Servers::Model(cluster) => create_at(cluster.broker("a").address(), topic),
        }
    }

    /// What is stored in a topic, once there are so many.
    pub(crate) fn stored(&self, topic: &str, count: usize) -> Result<Vec<Stored>> {
        match &self.servers {
            Servers::Real(cluster) => cluster.read_back_when(topic, count),
            Servers::Model(cluster) => {
                let address = cluster.broker("a").address();
                until(Duration::from_secs(5), topic, || match read_from(address, "a", topic) {
                    Ok(messages) if messages.len() < count => None,
                    other => Some(other),
                })
            }
        }
    }

    /// Sends by the plain producer; panics if it fails.
    pub(crate) fn send(&self, message: Message) -> Receipt {
        stored(self.runtime.block_on(self.plain.send(message)))
    }
}

fn builder(servers: &Servers, runtime: &Runtime) -> Builder {
    let builder = match servers {
        Servers::Real(cluster) => producer(runtime, cluster),
        Servers::Model(cluster) => {
            let builder = Producer::builder("interop").name_servers(&cluster.name_servers());
            builder.runtime(runtime.handle().clone())
        }
    };
    patient(builder)
}
