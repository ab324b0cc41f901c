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
        Self::of(Arguments::of_process(&[]), topic).await
    }

    /// The cluster that these arguments name, else models with this topic.
    pub async fn of(arguments: Arguments, topic: &str) -> Result<Self> {
        match arguments.name_server {
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

/// What an example was called with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The value of `--name-server`.
    pub name_server: Option<String>,
    /// What is no option, in order.
    pub operands: Vec<String>,
}

/// Why an example does not run.
#[derive(Debug, PartialEq, Eq)]
pub enum Usage {
    /// `--help`.
    Asked,
    /// What is wrong.
    Wrong(String),
}

impl Arguments {
    /// The arguments of this process, of which these may be without an option. If they cannot be
    /// understood, the process ends here, and says how it is called.
    pub fn of_process(operands: &[&str]) -> Self {
        let usage = || {
            let program = std::env::args().next().unwrap_or_default();
            let program = program.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            let operands = operands.iter().map(|operand| format!(" [{operand}]"));
            format!("usage: {program} [--name-server HOST:PORT]{}", operands.collect::<String>())
        };
        match Self::parse(std::env::args().skip(1), operands.len()) {
            Ok(arguments) => arguments,
            Err(Usage::Asked) => {
                println!("{}", usage());
                std::process::exit(0);
            }
            Err(Usage::Wrong(what)) => {
                eprintln!("{what}\n{}", usage());
                std::process::exit(2);
            }
        }
    }

    /// Reads arguments; so many may be without an option.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        operands_max: usize,
    ) -> std::result::Result<Self, Usage> {
        let mut parsed = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "-h" | "--help" => return Err(Usage::Asked),
                "--name-server" => {
                    let value = arguments.next().filter(|value| !value.starts_with('-'));
                    let value = value
                        .ok_or_else(|| Usage::Wrong("--name-server needs an address".to_owned()))?;
                    parsed.name_server = Some(value);
                }
                option if option.starts_with('-') => {
                    return Err(Usage::Wrong(format!("there is no option {option}")));
                }
                _ if parsed.operands.len() == operands_max => {
                    return Err(Usage::Wrong(format!("{argument} is one argument too many")));
                }
                _ => parsed.operands.push(argument),
            }
        }
        Ok(parsed)
    }
}
