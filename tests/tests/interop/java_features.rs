//! The Java client 5.4.0 does what it can do, feature by feature, and our models of brokers do with
//! it what real ones do: what is in their logs is compared with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sim::model;
use sim::model::broker::Account;
use sim::serve::EmbeddedCluster;
use tests::cluster::{Release, Result, Stored, read_from};
use tests::interop::client::{Java, Reach, Read};
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
            config.timer_precision = Duration::from_millis(100);
            config.recall = true;
        })
    });
    for topic in TOPICS {
        cluster = cluster.topic(topic, 2);
    }
    let cluster = runtime.block_on(cluster.start()).expect("ports of this process are free");
    let reach = Reach::new(&cluster.name_servers(), "java-features");
    let world = World { cluster, release, java: Java::start()?, reach };
    for (name, step) in STEPS {
        step(&world)?;
        steps.done(format_args!("{release:?} model: {name}"));
    }
    Ok(())
}

const TOPICS: [&str; 11] = [
    "batch",
    "transaction",
    "zlib",
    "lz4",
    "zstd",
    "space%named",
    "traced",
    "delayed",
    "recalled",
    "questions",
    TRACES,
];
const TRACES: &str = "RMQ_SYS_TRACE_TOPIC";

type Step = fn(&World) -> Result<()>;

const STEPS: [(&str, Step); 9] = [
    ("batch", batch),
    ("transaction with listener and checks", transactions),
    ("compression", compression),
    ("namespace", namespace),
    ("message trace", trace),
    ("delay levels and timers", delay),
    ("recall", recall),
    ("request and reply", request),
    ("signed requests", signatures),
];

struct World {
    cluster: EmbeddedCluster,
    release: model::Release,
    java: Java,
    reach: Reach,
}

impl World {
    /// What is stored in a topic, once there are so many, duplicates not counted.
    fn stored(&self, topic: &str, count: usize) -> Vec<Stored> {
        let broker = &self.cluster.brokers()[0];
        until(Duration::from_secs(5), topic, || {
            let messages = read_from(broker.address(), &broker.name(), topic).expect("it is up");
            let id = |message: &Stored| {
                message.uniq_key().map_or_else(|| message.offset_id(), Into::into)
            };
            let ids: BTreeSet<String> = messages.iter().map(id).collect();
            (ids.len() >= count).then_some(messages)
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
    // A broker that asks again before it has heard commits twice, as real ones do.
    let ids: BTreeSet<_> = messages.iter().map(Stored::uniq_key).collect();
    assert_eq!(ids.len(), 6, "{messages:?}");
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
    let text = |traces: &[Stored]| -> String {
        traces.iter().map(|trace| String::from_utf8_lossy(&trace.body).into_owned()).collect()
    };
    // It puts one trace into a message, or several.
    let traces = until(Duration::from_secs(10), "traces of three sends", || {
        let traces = world.stored(TRACES, 1);
        (text(&traces).matches("Pub\u{1}").count() >= 3).then_some(traces)
    });
    let results = producer.stop()?;

    stored_is_what_java_sent(&results, &world.stored("traced", before + 3));
    let text = text(&traces);
    for result in &results {
        let id = result["msgId"].as_str().expect("an id");
        assert!(text.contains(id), "{id} is not traced: {text:?}");
        assert!(traces.iter().any(|trace| trace.keys().unwrap_or_default().contains(id)));
    }
    assert!(text.starts_with("Pub\u{1}"), "{text:?}");
    Ok(())
}

/// Nobody sees them early, and each comes; 4.9.7 knows no timers and delivers those at once.
fn delay(world: &World) -> Result<()> {
    let steps = ["delay:2:1", "timer:2:900", "deliver:2:900"];

    let results = world.java.produce(&world.reach, "delayed", &steps)?;
    let read = world.java.consume(&world.reach, "delayed", 6)?;

    assert_eq!((results.len(), read.len()), (6, 6), "{results:?}");
    let is_timed = |read: &Read| read.tags.as_deref() != Some("delay");
    for one in &read {
        let waited = one.store_time_ms - one.born_time_ms;
        match world.release {
            model::Release::V4_9_7 if is_timed(one) => assert!(waited < 800, "{one:?}"),
            _ => assert!((800..10_000).contains(&waited), "{waited} ms: {one:?}"),
        }
    }
    for result in &results {
        assert_eq!(result["status"], "SEND_OK", "{result}");
        let is_there = world.release == model::Release::V5_4_0 && result["api"] != "delay";
        assert_eq!(result["recallHandle"].is_string(), is_there, "{result}");
    }
    Ok(())
}

/// What was recalled never comes; 4.9.7 does not know the request.
fn recall(world: &World) -> Result<()> {
    let results =
        world.java.produce(&world.reach, "recalled", &["recall:2:1000", "timer:1:1500"])?;
    if world.release == model::Release::V4_9_7 {
        assert!(results[0]["exception"].is_string(), "{results:?}");
        return Ok(());
    }
    for result in &results[..2] {
        assert_eq!(result["recalled"], result["msgId"], "{result}");
    }

    let read = world.java.consume(&world.reach, "recalled", 1)?;

    assert_eq!(read.len(), 1);
    assert_eq!(Some(&*read[0].message_id), results[2]["msgId"].as_str(), "{read:?}");
    Ok(())
}

fn request(world: &World) -> Result<()> {
    let asking = Reach::new(&world.cluster.name_servers(), "java-requester");
    let service = world.java.serve(&world.reach, "questions", &[])?;

    let replies = world.java.request(&asking, "questions", 3, 10_000)?;

    assert_eq!(service.stop()?.len(), 3);
    let bodies: Vec<_> = replies.iter().filter_map(|reply| reply["body"].as_str()).collect();
    assert_eq!(bodies, ["re:request-0", "re:request-1", "re:request-2"], "{replies:?}");
    Ok(())
}

/// A cluster of its own, where nobody may do anything without an account.
fn signatures(world: &World) -> Result<()> {
    let guarded = EmbeddedCluster::builder().release(world.release).topic("allowed", 2);
    let guarded = guarded.topic("forbidden", 2).broker("broker-a", |broker| {
        broker.tune(|config| {
            let alice = Account {
                access_key: "alice".to_owned(),
                secret_key: "alice-secret".to_owned(),
                publish: vec!["allowed".to_owned()],
                ..Account::default()
            };
            config.accounts = Some(vec![alice]);
        })
    });
    let runtime = runtime();
    let cluster = runtime.block_on(guarded.start()).expect("ports of this process are free");
    let reach = Reach::new(&cluster.name_servers(), "java-signed");
    let alice = reach.clone().credentials("alice", "alice-secret");
    let send = |reach: &Reach, topic| world.java.produce(reach, topic, &["sync:2"]);

    let allowed = send(&alice, "allowed")?;
    let refused = [
        send(&alice, "forbidden")?,
        send(&reach.clone().credentials("alice", "wrong-secret"), "allowed")?,
        send(&reach.clone().credentials("bob", "bob-secret"), "allowed")?,
        send(&reach, "allowed")?,
    ];

    assert!(allowed.iter().all(|result| result["status"] == "SEND_OK"), "{allowed:?}");
    let code = match world.release {
        model::Release::V5_4_0 => 16,
        model::Release::V4_9_7 => 1,
    };
    for result in refused.iter().flatten() {
        assert_eq!(result["responseCode"], code, "{result}");
    }
    let broker = cluster.broker("broker-a");
    assert_eq!((broker.messages("allowed").len(), broker.messages("forbidden").len()), (2, 0));
    Ok(())
}

/// As `Peer.java` makes it.
fn body(key: &str, bytes: usize) -> Vec<u8> {
    let mut body = key.as_bytes().to_vec();
    body.resize(bytes.max(body.len()), b'x');
    body
}
