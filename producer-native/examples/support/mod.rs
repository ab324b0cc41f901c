//! Where the examples send to: the cluster at `--name-server HOST:PORT`, or, without that, models of
//! a name server and two brokers inside this process, which need nothing to be installed.
#![allow(dead_code, unreachable_pub, reason = "each example uses a part")]

use std::error::Error;
use std::time::Duration;

use producer_native::{Builder, Producer};
use sim::serve::EmbeddedCluster;
use tokio::task::JoinSet;

/// What the examples return: any error, with its text.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Name servers, and the models if they are ours.
pub struct Cluster {
    name_servers: String,
    /// `None`: a real cluster.
    pub models: Option<EmbeddedCluster>,
}

impl Cluster {
    /// The cluster that the arguments of this process name, else models with this topic.
    pub async fn from_arguments(topic: &str) -> Result<Self> {
        match argument("--name-server") {
            Some(name_servers) => Ok(Self { name_servers, models: None }),
            None => Self::of_models(topic).await,
        }
    }

    /// Models with this topic, which end when this is dropped.
    pub async fn of_models(topic: &str) -> Result<Self> {
        // Real brokers wait 6 s, and then up to 30 s, before they ask how a transaction ended.
        let soon = |config: &mut sim::model::broker::BrokerConfig| {
            config.transaction_timeout = Duration::from_millis(200);
            config.transaction_check_interval = Duration::from_millis(200);
        };
        let models = EmbeddedCluster::builder()
            .broker("broker-a", |broker| broker.tune(soon))
            .broker("broker-b", |broker| broker.tune(soon))
            .topic(topic, 4)
            // Where answers to requests go: see the example `request_reply`.
            .topic("DefaultCluster_REPLY_TOPIC", 1)
            .start()
            .await?;
        Ok(Self { name_servers: models.name_servers(), models: Some(models) })
    }

    /// A producer of this group for the cluster.
    pub fn producer(&self, group: &str) -> Builder {
        Producer::builder(group).name_servers(&self.name_servers)
    }

    /// Every body in the logs of the models, a broker after the other, in the order they are
    /// stored; nothing of a real cluster, which takes a consumer.
    pub fn stored(&self, topic: &str) -> Vec<String> {
        let brokers = self.models.iter().flat_map(EmbeddedCluster::brokers);
        let messages = brokers.flat_map(|broker| broker.messages(topic));
        messages.map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
    }

    /// Waits until one of the models has this body.
    pub async fn until_stored(&self, topic: &str, body: &str) {
        let mut looking = JoinSet::new();
        for broker in self.models.iter().flat_map(EmbeddedCluster::brokers) {
            let (broker, topic, body) = (broker.clone(), topic.to_owned(), body.to_owned());
            looking.spawn(async move {
                let mut seen = 0;
                loop {
                    let new = broker.messages_after(&topic, seen).await;
                    if new.iter().any(|message| message.body == body.as_bytes()) {
                        return;
                    }
                    seen += new.len();
                }
            });
        }
        let _found = looking.join_next().await;
    }
}

/// The value after `name` among the arguments of this process.
pub fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
