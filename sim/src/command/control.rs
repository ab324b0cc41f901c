//! What do the lines of standard input do to a running cluster?

use std::fmt::Write as _;
use std::time::Duration;

use sim::model::broker::{Fault, Refusal, Times};
use sim::model::name_server::NameServerFaults;
use sim::serve::{BrokerHandle, EmbeddedCluster, NameServerHandle};

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
enum Order<'a> {
    Nothing,
    Help,
    Status,
    Topics,
    Do(Verb, &'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Kill,
    Restart,
    Move,
    Pause,
    Resume,
    Slow(Duration),
    Busy,
    ReadOnly,
    Ok,
}

enum Node {
    Broker(BrokerHandle),
    NameServer(NameServerHandle),
}

/// Carries out a line, and says what to print.
pub(crate) async fn obey(cluster: &EmbeddedCluster, line: &str) -> Result<String, String> {
    match parse(line)? {
        Order::Nothing => Ok("ok".to_owned()),
        Order::Help => Ok(HELP.to_owned()),
        Order::Status => Ok(status(cluster).await),
        Order::Topics => Ok(topics(cluster)),
        Order::Do(verb, name) => {
            match find(cluster, name)? {
                Node::Broker(broker) => on_broker(&broker, verb).await?,
                Node::NameServer(server) => on_name_server(&server, verb).await?,
            }
            Ok("ok".to_owned())
        }
    }
}

/// How a broker is called: its name, and its id if it is a slave.
pub(crate) fn label(broker: &BrokerHandle) -> String {
    match broker.id() {
        0 => broker.name(),
        id => format!("{}/{id}", broker.name()),
    }
}

fn parse(line: &str) -> Result<Order<'_>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let order = match *words.as_slice() {
        [] => Order::Nothing,
        ["help"] => Order::Help,
        ["status"] => Order::Status,
        ["topics"] => Order::Topics,
        ["kill", name] => Order::Do(Verb::Kill, name),
        ["restart", name] => Order::Do(Verb::Restart, name),
        ["move", name] => Order::Do(Verb::Move, name),
        ["pause", name] => Order::Do(Verb::Pause, name),
        ["resume", name] => Order::Do(Verb::Resume, name),
        ["busy", name] => Order::Do(Verb::Busy, name),
        ["readonly", name] => Order::Do(Verb::ReadOnly, name),
        ["ok", name] => Order::Do(Verb::Ok, name),
        ["slow", name, time] => Order::Do(Verb::Slow(duration(time)?), name),
        ["slow", _] => return Err("slow needs a time, such as 200ms".to_owned()),
        [verb] if VERBS.contains(&verb) => return Err(format!("{verb} needs the name of a node")),
        [verb, ..] if VERBS.contains(&verb) => return Err(format!("too many words after {verb}")),
        [word, ..] => return Err(format!("no command '{word}'; try help")),
    };
    Ok(order)
}

fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{text}' is no time; write 200ms or 3s");
    let (digits, scale) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => return Err(bad()),
    };
    let number: u32 = digits.parse().map_err(|_| bad())?;
    Ok(Duration::from_millis(u64::from(number) * scale))
}

fn find(cluster: &EmbeddedCluster, name: &str) -> Result<Node, String> {
    if let Some(number) = name.strip_prefix("ns-").and_then(|number| number.parse::<usize>().ok())
        && let Some(server) = cluster.all_name_servers().get(number)
    {
        return Ok(Node::NameServer(server.clone()));
    }
    let broker = cluster.brokers().iter().find(|broker| label(broker) == name);
    let broker = broker.cloned().map(Node::Broker);
    broker.ok_or_else(|| format!("there is no node '{name}'; try status"))
}

async fn on_broker(broker: &BrokerHandle, verb: Verb) -> Result<(), String> {
    match verb {
        Verb::Kill => broker.kill().await,
        Verb::Restart => broker.restart().await.map_err(|error| error.to_string())?,
        Verb::Move => {
            broker.restart_elsewhere().await.map_err(|error| error.to_string())?;
        }
        Verb::Pause => broker.pause(),
        Verb::Resume => broker.resume(),
        Verb::Slow(by) => broker.slow(by),
        Verb::Busy => broker.fault(Fault::Refuse(Refusal::Busy), Times::All),
        Verb::ReadOnly => broker.read_only(),
        Verb::Ok => broker.heal(),
    }
    Ok(())
}

async fn on_name_server(server: &NameServerHandle, verb: Verb) -> Result<(), String> {
    match verb {
        Verb::Kill => server.kill().await,
        Verb::Restart => server.restart_empty().await.map_err(|error| error.to_string())?,
        Verb::Pause => server.pause(),
        Verb::Resume => server.resume(),
        Verb::Slow(delay) => server.fault(NameServerFaults { delay, ..Default::default() }),
        Verb::Ok => server.fault(NameServerFaults::default()),
        Verb::Move | Verb::Busy | Verb::ReadOnly => {
            return Err("a name server cannot do that".to_owned());
        }
    }
    Ok(())
}

async fn status(cluster: &EmbeddedCluster) -> String {
    let mut text = String::new();
    for (number, server) in cluster.all_name_servers().iter().enumerate() {
        let state = if server.is_up().await { "up" } else { "down" };
        let (topics, connections) =
            server.with(|node, _| (node.topics().len(), node.connections()));
        let address = server.address();
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            text,
            "ns-{number} {address} {state} topics={topics} connections={connections}"
        );
    }
    for broker in cluster.brokers() {
        let state = if broker.is_up().await { "up" } else { "down" };
        let counters = broker.counters();
        let connections = broker.with(|node, _| node.connections());
        let _ = writeln!(
            text,
            "{} {} {state} sends={} stored={} connections={connections}",
            label(broker),
            broker.address(),
            counters.sends,
            counters.stored,
        );
    }
    text.trim_end().to_owned()
}

fn topics(cluster: &EmbeddedCluster) -> String {
    let mut text = String::new();
    for broker in cluster.brokers() {
        for (topic, config) in broker.with(|node, _| node.topics()) {
            let stored = broker.messages(&topic).len();
            let (queues, label) = (config.write_queues, label(broker));
            let _ = writeln!(text, "{topic} {label} queues={queues} messages={stored}");
        }
    }
    text.trim_end().to_owned()
}

const VERBS: [&str; 9] =
    ["kill", "restart", "move", "pause", "resume", "slow", "busy", "readonly", "ok"];

const HELP: &str = "\
kill NODE         stop at once: connections are reset, the port refuses
restart NODE      start again on the same port; a broker keeps its log, a name server forgets
move BROKER       stop and start on another port
pause NODE        freeze: nothing is read
resume NODE       execute all that came meanwhile, and go on
slow NODE 200ms   answer so much later
busy BROKER       refuse all sends as busy
readonly BROKER   take the write permission away
ok NODE           end slow, busy and readonly
status            all nodes
topics            all topics
help              this text
Nodes are ns-0, broker-a, and broker-a/1 for its slave.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_refused_with_a_reason() {
        assert_eq!(parse("  "), Ok(Order::Nothing));
        assert_eq!(parse("kill broker-a"), Ok(Order::Do(Verb::Kill, "broker-a")));
        let slow = Order::Do(Verb::Slow(Duration::from_secs(3)), "ns-0");
        assert_eq!(parse("slow ns-0 3s"), Ok(slow));
        for bad in ["kill", "kill a b", "slow a", "slow a 3", "slow a -3s", "slow a xs", "jump a"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
