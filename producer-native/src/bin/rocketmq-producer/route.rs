//! `route`: where does a topic live, as the producer sees it?

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use producer_native::{Route, RouteBroker, TopicName};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::options::{Cluster, duration};

#[derive(Debug, Args)]
pub(crate) struct RouteArguments {
    /// The topic
    topic: TopicName,
    #[command(flatten)]
    cluster: Cluster,
    /// Longest wait for the name servers
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
    /// Fall back to the brokers that would create the topic
    #[arg(long)]
    auto_create: bool,
}

pub(crate) async fn run(arguments: RouteArguments, json: bool) -> Result<Exit, Failure> {
    let producer = arguments
        .cluster
        .builder(&[("group", GROUP)], &[])?
        .send_timeout(arguments.timeout)
        .configure(|config| config.auto_create_topics |= arguments.auto_create)
        .build()?;
    let mut out = io::stdout().lock();
    let found = producer.route(&arguments.topic).await;
    producer.close(Duration::from_millis(100)).await;
    let error = match found {
        Ok(route) => {
            if json {
                writeln!(out, "{}", route_json(&route))?;
            } else {
                write_route(&mut out, &route)?;
            }
            out.flush()?;
            return Ok(Exit::Done);
        }
        Err(error) => error,
    };
    let (cause, hint) = (error.kind().to_string(), error.kind().hint());
    if json {
        let code = error.kind().code();
        let line = json!({"ok": false, "code": code, "error": cause, "hint": hint});
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    let failure = Failure::new(format!("topic {}: {cause}", arguments.topic));
    Err(match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

fn route_json(route: &Route) -> Value {
    let broker = |broker: &RouteBroker| {
        json!({
            "name": &*broker.name,
            "queues": queues_of(route, &broker.name),
            "advertised": broker.advertised.as_ref().map(|address| address.as_str()),
            "dialled": broker.dialled.as_ref().map(|address| address.as_str()),
        })
    };
    let queues = route.queues.iter().map(|queue| json!({"broker": &*queue.broker, "id": queue.id}));
    json!({
        "ok": true,
        "topic": route.topic.as_str(),
        "ordered": route.ordered,
        "queues": queues.collect::<Vec<_>>(),
        "brokers": route.brokers.iter().map(broker).collect::<Vec<_>>(),
    })
}

fn write_route(out: &mut impl Write, route: &Route) -> io::Result<()> {
    let ordered = if route.ordered { ", ordered by the name server's configuration" } else { "" };
    let (queues, brokers) = (route.queues.len(), route.brokers.len());
    writeln!(out, "{}: {queues} writable queues on {brokers} brokers{ordered}", route.topic)?;
    for broker in &route.brokers {
        let queues = queues_of(route, &broker.name);
        write!(out, "  {}  {} queues  ", broker.name, queues.len())?;
        match (&broker.advertised, &broker.dialled) {
            (Some(from), Some(to)) if from != to => writeln!(out, "{from} -> {to}")?,
            (Some(address), _) => writeln!(out, "{address}")?,
            (None, _) => writeln!(out, "no master")?,
        }
    }
    Ok(())
}

fn queues_of(route: &Route, broker: &str) -> Vec<u32> {
    let queues = route.queues.iter().filter(|queue| &*queue.broker == broker);
    queues.map(|queue| queue.id).collect()
}

/// It never sends, so that no broker ever hears of the group.
const GROUP: &str = "rocketmq-producer-cli";
