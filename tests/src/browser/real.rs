//! A real Apache RocketMQ for a page.

use super::{Servers, Stored};
use crate::cluster::{BrokerSpec, Cluster, Release, Result, Topic};

/// One name server, `broker-a` and `broker-b`.
#[derive(Debug)]
pub struct Real(Cluster);

impl Real {
    /// Starts it. Brokers ask about transactions after a second.
    pub fn start(release: Release) -> Result<Self> {
        let broker = |name| {
            BrokerSpec::master(name)
                .config("transactionTimeOut", "1000")
                .config("transactionCheckInterval", "1000")
                .config("transactionOpBatchInterval", "100")
        };
        let builder = Cluster::builder(release);
        Ok(Self(builder.broker(broker("broker-a")).broker(broker("broker-b")).start()?))
    }
}

impl Servers for Real {
    fn name_servers(&self) -> String {
        self.0.name_server_list()
    }

    fn create_topic(&self, topic: &str, queues: u32) -> Result<()> {
        self.0.create_topic(&Topic::new(topic, i32::try_from(queues).unwrap_or(i32::MAX)))
    }

    fn kill(&self, broker: &str) -> Result<()> {
        self.0.master(broker)?.kill();
        Ok(())
    }

    fn restart(&self, broker: &str) -> Result<()> {
        self.0.master(broker)?.restart()
    }

    fn pause(&self, broker: &str) -> Result<()> {
        self.0.master(broker)?.freeze()
    }

    fn resume(&self, broker: &str) -> Result<()> {
        self.0.master(broker)?.thaw()
    }

    fn stored(&self, topic: &str) -> Result<Vec<Stored>> {
        let all = self.0.read_back(topic)?.into_iter().map(|message| Stored {
            name: Stored::name_in(&message.body),
            broker: message.broker,
            queue_id: message.queue_id,
            queue_offset: message.queue_offset,
        });
        Ok(all.collect())
    }
}
