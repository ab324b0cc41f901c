//! `request` and `transaction`: one message, and what comes of it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use producer_native::{
    Builder, Decision, Message, Queue, QueueChoice, ReplyMessage, SendError, SendOptions,
    TopicName, TransactionEnd,
};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::options::{Cluster, duration};
use crate::send::{property, queue};

/// One message.
#[derive(Debug, Args)]
struct OneMessage {
    /// The topic
    #[arg(long, short)]
    topic: TopicName,
    #[command(flatten)]
    cluster: Cluster,
    /// The body
    #[arg(long, short, value_name = "TEXT")]
    body: String,
    /// Keys by which the broker indexes the message
    #[arg(long, short, value_name = "KEY", num_args = 1..)]
    keys: Vec<String>,
    /// Tag by which consumers filter
    #[arg(long)]
    tag: Option<String>,
    /// A property; may be repeated
    #[arg(long, short, value_name = "K=V", value_parser = property)]
    property: Vec<(String, String)>,
    /// Producer group [default: rocketmq-producer-cli]
    #[arg(long, short)]
    group: Option<String>,
}

impl OneMessage {
    fn message(&self) -> Result<Message, Failure> {
        let made = || {
            let mut message = Message::new(self.topic.clone(), self.body.clone())?;
            if !self.keys.is_empty() {
                message = message.keys(self.keys.iter().map(String::as_str))?;
            }
            if let Some(tag) = &self.tag {
                message = message.tag(tag)?;
            }
            for (name, value) in &self.property {
                message = message.with_property(name, value)?;
            }
            Ok(message)
        };
        made()
            .map_err(|problem: producer_native::InvalidMessage| Failure::usage(problem.to_string()))
    }

    fn builder(&self) -> Result<Builder, Failure> {
        let builder = self.cluster.builder(&[("group", GROUP)], &[])?;
        Ok(match &self.group {
            Some(group) => builder.group(group),
            None => builder,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct RequestArguments {
    #[command(flatten)]
    message: OneMessage,
    /// Send to this queue
    #[arg(long, value_name = "BROKER:ID", value_parser = queue, group = "choice")]
    queue: Option<Queue>,
    /// Send to the queue that Java's SelectMessageQueueByHash takes for this text
    #[arg(long, value_name = "TEXT", group = "choice")]
    hash_key: Option<String>,
    /// Longest time until the reply has come, the send included
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
}

/// Sends a request and shows its reply.
pub(crate) async fn request(arguments: RequestArguments, json: bool) -> Result<Exit, Failure> {
    let message = arguments.message.message()?;
    let producer = arguments.message.builder()?.build()?;
    let mut options = SendOptions::default().timeout(arguments.timeout);
    if let Some(queue) = arguments.queue {
        options = options.queue(QueueChoice::Queue(queue));
    } else if let Some(key) = &arguments.hash_key {
        options = options.queue(QueueChoice::hash(key));
    }
    let begun = Instant::now();
    let replied = producer.request(message, options).await;
    let elapsed = begun.elapsed();
    producer.close(Duration::from_millis(100)).await;
    let mut out = io::stdout().lock();
    match replied {
        Ok(reply) if json => writeln!(out, "{}", reply_json(&reply, elapsed))?,
        Ok(reply) => {
            out.write_all(&reply.body)?;
            writeln!(out)?;
        }
        Err(error) => return Err(failed(&mut out, &error, json)?),
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn reply_json(reply: &ReplyMessage, elapsed: Duration) -> Value {
    let properties: serde_json::Map<String, Value> =
        reply.properties().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "ok": true,
        "message_id": reply.request_id.as_str(),
        "body": String::from_utf8_lossy(&reply.body),
        "properties": properties,
        "from": reply.born_host,
        "ms": elapsed.as_millis() as u64,
    })
}

#[derive(Debug, Args)]
pub(crate) struct TransactionArguments {
    #[command(flatten)]
    message: OneMessage,
    /// What the local transaction is to say
    #[arg(long, value_enum, default_value = "commit")]
    end: End,
    /// What to answer brokers that ask about transactions of this group; else they are not answered
    #[arg(long, value_enum, value_name = "END")]
    answer: Option<End>,
    /// Stay so long to answer brokers; they ask after six seconds and more
    #[arg(long, value_name = "TIME", requires = "answer", value_parser = duration)]
    stay: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum End {
    /// Consumers get the message
    Commit,
    /// Nobody gets it
    Rollback,
    /// Not known yet: the broker asks again
    Unknown,
}

impl End {
    fn decision(self) -> Decision {
        match self {
            Self::Commit => Decision::Commit,
            Self::Rollback => Decision::Rollback,
            Self::Unknown => Decision::Unknown,
        }
    }
}

/// Sends a message in a transaction and ends it.
pub(crate) async fn transaction(
    arguments: TransactionArguments,
    json: bool,
) -> Result<Exit, Failure> {
    let message = arguments.message.message()?;
    let mut builder = arguments.message.builder()?;
    if let Some(end) = arguments.answer {
        builder = builder.transaction_checker(move |_| async move { end.decision() });
    }
    let producer = builder.build()?;
    let decision = arguments.end.decision();
    let ended = producer.send_in_transaction(message, |_half| async move { decision }).await;
    if let (Some(stay), Ok(_)) = (arguments.stay, &ended) {
        tokio::time::sleep(stay).await;
    }
    let checks = producer.stats().checks;
    producer.close(Duration::from_secs(1)).await;
    let mut out = io::stdout().lock();
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return Err(failed(&mut out, &error, json)?),
    };
    match json {
        true => writeln!(out, "{}", end_json(&ended, checks))?,
        false => write_end(&mut out, &ended, checks)?,
    }
    out.flush()?;
    Ok(if ended.told { Exit::Done } else { Exit::NotDone })
}

fn end_json(ended: &TransactionEnd, checks: u64) -> Value {
    json!({
        "ok": ended.told,
        "message_id": ended.receipt.message_id.as_str(),
        "broker": &*ended.receipt.broker,
        "decision": name(ended.decision),
        "told": ended.told,
        "checks": checks,
    })
}

fn write_end(out: &mut impl Write, ended: &TransactionEnd, checks: u64) -> io::Result<()> {
    let (id, broker) = (&ended.receipt.message_id, &ended.receipt.broker);
    let told = if ended.told { "told" } else { "could not be told; it will ask" };
    writeln!(out, "{} {id}: broker {broker} {told}", name(ended.decision))?;
    if checks > 0 {
        writeln!(out, "brokers asked {checks} times")?;
    }
    Ok(())
}

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Commit => "commit",
        Decision::Rollback => "rollback",
        Decision::Unknown => "unknown",
    }
}

fn failed(out: &mut impl Write, error: &SendError, json: bool) -> io::Result<Failure> {
    if json {
        let line = json!({
            "ok": false,
            "outcome": error.outcome().as_str(),
            "code": error.kind().code(),
            "error": error.to_string(),
        });
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    let failure = Failure::new(error.to_string());
    Ok(match error.kind().hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

const GROUP: &str = "rocketmq-producer-cli";
