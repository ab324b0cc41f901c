//! The embedded cluster for a page.

use std::time::Duration;

use sim::serve::{BrokerHandle, EmbeddedCluster};
use tokio::runtime::{Builder, Runtime};

use super::{Servers, Stored};
use crate::cluster::{Error, Result};

/// One name server, `broker-a` and `broker-b`.
#[derive(Debug)]
pub struct Embedded {
    cluster: EmbeddedCluster,
    runtime: Runtime,
}

impl Embedded {
    /// Starts it with these topics, four queues each at each broker. Brokers ask about transactions
    /// after a second.
    pub fn start(topics: &[&str]) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::doing("a runtime for the cluster"))?;
        let mut builder = EmbeddedCluster::builder();
        for name in ["broker-a", "broker-b"] {
            builder = builder.broker(name, |broker| {
                broker.tune(|config| {
                    config.transaction_timeout = Duration::from_secs(1);
                    config.transaction_check_interval = Duration::from_secs(1);
                })
            });
        }
        for topic in topics {
            builder = builder.topic(*topic, 4);
        }
        let cluster = runtime.block_on(builder.start());
        Ok(Self { cluster: cluster.map_err(Error::doing("the embedded cluster"))?, runtime })
    }

    fn broker(&self, name: &str) -> Result<BrokerHandle> {
        let found = self.cluster.find(name, 0);
        found.ok_or_else(|| Error::new(format!("no broker {name}")))
    }
}

impl Servers for Embedded {
    fn name_servers(&self) -> String {
        self.cluster.name_servers()
    }

    fn create_topic(&self, topic: &str, _queues: u32) -> Result<()> {
        Err(Error::new(format!("{topic} is to be named at the start")))
    }

    fn kill(&self, broker: &str) -> Result<()> {
        self.runtime.block_on(self.broker(broker)?.kill());
        Ok(())
    }

    fn restart(&self, broker: &str) -> Result<()> {
        let broker = self.broker(broker)?;
        self.runtime.block_on(broker.restart()).map_err(Error::doing("a restart"))?;
        let registered = self.runtime.block_on(self.cluster.wait_until_registered());
        registered.map_err(Error::doing("a restart"))
    }

    fn pause(&self, broker: &str) -> Result<()> {
        self.broker(broker)?.pause();
        Ok(())
    }

    fn resume(&self, broker: &str) -> Result<()> {
        self.broker(broker)?.resume();
        Ok(())
    }

    fn stored(&self, topic: &str) -> Result<Vec<Stored>> {
        Ok(stored_by(&self.cluster, topic))
    }
}

/// All messages of a topic in the logs of an embedded cluster's brokers.
pub fn stored_by(cluster: &EmbeddedCluster, topic: &str) -> Vec<Stored> {
    let mut all = Vec::new();
    for broker in cluster.brokers() {
        let name = broker.name();
        all.extend(broker.messages(topic).into_iter().map(|message| Stored {
            broker: name.clone(),
            queue_id: message.queue_id,
            queue_offset: message.queue_offset,
            name: Stored::name_in(&message.body),
        }));
    }
    all
}
