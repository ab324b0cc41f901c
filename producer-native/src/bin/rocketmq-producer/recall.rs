//! `recall`: take a timer message back.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use producer_native::TopicName;
use serde_json::json;

use crate::admin::failure;
use crate::exit::{Exit, Failure};
use crate::options::{Cluster, duration};

#[derive(Debug, Args)]
pub(crate) struct RecallArguments {
    /// The topic
    topic: TopicName,
    /// The recall handle of the message's receipt
    handle: String,
    #[command(flatten)]
    cluster: Cluster,
    /// Longest wait for the brokers
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
}

pub(crate) async fn run(arguments: RecallArguments, json: bool) -> Result<Exit, Failure> {
    let builder = arguments.cluster.builder(&[], &[])?;
    let producer = builder.send_timeout(arguments.timeout).build()?;
    let recalled = producer.recall(&arguments.topic, &arguments.handle).await;
    producer.close(Duration::from_millis(100)).await;
    let mut out = io::stdout().lock();
    let id = match recalled {
        Ok(id) => id,
        Err(error) => return Err(failure(&mut out, json, &error)?),
    };
    match json {
        true => writeln!(out, "{}", json!({"ok": true, "message_id": id}))?,
        false => writeln!(out, "{id} is recalled")?,
    }
    out.flush()?;
    Ok(Exit::Done)
}
