//! Transactions with real brokers of both releases, one cluster each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use producer_native::{Decision, Message, Producer, TransactionCheck};
use tests::cluster::{BrokerSpec, Builder, Cluster, Release, Result, Topic};
use tests::interop::{Steps, message, producer, runtime, until};
use tokio::runtime::Runtime;

#[test]
fn interop_transaction_5_4_0() -> Result<()> {
    transactions(Cluster::builder(Release::V5_4_0))
}

#[test]
fn interop_transaction_4_9_7() -> Result<()> {
    transactions(Cluster::builder(Release::V4_9_7))
}

#[test]
fn interop_bridge_5_4_0_transaction() -> Result<()> {
    transactions(Cluster::builder(Release::V5_4_0).bridged())
}

#[test]
fn interop_bridge_4_9_7_transaction() -> Result<()> {
    transactions(Cluster::builder(Release::V4_9_7).bridged())
}

const TOPIC: &str = "transactions";
/// How long a broker may take to ask, and to store what was decided then.
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    cluster: Cluster,
    runtime: Runtime,
    producer: Producer,
}

fn transactions(builder: Builder) -> Result<()> {
    // Brokers ask by default after six seconds, and every thirty or sixty. 5.x notes ends in batches
    // of three seconds, and would ask about what has ended long ago.
    let broker = BrokerSpec::master("a")
        .config("transactionTimeOut", "1000")
        .config("transactionCheckInterval", "1000")
        .config("transactionOpBatchInterval", "100");
    let cluster = builder.broker(broker).start()?;
    cluster.create_topic(&Topic::new(TOPIC, 2))?;
    let runtime = runtime();
    let producer = producer(&runtime, &cluster).transaction_checker(decide).build();
    let world = World { cluster, runtime, producer: producer.expect("it has what it needs") };
    let steps = Steps::begin(world.cluster.release());
    world.commit_and_roll_back()?;
    steps.done("commit and rollback");
    world.asked()?;
    steps.done("an unknown one is asked about");
    world.all_once(&["asked", "asked twice", "committed"])?;
    steps.done("nothing is seen twice");
    world.killed_in_between()?;
    steps.done("a broker killed between half message and commit");
    let report = world.runtime.block_on(world.producer.close(Duration::from_secs(3)));
    assert_eq!((report.unknown, report.not_sent), (0, 0));
    Ok(())
}

/// What the application knows of a transaction is in a property.
async fn decide(check: TransactionCheck) -> std::result::Result<Decision, String> {
    match check.property("check") {
        Some("commit") => Ok(Decision::Commit),
        Some("rollback") => Ok(Decision::Rollback),
        // The first time it does not know.
        Some("later") if check.times < 2 => Err("not written yet".to_owned()),
        Some("later") => Ok(Decision::Commit),
        other => Err(format!("{other:?}")),
    }
}

fn checked(body: &str, decision: &str) -> Message {
    message(TOPIC, body).with_property("check", decision).expect("a valid property")
}

impl World {
    fn seen(&self) -> Result<BTreeMap<String, usize>> {
        let mut seen = BTreeMap::new();
        for message in self.cluster.read_back(TOPIC)? {
            *seen.entry(String::from_utf8_lossy(&message.body).into_owned()).or_default() += 1;
        }
        Ok(seen)
    }

    /// Waits until consumers see a message; how long that took.
    fn wait_seen(&self, body: &str) -> Duration {
        let begin = Instant::now();
        until(PATIENCE, body, || self.seen().ok()?.contains_key(body).then_some(()));
        begin.elapsed()
    }

    fn begin(&self, message: Message) -> producer_native::OpenTransaction {
        let open = self.runtime.block_on(self.producer.begin(message));
        open.unwrap_or_else(|error| panic!("no half message: {error}"))
    }

    fn commit_and_roll_back(&self) -> Result<()> {
        let open = self.begin(checked("committed", "rollback"));
        let id = open.half().transaction.id.clone();
        assert!(self.seen()?.is_empty());
        self.runtime.block_on(open.commit()).expect("the broker is there");
        let took = self.wait_seen("committed");
        assert!(took < Duration::from_secs(1), "without being asked: {took:?}");
        let stored = self.cluster.read_back_when(TOPIC, 1)?;
        assert_eq!(stored[0].uniq_key(), Some(&*id));
        assert_eq!(stored[0].property("check"), Some("rollback"));

        let open = self.begin(checked("rolled back", "commit"));
        self.runtime.block_on(open.rollback()).expect("the broker is there");
        drop(self.begin(checked("dropped", "commit")));
        Ok(())
    }

    fn asked(&self) -> Result<()> {
        self.begin(checked("asked", "commit")).unknown();
        self.begin(checked("refused", "rollback")).unknown();
        self.begin(checked("asked twice", "later")).unknown();
        self.wait_seen("asked");
        self.wait_seen("asked twice");
        let stats = self.producer.stats();
        assert!(stats.checks >= 4, "{stats:?}");
        assert!(stats.checks_failed >= 1, "{stats:?}");
        assert_eq!((stats.checks_ignored, stats.checks_dropped), (0, 0), "{stats:?}");
        Ok(())
    }

    fn killed_in_between(&self) -> Result<()> {
        let open = self.begin(checked("killed", "commit"));
        self.cluster.master("a")?.kill();
        // Either nobody could be told, or what was told went to a dead connection.
        let _told = self.runtime.block_on(open.commit());
        self.cluster.master("a")?.restart()?;
        self.wait_seen("killed");
        // What was never committed is never seen. A broker that was killed has forgotten how far it
        // has asked, asks about the same half messages again, and stores what is committed again:
        // the id tells consumers.
        let stored = self.cluster.read_back(TOPIC)?;
        let mut ids = BTreeMap::<_, &[u8]>::new();
        for message in &stored {
            let body = ids.entry(message.uniq_key()).or_insert(&message.body);
            assert_eq!(*body, &*message.body, "an id has one body");
        }
        let seen = self.seen()?;
        assert_eq!(
            seen.keys().collect::<Vec<_>>(),
            ["asked", "asked twice", "committed", "killed"]
        );
        assert_eq!((seen["committed"], ids.len()), (1, 4), "{seen:?}");
        Ok(())
    }

    fn all_once(&self, wanted: &[&str]) -> Result<()> {
        let seen = self.seen()?;
        assert_eq!(seen.keys().collect::<Vec<_>>(), wanted);
        assert!(seen.values().all(|&times| times == 1), "{seen:?}");
        Ok(())
    }
}
