//! The words of a script.
//!
//! | `do` | besides | answer |
//! |---|---|---|
//! | `bridge` | `name`, `origin`, `tokens` | its port |
//! | `unbridge` | `name`, `how`: `drain` or `kill` | |
//! | `frames` | `name` of a bridge | frames to brokers |
//! | `echo` | | port of a bare WebSocket that sends back what it gets |
//! | `secret` | | what signs tokens |
//! | `topic` | `topic`, `queues` | |
//! | `kill`, `restart`, `pause`, `resume` | `broker` | |
//! | `count` | `topic` | messages stored |
//! | `ledger` | `topic`, `believed`: lists of name, state, broker, queue, offset, maybe duplicate | the balance |
//! | `order` | `topic` | lanes |

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::bridges::{Bridges, End, SECRET};
use super::{Believed, Servers, State, Stored, balance, in_order, number, text};
use crate::cluster::{Error, Result, within};

/// Does one thing that a script asked for.
pub(super) fn answer(servers: &dyn Servers, bridges: &mut Bridges, asked: &str) -> Result<Value> {
    let asked: Value = serde_json::from_str(asked).map_err(Error::doing("a wish"))?;
    let asked = &asked;
    let done = |result: Result<()>| result.map(|()| Value::Null);
    match text(asked, "do")? {
        "bridge" => {
            let tokens = asked["tokens"].as_bool().unwrap_or_default();
            Ok(bridges.start(text(asked, "name")?, text(asked, "origin")?, tokens)?.into())
        }
        "unbridge" => {
            let end = if text(asked, "how")? == "drain" { End::Drain } else { End::Kill };
            done(bridges.stop(text(asked, "name")?, end))
        }
        "echo" => Ok(bridges.echo()?.into()),
        "frames" => Ok(bridges.frames(text(asked, "name")?).into()),
        "secret" => Ok(SECRET.into()),
        "topic" => {
            let queues = u32::try_from(number(asked, "queues")?).unwrap_or(u32::MAX);
            done(servers.create_topic(text(asked, "topic")?, queues))
        }
        "kill" => done(servers.kill(text(asked, "broker")?)),
        "restart" => done(servers.restart(text(asked, "broker")?)),
        "pause" => done(servers.pause(text(asked, "broker")?)),
        "resume" => done(servers.resume(text(asked, "broker")?)),
        "count" => Ok(servers.stored(text(asked, "topic")?)?.len().into()),
        "ledger" => ledger(servers, asked),
        "order" => {
            let stored = servers.stored(text(asked, "topic")?)?;
            Ok(in_order(&stored).map_err(Error::new)?.into())
        }
        other => Err(Error::new(format!("nothing is called {other:?}"))),
    }
}

fn ledger(servers: &dyn Servers, asked: &Value) -> Result<Value> {
    let topic = text(asked, "topic")?;
    let lines = asked["believed"].as_array().ok_or_else(|| Error::new("no list"))?;
    let believed = lines.iter().map(line).collect::<Result<Vec<_>>>()?;
    let acked = believed.iter().filter(|line| line.state == State::Acked);
    let acked: HashSet<&str> = acked.map(|line| line.name.as_str()).collect();
    // What brokers have answered may be a moment late for those who read.
    let mut stored: Vec<Stored> = Vec::new();
    within(Duration::from_secs(5), || {
        stored = servers.stored(topic)?;
        let there: HashSet<&str> = stored.iter().map(|message| message.name.as_str()).collect();
        Ok(acked.is_subset(&there).then_some(()))
    })?;
    let found = balance(&believed, &stored).map_err(Error::new)?;
    Ok(json!({
        "acked": found.acked,
        "notStored": found.not_stored,
        "unknown": found.unknown,
        "unknownStored": found.unknown_stored,
        "duplicates": found.duplicates,
        "stored": stored.len(),
    }))
}

fn line(line: &Value) -> Result<Believed> {
    let wrong = || Error::new(format!("no line of a ledger: {line}"));
    let name = line[0].as_str().ok_or_else(wrong)?.to_owned();
    let state = match line[1].as_str() {
        Some("acked") => State::Acked,
        Some("not-sent" | "rejected") => State::NotStored,
        Some("unknown") => State::Unknown,
        _ => return Err(wrong()),
    };
    let at = match (line[2].as_str(), line[3].as_i64(), line[4].as_i64()) {
        (Some(broker), Some(queue), Some(offset)) => {
            Some((broker.to_owned(), i32::try_from(queue).map_err(|_| wrong())?, offset))
        }
        _ => None,
    };
    Ok(Believed { name, state, at, maybe_duplicate: line[5].as_bool().unwrap_or_default() })
}
