//! `doctor`: can a producer work with this cluster from here, and if not, what is to be done?

mod ask;
mod diagnosis;
mod survey;

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use producer_core::wire::version;
use producer_native::TopicName;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::options::{Cluster, duration};
use ask::AskError;
use diagnosis::{Finding, findings};
use survey::{BrokerFacts, Facts, NameServerFacts, TopicAnswer, survey};

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    cluster: Cluster,
    /// Look at this topic and its brokers; else at all brokers that name servers know
    #[arg(long, short)]
    topic: Option<TopicName>,
    /// Longest wait for each dial and for each answer
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    timeout: Duration,
}

pub(crate) async fn run(arguments: DoctorArguments, json: bool) -> Result<Exit, Failure> {
    let DoctorArguments { cluster, topic, timeout } = arguments;
    let facts = survey(&cluster, topic, timeout).await?;
    let findings = findings(&facts);
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", report(&facts, &findings))?;
    } else {
        write_report(&mut out, &facts, &findings)?;
    }
    out.flush()?;
    Ok(if findings.is_empty() { Exit::Done } else { Exit::NotDone })
}

fn report(facts: &Facts, findings: &[Finding]) -> Value {
    let finding = |finding: &Finding| json!({"code": finding.code, "what": finding.what, "advice": finding.advice});
    json!({
        "ok": findings.is_empty(),
        "topic": facts.topic.as_ref().map(|topic| topic.as_str()),
        "name_servers": facts.name_servers.iter().map(name_server_json).collect::<Vec<_>>(),
        "brokers": facts.brokers.iter().map(broker_json).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn name_server_json(server: &NameServerFacts) -> Value {
    let address = server.address.as_str();
    match &server.answer {
        Ok(answer) => json!({
            "address": address,
            "ok": true,
            "elapsed_us": answer.elapsed.as_micros(),
            "version": version::name(answer.version),
            "brokers": answer.brokers.as_ref().ok().map(|info| info.brokers.len()),
            "topic": answer.topic.as_ref().map(TopicAnswer::word),
        }),
        Err(error) => json!({"address": address, "ok": false, "error": error.to_string()}),
    }
}

fn broker_json(broker: &BrokerFacts) -> Value {
    let error = |error: &AskError| error.to_string();
    json!({
        "name": broker.name,
        "id": broker.id,
        "advertised": broker.advertised.as_str(),
        "dialled": broker.dialled.as_str(),
        "ok": broker.answer.as_ref().is_ok_and(|answer| answer.code == 0),
        "advertised_error": broker.unmapped.as_ref().and_then(|dial| dial.as_ref().err()).map(error),
        "error": broker.answer.as_ref().err().map(error),
        "elapsed_us": broker.answer.as_ref().ok().map(|answer| answer.elapsed.as_micros()),
        "version": broker.answer.as_ref().ok().map(|answer| version::name(answer.version)),
    })
}

fn write_report(out: &mut impl Write, facts: &Facts, findings: &[Finding]) -> io::Result<()> {
    for server in &facts.name_servers {
        write!(out, "name server {}: ", server.address)?;
        match &server.answer {
            Ok(answer) => {
                write!(out, "{}, {}", ms(answer.elapsed), version_text(answer.version))?;
                if let Ok(info) = &answer.brokers {
                    write!(out, ", {} broker names", info.brokers.len())?;
                }
                if let (Some(topic), Some(found)) = (&facts.topic, &answer.topic) {
                    write!(out, ", topic {topic} {}", found.word())?;
                }
                writeln!(out)?;
            }
            Err(error) => writeln!(out, "{error}")?,
        }
    }
    for broker in &facts.brokers {
        let role =
            if broker.id == 0 { "master".to_owned() } else { format!("slave {}", broker.id) };
        write!(out, "broker {} ({role}) {}", broker.name, broker.advertised)?;
        match &broker.unmapped {
            Some(Ok(())) => write!(out, " (reachable too) -> {}", broker.dialled)?,
            Some(Err(error)) => write!(out, " ({error}) -> {}", broker.dialled)?,
            None => {}
        }
        match &broker.answer {
            Ok(answer) if answer.code == 0 => {
                writeln!(out, ": {}, {}", ms(answer.elapsed), version_text(answer.version))?;
            }
            Ok(answer) => writeln!(out, ": answered with code {}", answer.code)?,
            Err(error) => writeln!(out, ": {error}")?,
        }
    }
    if findings.is_empty() {
        return writeln!(out, "nothing is wrong");
    }
    for finding in findings {
        writeln!(out, "\nwrong: {} [{}]\n   do: {}", finding.what, finding.code, finding.advice)?;
    }
    Ok(())
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn version_text(ordinal: i32) -> String {
    version::name(ordinal).unwrap_or_else(|| format!("version {ordinal}"))
}
