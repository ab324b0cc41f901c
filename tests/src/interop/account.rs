//! Does what the producer said of each message agree with what the brokers have stored?

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use producer_native::{Outcome, Receipt};

use super::load::{End, body};
use super::until;
use crate::cluster::{Cluster, Stored};

/// What became of a load, after [`Account::check`] found no lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Sends that ended.
    pub sends: usize,
    /// Those without a receipt.
    pub failures: usize,
    /// Failures after which the message may be stored.
    pub unknown: usize,
    /// Receipts that say that there may be a second copy.
    pub maybe_duplicate: usize,
    /// Copies in the brokers' logs beyond the first of each message.
    pub duplicates: usize,
    /// From the start of the load to its last end.
    pub elapsed: Duration,
    /// The longest time in which no send ended.
    pub longest_gap: Duration,
}

impl Account {
    /// Reads the topic back from all live masters and compares. Panics with the first lies:
    /// a receipt without its message where it says, a message that was said not to be stored, a
    /// copy nobody warned of, more copies than attempts, a message nobody sent.
    #[track_caller]
    pub fn check(cluster: &Cluster, topic: &str, ends: &[End]) -> Self {
        // After a restart a broker indexes what is in its log: wait for what was acknowledged.
        let acknowledged = ends.iter().filter(|end| end.result.is_ok()).count();
        let mut messages = Vec::new();
        let limit = Duration::from_secs(20);
        let mut tries = 0;
        until(limit, "reading back", || {
            tries += 1;
            messages = cluster.read_back(topic).expect("live masters can be read");
            let ids: HashSet<_> = messages.iter().filter_map(Stored::uniq_key).collect();
            (ids.len() >= acknowledged || tries > TRIES_MAX).then_some(())
        });
        let lies = lies(&messages, ends);
        let shown = lies.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(lies.is_empty(), "{} lies about {topic}:\n{shown}", lies.len());
        if let Some(bridge) = cluster.bridge() {
            assert!(bridge.frames() >= ends.len() as u64, "they went by the bridge");
        }
        Self::count(&messages, ends)
    }

    fn count(messages: &[Stored], ends: &[End]) -> Self {
        let failed = |end: &&End| end.result.is_err();
        let is_unknown =
            |end: &&End| end.result.as_ref().is_err_and(|e| e.outcome() == Outcome::Unknown);
        let warns = |end: &&End| end.result.as_ref().is_ok_and(|r| r.maybe_duplicate);
        let ids: HashSet<_> = messages.iter().filter_map(Stored::uniq_key).collect();
        let gaps = ends.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at));
        Self {
            sends: ends.len(),
            failures: ends.iter().filter(failed).count(),
            unknown: ends.iter().filter(is_unknown).count(),
            maybe_duplicate: ends.iter().filter(warns).count(),
            duplicates: messages.len() - ids.len(),
            elapsed: ends.last().map_or(Duration::ZERO, |end| end.at),
            longest_gap: gaps.max().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sends, failures, unknown, maybe_duplicate, duplicates, .. } = self;
        let (elapsed, gap) = (self.elapsed.as_secs_f32(), self.longest_gap.as_millis());
        write!(
            f,
            "{sends} sends, {failures} failures, {unknown} unknown, {maybe_duplicate} maybe \
             duplicate, {duplicates} duplicates, {elapsed:.1} s, longest gap {gap} ms"
        )
    }
}

/// Panics with the trail of the first send that failed.
#[track_caller]
pub fn none_failed(ends: &[End]) {
    let failed: Vec<_> = ends.iter().filter(|end| end.result.is_err()).collect();
    if let Some(End { number, at, result: Err(error) }) = failed.first() {
        let count = failed.len();
        let ends = ends.len();
        panic!("{count} of {ends} sends failed; the first, number {number}, after {at:?}: {error}");
    }
}

fn lies(messages: &[Stored], ends: &[End]) -> Vec<String> {
    let mut lies = Vec::new();
    let mut copies: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for message in messages {
        copies.entry(message.uniq_key().unwrap_or_default()).or_default().push(message);
    }
    for End { number, result, .. } in ends {
        let id = match result {
            Ok(receipt) => Some(receipt.message_id),
            Err(error) => error.message_id(),
        };
        let Some(id) = id else { continue };
        let found = copies.remove(id.as_str()).unwrap_or_default();
        if found.iter().any(|message| message.body != body(*number).as_bytes()) {
            lies.push(format!("{id} is stored with another body than that of send {number}"));
        }
        match result {
            Ok(receipt) => lies.extend(lies_of(receipt, &found)),
            Err(error) if error.outcome() != Outcome::Unknown && !found.is_empty() => {
                lies.push(format!("{id} is stored {} times, but: {error}", found.len()));
            }
            Err(_) => {}
        }
    }
    lies.extend(copies.keys().map(|id| format!("{id:?} is stored, but nobody sent it")));
    lies
}

fn lies_of(receipt: &Receipt, copies: &[&Stored]) -> Option<String> {
    let there = |message: &&&Stored| {
        message.broker == *receipt.broker
            && u32::try_from(message.queue_id) == Ok(receipt.queue_id)
            && u64::try_from(message.queue_offset) == Ok(receipt.queue_offset)
    };
    let count = copies.len();
    let problem = match copies.iter().find(there) {
        None => "is not stored where its receipt says",
        Some(message) if receipt.offset_id.is_none_or(|id| id.as_str() != message.offset_id()) => {
            "is stored under another offset id than its receipt says"
        }
        Some(_) if count > 1 && !receipt.maybe_duplicate => "has copies without a warning",
        Some(_) if count > receipt.attempts as usize => "has more copies than attempts",
        Some(_) => return None,
    };
    Some(format!("{} {problem}: {receipt:?}, {count} copies", receipt.message_id))
}

/// Reading back what a restarted broker is still indexing.
const TRIES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use producer_native::{Producer, SendError, SendOptions};
    use sim::serve::EmbeddedCluster;

    use super::super::load::Load;
    use super::super::{failed, message, runtime};
    use super::*;
    use crate::cluster::read_from;

    /// What a load says and what is stored, without a lie; and that the first one was not sent.
    fn truth() -> (Vec<Stored>, Vec<End>, SendError) {
        let runtime = runtime();
        let cluster = runtime.block_on(EmbeddedCluster::builder().topic("t", 2).start());
        let cluster = cluster.expect("ports of this process are free");
        let producer = Producer::builder("truth").name_servers(&cluster.name_servers());
        let producer = producer.runtime(runtime.handle().clone()).build().expect("complete");
        let load = Load { sends: Some(20), senders: 2, ..Load::to("t") };
        let ends = load.start(&runtime, &producer).finish();
        let broker = &cluster.brokers()[0];
        let messages = read_from(broker.address(), &broker.name(), "t").expect("it is up");
        let first = ends[0].result.as_ref().expect("it was stored").message_id;
        let options = SendOptions::default().message_id(first);
        let absent = producer.send_with(message("absent", "x"), options);
        (messages, ends, failed(runtime.block_on(absent)))
    }

    /// The one lie of a truth that was tampered with.
    fn lie(tamper: impl FnOnce(&mut Vec<Stored>, &mut Vec<End>, SendError)) -> String {
        let (mut messages, mut ends, not_sent) = truth();
        assert_eq!(lies(&messages, &ends), Vec::<String>::new());
        tamper(&mut messages, &mut ends, not_sent);
        lies(&messages, &ends).first().cloned().unwrap_or_default()
    }

    fn receipt(end: &mut End) -> &mut Receipt {
        end.result.as_mut().expect("it was stored")
    }

    #[test]
    fn interop_account_finds_each_lie() {
        let lost = lie(|messages, _, _| drop(messages.pop()));
        let foreign = lie(|_, ends, _| drop(ends.pop()));
        let swapped = lie(|_, ends, _| ends[0].number = 99);
        let copied = lie(|messages, _, _| messages.push(messages[0].clone()));
        let warned = lie(|messages, ends, _| {
            messages.push(messages[0].clone());
            ends.iter_mut().for_each(|end| receipt(end).maybe_duplicate = true);
        });
        let moved = lie(|_, ends, _| receipt(&mut ends[0]).queue_offset += 1);
        let renamed = lie(|messages, _, _| messages[0].physical_offset += 1);
        let denied = lie(|_, ends, not_sent| ends[0].result = Err(not_sent));

        assert!(lost.contains("is not stored where its receipt says"), "{lost}");
        assert!(foreign.contains("nobody sent it"), "{foreign}");
        assert!(swapped.contains("with another body"), "{swapped}");
        assert!(copied.contains("copies without a warning"), "{copied}");
        assert!(warned.contains("more copies than attempts"), "{warned}");
        assert!(moved.contains("is not stored where its receipt says"), "{moved}");
        assert!(renamed.contains("another offset id"), "{renamed}");
        assert!(denied.contains("is stored 1 times, but"), "{denied}");
    }
}
