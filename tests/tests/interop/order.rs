//! Messages of an ordering key keep their order in the broker's log while its broker dies and
//! comes back, and while it hangs.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_native::{Order, Producer, QueueChoice, Receipt, SendError, SendOptions};
use tests::cluster::{Cluster, Release, Result, Stored, Topic};
use tests::interop::{Steps, message, pass, producer, runtime};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

#[test]
fn interop_order_of_keys_holds_5_4_0() -> Result<()> {
    keys_keep_their_order(Release::V5_4_0)
}

#[test]
fn interop_order_of_keys_holds_4_9_7() -> Result<()> {
    keys_keep_their_order(Release::V4_9_7)
}

fn keys_keep_their_order(release: Release) -> Result<()> {
    let cluster = Cluster::builder(release).master("a").master("b").start()?;
    let steps = Steps::begin(release);
    let runtime = runtime();
    let broker = cluster.master("a")?;

    order_holds(&cluster, &runtime, &steps, "killed", || {
        broker.kill();
        broker.restart()
    })?;
    order_holds(&cluster, &runtime, &steps, "frozen", || {
        broker.freeze()?;
        pass(Duration::from_millis(1_500));
        broker.thaw()
    })
}

/// Every key sends one group after the other, each begun at once; then what is in the logs is
/// compared with what was sent.
fn order_holds(
    cluster: &Cluster,
    runtime: &Runtime,
    steps: &Steps,
    fault: &str,
    happens: impl FnOnce() -> Result<()>,
) -> Result<()> {
    cluster.create_topic(&Topic::new(fault, 4))?;
    let producer = producer(runtime, cluster).build().expect("complete");
    let senders: Vec<_> = (0..KEYS).map(|key| sender(runtime, &producer, fault, key)).collect();

    pass(Duration::from_millis(500));
    happens()?;

    let mut acknowledged = 0;
    let mut failed = 0;
    for sender in senders {
        let results = runtime.block_on(sender).expect("a sender does not panic");
        let last = results.iter().rev().take(GROUP).filter(|result| result.is_ok()).count();
        assert_eq!(last, GROUP, "a key does not recover: {:?}", results.last());
        acknowledged += results.iter().filter(|result| result.is_ok()).count();
        failed += results.iter().filter(|result| result.is_err()).count();
    }
    let messages = cluster.read_back_when(fault, acknowledged)?;
    let copies = messages.len().saturating_sub(acknowledged);
    for (key, numbers) in numbers_by_key(&messages) {
        assert!(numbers.is_sorted(), "{fault}: key {key} is out of order: {numbers:?}");
    }
    assert!(messages.len() >= acknowledged);
    steps.done(format_args!(
        "{fault}: {KEYS} keys, {acknowledged} acknowledged, {failed} failed, {copies} stored beyond"
    ));
    Ok(())
}

type Results = Vec<std::result::Result<Receipt, SendError>>;

fn sender(runtime: &Runtime, producer: &Producer, topic: &str, key: usize) -> JoinHandle<Results> {
    let (producer, topic) = (producer.clone(), topic.to_owned());
    runtime.spawn(async move {
        let queue = QueueChoice::ordered(&key.to_string(), Order::Strict);
        let options = SendOptions::default().queue(queue);
        let mut results = Vec::new();
        for group in 0..GROUPS {
            let numbers = group * GROUP..(group + 1) * GROUP;
            let tickets: Vec<_> = numbers
                .map(|n| message(&topic, &format!("{key} {n}")))
                .map(|message| producer.enqueue_with(message, options.clone()))
                .collect();
            for ticket in tickets {
                results.push(ticket.await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        results
    })
}

/// In the order of the log: all messages of a key are in one queue.
fn numbers_by_key(messages: &[Stored]) -> BTreeMap<usize, Vec<usize>> {
    let mut keys: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for message in messages {
        let body = String::from_utf8_lossy(&message.body);
        let parts =
            body.split_once(' ').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let (key, number) = parts.unwrap_or_else(|| panic!("nobody sent {body:?}"));
        let place = (message.broker.clone(), message.queue_id);
        assert_eq!(places.entry(key).or_insert_with(|| place.clone()), &place, "key {key} moved");
        keys.entry(key).or_default().push(number);
    }
    keys
}

const KEYS: usize = 16;
const GROUPS: usize = 150;
const GROUP: usize = 4;
