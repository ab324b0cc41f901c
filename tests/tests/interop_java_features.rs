//! The Java client 5.4.0 does what it can do, feature by feature, and our models of brokers do with
//! it what real ones do: what is in their logs is compared with what was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::model;
use sim::serve::EmbeddedCluster;
use tests::cluster::{Release, Result, Stored, read_from};
use tests::interop::client::{Java, Reach};
use tests::interop::java::stored_is_what_java_sent;
use tests::interop::{Steps, runtime, until};

#[test]
fn interop_java_features_at_models_of_5_4_0() -> Result<()> {
    features(model::Release::V5_4_0)
}

#[test]
fn interop_java_features_at_models_of_4_9_7() -> Result<()> {
    features(model::Release::V4_9_7)
}

fn features(release: model::Release) -> Result<()> {
    let steps = Steps::begin(Release::V5_4_0);
    let runtime = runtime();
    let mut cluster = EmbeddedCluster::builder().release(release).broker("broker-a", |broker| {
        broker.tune(|config| {
            config.transaction_timeout = Duration::from_millis(200);
            config.transaction_check_interval = Duration::from_millis(200);
        })
    });
    for topic in ["batch", "transaction", "zlib", "lz4", "zstd", "space%named", "traced", TRACES] {
        cluster = cluster.topic(topic, 2);
    }
    let cluster = runtime.block_on(cluster.start()).expect("ports of this process are free");
    let reach = Reach::new(&cluster.name_servers(), "java-features");
    let world = World { cluster, java: Java::start()?, reach };
    for (name, step) in STEPS {
        step(&world)?;
        steps.done(format_args!("{release:?} model: {name}"));
    }
    Ok(())
}

const TRACES: &str = "RMQ_SYS_TRACE_TOPIC";

type Step = fn(&World) -> Result<()>;

const STEPS: [(&str, Step); 5] = [
    ("batch", batch),
    ("transaction with listener and checks", transactions),
    ("compression", compression),
    ("namespace", namespace),
    ("message trace", trace),
];

struct World {
    cluster: EmbeddedCluster,
    java: Java,
    reach: Reach,
}

impl World {
    /// What is stored in a topic, once there are so many.
    fn stored(&self, topic: &str, count: usize) -> Vec<Stored> {
        let broker = &self.cluster.brokers()[0];
        until(Duration::from_secs(5), topic, || {
            let messages = read_from(broker.address(), &broker.name(), topic).expect("it is up");
            (messages.len() >= count).then_some(messages)
        })
    }
}

fn batch(world: &World) -> Result<()> {
    let results =
        world.java.produce(&world.reach, "batch", &["batch:20", "batch:1", "batch:3:900"])?;

    assert_eq!(results.len(), 3);
    let messages = world.stored("batch", 24);
    assert_eq!(messages.len(), 24);
    stored_is_what_java_sent(&results, &messages);
    Ok(())
}

fn transactions(world: &World) -> Result<()> {
    let results = world.java.produce(
        &world.reach,
        "transaction",
        &[
            "transaction:2:commit:commit",
            "transaction:2:rollback:rollback",
            "transaction:3:unknown:commit",
            "transaction:2:unknown:rollback",
            "transaction:1:throw:commit",
            "checks:6",
        ],
    )?;

    let (checks, sent): (Vec<_>, Vec<_>) =
        results.iter().partition(|result| result["api"] == "check");
    assert_eq!(sent.len(), 10, "{sent:?}");
    let mut states = BTreeMap::new();
    for result in &sent {
        assert_eq!(result["status"], "SEND_OK", "{result}");
        *states.entry(result["localState"].as_str().unwrap_or_default()).or_insert(0) += 1;
    }
    let wanted = [("COMMIT_MESSAGE", 2), ("ROLLBACK_MESSAGE", 2), ("UNKNOW", 6)];
    assert_eq!(states, BTreeMap::from(wanted));
    for check in checks {
        assert_eq!(check["transactionId"], check["uniq_key"], "{check}");
        assert_eq!(check["properties"]["PGROUP"], "java-features", "{check}");
    }
    let messages = world.stored("transaction", 6);
    let commits = |message: &Stored| match message.property("local") {
        Some("commit") => true,
        Some("rollback") => false,
        _ => message.property("check") == Some("commit"),
    };
    assert!(messages.iter().all(commits), "{messages:?}");
    assert_eq!(messages.len(), 6);
    Ok(())
}

/// Java reads what Java wrote, and the flag says how it is written.
fn compression(world: &World) -> Result<()> {
    for (kind, level, bits) in [("ZLIB", 5, 0x301), ("LZ4", 1, 0x101), ("ZSTD", 3, 0x201)] {
        let topic = kind.to_lowercase();
        let reach = world.reach.clone().compressed(kind, level, 1_000);

        let results =
            world.java.produce(&reach, &topic, &["sync:1:999", "sync:1:1000", "sync:1:70000"])?;
        let read = world.java.consume(&world.reach, &topic, 3)?;

        let mut messages = world.stored(&topic, 3);
        assert_eq!((results.len(), read.len(), messages.len()), (3, 3, 3), "{kind}");
        messages.sort_by_key(|message| message.physical_offset);
        let flags: Vec<_> = messages.iter().map(|message| message.sys_flag).collect();
        assert_eq!(flags, [0, bits, bits], "{kind}");
        let short = messages.iter().map(|message| message.body.len() < 999).collect::<Vec<_>>();
        assert_eq!(short, [false, true, true], "{kind}");
        for (result, bytes) in results.iter().zip([999, 1_000, 70_000]) {
            let id = result["msgId"].as_str();
            let one = read.iter().find(|read| Some(&*read.message_id) == id).expect("it was read");
            assert_eq!(one.body(), body("sync-0", bytes), "{kind}");
        }
    }
    Ok(())
}

fn namespace(world: &World) -> Result<()> {
    let inside = world.reach.clone().namespace("space");

    let results = world.java.produce(&inside, "named", &["sync:3"])?;
    let read = world.java.consume(&inside, "named", 3)?;

    let messages = world.stored("space%named", 3);
    assert_eq!(messages.len(), 3);
    stored_is_what_java_sent(&results, &messages);
    assert!(results.iter().all(|result| result["topic"] == "named"), "{results:?}");
    assert!(read.len() == 3 && read.iter().all(|read| read.topic == "named"), "{read:?}");
    let newer = world.reach.clone().namespace_v2("space-2");
    let results = world.java.produce(&newer, "traced", &["sync:2"])?;
    stored_is_what_java_sent(&results, &world.stored("traced", 2));
    Ok(())
}

fn trace(world: &World) -> Result<()> {
    let traced = world.reach.clone().traced();
    let before = world.stored("traced", 0).len();

    let producer = world.java.produce_and_stay(&traced, "traced", &["sync:3"])?;
    let traces = world.stored(TRACES, 1);
    let results = producer.stop()?;

    stored_is_what_java_sent(&results, &world.stored("traced", before + 3));
    let text: String =
        traces.iter().map(|trace| String::from_utf8_lossy(&trace.body).into_owned()).collect();
    for result in &results {
        let id = result["msgId"].as_str().expect("an id");
        assert!(text.contains(id), "{id} is not traced: {text:?}");
        assert!(traces.iter().any(|trace| trace.keys().unwrap_or_default().contains(id)));
    }
    assert!(text.starts_with("Pub\u{1}"), "{text:?}");
    Ok(())
}

/// As `Peer.java` makes it.
fn body(key: &str, bytes: usize) -> Vec<u8> {
    let mut body = key.as_bytes().to_vec();
    body.resize(bytes.max(body.len()), b'x');
    body
}
