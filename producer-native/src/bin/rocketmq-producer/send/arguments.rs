//! What can be asked of `send`, and what does it mean?

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use producer_native::{
    Bytes, InvalidMessage, Message, Order, Producer, Queue, QueueChoice, SendOptions, TopicName,
};

use super::kind::KindArguments;
use super::source::Origin;
use super::way::WayArguments;
use super::window::Limits;
use crate::exit::Failure;
use crate::options::{Cluster, duration};

#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// The topic
    #[arg(long, short)]
    topic: TopicName,
    #[command(flatten)]
    cluster: Cluster,

    /// Send this body; else, without --file and --count, each line of standard input is one
    #[arg(long, short, value_name = "TEXT", conflicts_with = "file", help_heading = "Message")]
    body: Option<String>,
    /// Send this file as one body
    #[arg(long, short, value_name = "PATH", help_heading = "Message")]
    file: Option<PathBuf>,
    /// Send the body or file so often; alone, send so many numbered bodies
    #[arg(long, short, value_name = "N", help_heading = "Message")]
    count: Option<NonZeroU64>,
    /// Keys by which the broker indexes the message
    #[arg(long, short, value_name = "KEY", num_args = 1.., help_heading = "Message")]
    keys: Vec<String>,
    /// Tag by which consumers filter
    #[arg(long, help_heading = "Message")]
    tag: Option<String>,
    /// A property; may be repeated
    #[arg(long, short, value_name = "K=V", value_parser = property, help_heading = "Message")]
    property: Vec<(String, String)>,

    #[command(flatten)]
    kind: KindArguments,
    #[command(flatten)]
    way: WayArguments,

    /// Send to this queue
    #[arg(long, value_name = "BROKER:ID", value_parser = queue, group = "choice", help_heading = "Queue")]
    queue: Option<Queue>,
    /// Send to the queue that Java's SelectMessageQueueByHash takes for this text
    #[arg(long, value_name = "TEXT", group = "choice", help_heading = "Queue")]
    hash_key: Option<String>,
    /// Keep the order of all messages under this key
    #[arg(long, value_name = "KEY", group = "choice", help_heading = "Queue")]
    order_key: Option<String>,
    /// What an ordering key clings to when its queue cannot be used
    #[arg(
        long,
        value_enum,
        default_value = "strict",
        requires = "order_key",
        help_heading = "Queue"
    )]
    order: OrderKind,

    /// Messages in hand at a time
    #[arg(long, value_name = "N", default_value = "64", help_heading = "Sending")]
    concurrency: NonZeroUsize,
    /// Messages begun per second, at most
    #[arg(long, value_name = "N", help_heading = "Sending")]
    rate: Option<NonZeroU32>,
    /// Longest time for a message, all attempts included [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Sending")]
    timeout: Option<Duration>,
    /// Longest time for one attempt [default: 1s, with --preset java all there is]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Sending")]
    attempt_timeout: Option<Duration>,
    /// Send so many messages in one request; what is left at the end goes in a smaller one. Counts
    /// as one message for --concurrency
    #[arg(long, value_name = "N", conflicts_with = "oneway", help_heading = "Sending")]
    batch: Option<NonZeroUsize>,
    /// Want no answer: a message counts as sent when its bytes were handed to a connection
    #[arg(long, visible_alias = "one-way", help_heading = "Sending")]
    oneway: bool,
    /// Behave as this crate does by default, or as the Java client 5.4.0
    #[arg(long, value_enum, help_heading = "Sending")]
    preset: Option<Preset>,
    /// Encoding of request headers [default: json]
    #[arg(long, value_enum, help_heading = "Sending")]
    header: Option<HeaderKind>,
    /// Producer group [default: rocketmq-producer-cli]
    #[arg(long, short, help_heading = "Sending")]
    group: Option<String>,
    /// Let brokers create the topic if no name server knows it
    #[arg(long, help_heading = "Sending")]
    auto_create: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OrderKind {
    /// To the order: messages wait for the queue, or fail
    Strict,
    /// To getting through: the key moves to another queue
    Available,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    Default,
    Java,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeaderKind {
    Json,
    Binary,
}

/// What all messages have in common.
pub(super) struct Template {
    topic: TopicName,
    tag: Option<String>,
    keys: Vec<String>,
    properties: Vec<(String, String)>,
    kind: KindArguments,
    options: SendOptions,
    pub(super) one_way: bool,
    pub(super) message_bytes_max: usize,
}

impl SendArguments {
    pub(super) fn one_way(&self) -> bool {
        self.oneway
    }

    /// How long telling the brokers good-bye may take, and sending the last traces.
    pub(super) fn farewell(&self) -> Duration {
        match self.way.is_traced() {
            true => Duration::from_secs(3),
            false => Duration::from_millis(100),
        }
    }

    pub(super) fn producer(&self) -> Result<Producer, Failure> {
        let preset = self.preset.map(|preset| match preset {
            Preset::Default => ("preset", "default"),
            Preset::Java => ("preset", "java"),
        });
        let header = self.header.map(|header| match header {
            HeaderKind::Json => ("header", "json"),
            HeaderKind::Binary => ("header", "rocketmq"),
        });
        let over: Vec<_> = preset.into_iter().chain(header).collect();
        let mut builder = self.cluster.builder(&[("group", GROUP)], &over)?;
        if let Some(group) = &self.group {
            builder = builder.group(group);
        }
        let builder = self.way.apply(builder).configure(|config| {
            config.send_timeout = self.timeout.unwrap_or(config.send_timeout);
            config.attempt_timeout = self.attempt_timeout.or(config.attempt_timeout);
            config.auto_create_topics |= self.auto_create;
            // The window is the limit: what it lets through must not be refused as too much.
            config.sends_max = config.sends_max.max(self.concurrency.get());
        });
        Ok(builder.build()?)
    }

    /// What the messages have in common, checked with a body that is surely good.
    pub(super) fn template(&self) -> Result<Template, Failure> {
        let queue = match (&self.queue, &self.hash_key, &self.order_key) {
            (Some(queue), ..) => QueueChoice::Queue(queue.clone()),
            (_, Some(key), _) => QueueChoice::hash(key),
            (.., Some(key)) => QueueChoice::ordered(
                key,
                match self.order {
                    OrderKind::Strict => Order::Strict,
                    OrderKind::Available => Order::Available,
                },
            ),
            _ => QueueChoice::Rotate,
        };
        let template = Template {
            topic: self.topic.clone(),
            tag: self.tag.clone(),
            keys: self.keys.clone(),
            properties: self.property.clone(),
            kind: self.kind.clone(),
            options: SendOptions::default().queue(queue),
            one_way: self.oneway,
            message_bytes_max: producer_native::Config::default().message_bytes_max,
        };
        let probe = template.message(Bytes::from_static(b"x"));
        probe.map_err(|problem| Failure::usage(problem.to_string()))?;
        Ok(template)
    }

    pub(super) fn source(&self) -> Result<Origin, Failure> {
        let count = self.count.map_or(1, NonZeroU64::get);
        if let Some(body) = &self.body {
            if body.is_empty() {
                return Err(Failure::usage("the body is empty").hint("brokers refuse empty bodies"));
            }
            return Ok(Origin::Same { body: Bytes::from(body.clone()), count });
        }
        if let Some(path) = &self.file {
            let body = std::fs::read(path).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", path.display()))
            })?;
            if body.is_empty() {
                return Err(Failure::usage(format!("{} is empty", path.display()))
                    .hint("brokers refuse empty bodies"));
            }
            return Ok(Origin::Same { body: Bytes::from(body), count });
        }
        Ok(match self.count {
            Some(count) => Origin::Numbered { count: count.get() },
            None => Origin::Lines,
        })
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            in_hand: self.concurrency.get(),
            batch: self.batch.map_or(1, NonZeroUsize::get),
            per_second: self.rate.map(NonZeroU32::get),
        }
    }
}

impl Template {
    /// A message with this body.
    pub(super) fn message(&self, body: Bytes) -> Result<Message, InvalidMessage> {
        let mut message = Message::new(&self.topic, body)?;
        if let Some(tag) = &self.tag {
            message = message.tag(tag)?;
        }
        if !self.keys.is_empty() {
            message = message.keys(self.keys.iter().map(String::as_str))?;
        }
        for (name, value) in &self.properties {
            message = message.with_property(name, value)?;
        }
        self.kind.apply(message)
    }

    /// How each is sent.
    pub(super) fn options(&self) -> SendOptions {
        self.options.clone()
    }
}

const GROUP: &str = "rocketmq-producer-cli";

/// Reads `K=V`.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("wanted: NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads `BROKER:ID`.
pub(crate) fn queue(text: &str) -> Result<Queue, String> {
    const WANTED: &str = "wanted: BROKER:ID, such as broker-a:0";
    let (broker, id) = text.rsplit_once(':').ok_or(WANTED)?;
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    let id = id.parse().map_err(|_| WANTED)?;
    if broker.is_empty() || !digits {
        return Err(WANTED.to_owned());
    }
    Ok(Queue::new(broker, id))
}
