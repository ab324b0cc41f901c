//! `topic`, `offsets`, `message`, `find`: what an administrator asks through a producer.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use producer_native::{
    Admin, AskError, Boundary, FoundMessage, NewTopic, Producer, TopicName, Window,
};
use serde_json::{Value, json};

use crate::date;
use crate::exit::{Exit, Failure};
use crate::options::{Cluster, duration};

#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    #[command(flatten)]
    cluster: Cluster,
    /// Longest wait for everything that is asked
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = duration)]
    timeout: Duration,
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Create a topic, or change it where it is there
    CreateTopic {
        /// The topic
        topic: TopicName,
        /// Queues on each broker
        #[arg(long, value_name = "N", default_value = "8")]
        queues: u32,
        /// Create it on the brokers that have this topic
        #[arg(long, value_name = "TOPIC", default_value = "TBW102")]
        like: TopicName,
        /// An attribute such as message.type=DELAY; may be repeated
        #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
        attribute: Vec<(String, String)>,
    },
    /// Show first and next offset and earliest store time of each queue
    Offsets {
        /// The topic
        topic: TopicName,
        /// Search for the offset of this time too, in milliseconds since 1970
        #[arg(long, value_name = "MS")]
        at: Option<u64>,
    },
    /// Show the message with this id, a broker's or a client's
    Message {
        /// The topic
        topic: TopicName,
        /// The id
        id: String,
    },
    /// Show messages with this key, the youngest first
    Find {
        /// The topic
        topic: TopicName,
        /// The key
        key: String,
        /// Most messages of each broker
        #[arg(long, value_name = "N", default_value = "32")]
        max: u32,
    },
}

pub(crate) async fn run(arguments: AdminArguments, json: bool) -> Result<Exit, Failure> {
    let producer = arguments.cluster.builder(&[], &[])?.build()?;
    let answer = answer(&producer, &arguments).await;
    producer.close(Duration::from_millis(100)).await;
    let mut out = io::stdout().lock();
    let lines = match answer {
        Ok(lines) => lines,
        Err(error) => return Err(failure(&mut out, json, &error)?),
    };
    for (text, value) in lines {
        match json {
            true => writeln!(out, "{value}")?,
            false => writeln!(out, "{text}")?,
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// One line for people and one for scripts.
type Line = (String, Value);

async fn answer(producer: &Producer, asked: &AdminArguments) -> Result<Vec<Line>, AskError> {
    let admin = producer.admin().timeout(asked.timeout);
    match &asked.question {
        Question::CreateTopic { topic, queues, like, attribute } => {
            let new = NewTopic::new(topic.clone(), *queues).like(like);
            let new = attribute.iter().fold(new, |new, (name, value)| new.attribute(name, value));
            let created = admin.create_topic(&new).await?;
            let made = created.brokers.iter();
            let mut lines: Vec<Line> = made
                .map(|broker| {
                    let text = format!("{topic} is on {broker}, with {queues} queues");
                    (text, json!({"ok": true, "broker": broker, "queues": queues}))
                })
                .collect();
            lines.extend(created.failures.iter().map(|(broker, error)| {
                let value = json!({"ok": false, "broker": broker, "code": error.code(),
                    "error": error.to_string()});
                (format!("{topic} is not on {broker}: {error}"), value)
            }));
            Ok(lines)
        }
        Question::Offsets { topic, at } => offsets(admin, topic, *at).await,
        Question::Message { topic, id } => {
            Ok(vec![message_line(&admin.view_message(topic, id).await?)])
        }
        Question::Find { topic, key, max } => {
            let window = Window { max: *max, from_ms: 0, to_ms: i64::MAX as u64 };
            let found = admin.find_by_key(topic, key, window).await?;
            match found.is_empty() {
                true => Err(AskError::NoMessage),
                false => Ok(found.iter().map(message_line).collect()),
            }
        }
    }
}

async fn offsets(
    admin: Admin<'_>,
    topic: &TopicName,
    at: Option<u64>,
) -> Result<Vec<Line>, AskError> {
    let mut lines = Vec::new();
    for queue in admin.publish_queues(topic).await? {
        let first = admin.min_offset(topic, &queue).await?;
        let next = admin.max_offset(topic, &queue).await?;
        let earliest = admin.earliest_store_time(topic, &queue).await?;
        let sought = match at {
            Some(ms) => Some(admin.search_offset(topic, &queue, ms, Boundary::Lower).await?),
            None => None,
        };
        let mut text = format!("{} {}: {first} to {next}", queue.broker, queue.id);
        if let Some(ms) = earliest.and_then(|ms| i64::try_from(ms).ok()) {
            text.push_str(&format!(", since {}", date::utc(ms)));
        }
        if let (Some(ms), Some(offset)) = (at, sought) {
            text.push_str(&format!(", {offset} at {ms}"));
        }
        let value = json!({"ok": true, "broker": &*queue.broker, "queue": queue.id,
            "min_offset": first, "max_offset": next, "earliest_ms": earliest, "offset": sought});
        lines.push((text, value));
    }
    Ok(lines)
}

fn message_line(found: &FoundMessage) -> Line {
    let properties: serde_json::Map<String, Value> =
        found.properties().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let body = std::str::from_utf8(&found.body).ok().filter(|_| found.compression().is_none());
    let stored = date::utc(found.stored_ms);
    let place = format!("offset {} of queue {}", found.queue_offset, found.queue_id);
    let text = format!(
        "{} stored {stored} at {place} by {}: {} bytes{}",
        found.message_id,
        found.store_host,
        found.body.len(),
        body.map_or_else(String::new, |body| format!(": {body:?}")),
    );
    let value = json!({
        "ok": true,
        "topic": found.topic,
        "message_id": found.message_id,
        "offset_id": found.offset_id,
        "queue": found.queue_id,
        "queue_offset": found.queue_offset,
        "born_ms": found.born_ms,
        "stored_ms": found.stored_ms,
        "born_host": found.born_host.to_string(),
        "store_host": found.store_host.to_string(),
        "flag": found.flag,
        "properties": properties,
        "body_bytes": found.body.len(),
        "body": body,
    });
    (text, value)
}

/// What a script and a person are told of a question without a good answer.
pub(crate) fn failure(
    out: &mut impl Write,
    json: bool,
    error: &AskError,
) -> Result<Failure, io::Error> {
    if json {
        let (code, hint) = (error.code(), error.hint());
        let line = json!({"ok": false, "code": code, "error": error.to_string(), "hint": hint});
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    let failure = match error {
        AskError::Invalid(_) => Failure::usage(error.to_string()),
        _ => Failure::new(error.to_string()),
    };
    Ok(match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

/// Reads `NAME=VALUE`.
fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("wanted: NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
