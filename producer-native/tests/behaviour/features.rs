//! Recalls, access control, namespaces and administrators' questions, against the embedded cluster
//! in both releases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use producer_core::wire::recall::RecallHandle;
use producer_native::{
    AskError, Boundary, BuildError, Builder, Credentials, InvalidQuestion, Lease, Message,
    NewTopic, Outcome, Producer, Queue, SendError, SendOptions, TopicName, Window,
};
use sim::model::Release;
use sim::model::broker::{Account, BrokerConfig};
use sim::serve::EmbeddedCluster;
use tokio::sync::Notify;

type Tune = fn(&mut BrokerConfig);

const BOTH: [Release; 2] = [Release::V5_4_0, Release::V4_9_7];

async fn cluster(topics: &[&str], tune: Tune) -> EmbeddedCluster {
    cluster_of(Release::V5_4_0, topics, tune).await
}

async fn cluster_of(release: Release, topics: &[&str], tune: Tune) -> EmbeddedCluster {
    let builder = EmbeddedCluster::builder().release(release);
    let builder = builder.broker("broker-a", |broker| broker.tune(tune));
    let builder = topics.iter().fold(builder, |builder, topic| builder.topic(*topic, 4));
    builder.start().await.unwrap()
}

fn builder(cluster: &EmbeddedCluster) -> Builder {
    Producer::builder("features").name_servers(&cluster.name_servers())
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

fn message(to: &str, body: &'static str) -> Message {
    Message::new(to, body).unwrap()
}

#[tokio::test]
async fn a_timer_message_is_recalled_by_its_handle() {
    let cluster = cluster(&["t", "u"], |config| config.recall = true).await;
    let producer = builder(&cluster).build().unwrap();
    let later = message("t", "later").delay(Duration::from_secs(60)).unwrap();
    let receipt = producer.send(later).await.unwrap();
    let handle = receipt.recall_handle.as_deref().unwrap();

    let recalled = producer.recall(&topic("t"), handle).await;
    assert_eq!(recalled.as_deref(), Ok(receipt.message_id.as_str()));
    assert!(producer.recall(&topic("t"), handle).await.is_ok(), "nobody knows that it is gone");

    let of_t = InvalidQuestion::OtherTopic { topic: "t".into() };
    assert_eq!(producer.recall(&topic("u"), handle).await, Err(of_t.into()));
    let none = producer.recall(&topic("t"), "bm90IGEgaGFuZGxl").await;
    assert_eq!(none, Err(InvalidQuestion::Handle.into()));
    let mut past = RecallHandle::decode(handle).unwrap();
    past.timestamp = "1700000000000".into();
    let past = producer.recall(&topic("t"), &past.encode()).await;
    assert!(matches!(past, Err(AskError::NotRecallable { .. })), "{past:?}");
    let absent = RecallHandle { topic: "absent".into(), ..RecallHandle::decode(handle).unwrap() };
    let absent = producer.recall(&topic("absent"), &absent.encode()).await;
    assert_eq!(absent, Err(AskError::NoTopic));
    let plain = producer.send(message("t", "now")).await.unwrap();
    assert_eq!(plain.recall_handle, None);
}

#[tokio::test]
async fn brokers_that_recall_nothing_say_so() {
    let cluster = cluster(&["t"], |config| config.recall = false).await;
    let producer = builder(&cluster).build().unwrap();
    let later = message("t", "later").delay_seconds(60).unwrap();
    let handle = producer.send(later).await.unwrap().recall_handle.unwrap();

    assert_eq!(producer.recall(&topic("t"), &handle).await, Err(AskError::RecallDisabled));
}

#[tokio::test]
async fn a_priority_decides_the_queue_and_the_receipt_says_so() {
    let cluster = cluster(&["t"], |_| {}).await;
    let producer = builder(&cluster).build().unwrap();
    let name = cluster.brokers()[0].name();
    for (priority, queue) in [(0, 0), (2, 2), (9, 3)] {
        let asked = producer_native::QueueChoice::Queue(Queue::new(&name, 1));
        let urgent = message("t", "urgent").priority(priority).unwrap();
        let receipt =
            producer.send_with(urgent, SendOptions::default().queue(asked)).await.unwrap();
        assert_eq!(receipt.queue_id, queue, "priority {priority}");
    }
}

fn accounts(config: &mut BrokerConfig) {
    config.accounts = Some(vec![
        Account {
            access_key: "writer".into(),
            secret_key: "hunter2".into(),
            publish: vec!["t".into()],
            ..Account::default()
        },
        Account {
            access_key: "admin".into(),
            secret_key: "hunter2".into(),
            admin: true,
            ..Account::default()
        },
    ]);
}

fn account(name: &str, secret: &str) -> Credentials {
    Credentials::new(name, secret).unwrap()
}

fn one_attempt(sent: Result<producer_native::Receipt, SendError>) -> &'static str {
    let error = sent.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("not-the-secret"), "{shown}");
    assert_eq!((error.attempts().len(), error.outcome()), (1, Outcome::Rejected), "{error}");
    error.kind().code()
}

#[tokio::test]
async fn a_wrong_key_and_a_missing_permission_are_told_apart_and_cost_one_attempt() {
    for release in BOTH {
        let cluster = cluster_of(release, &["t", "u"], accounts).await;
        let with = |name, secret| builder(&cluster).credentials(account(name, secret)).build();

        let good = with("writer", "hunter2").unwrap();
        good.send(message("t", "signed é")).await.unwrap();
        assert_eq!(one_attempt(good.send(message("u", "x")).await), "not_permitted", "{release:?}");
        let wrong = with("writer", "not-the-secret").unwrap();
        assert_eq!(one_attempt(wrong.send(message("t", "x")).await), "bad_credentials");
        let nobody = with("nobody", "hunter2").unwrap();
        assert_eq!(one_attempt(nobody.send(message("t", "x")).await), "bad_credentials");
        let unsigned = builder(&cluster).build().unwrap();
        assert_eq!(one_attempt(unsigned.send(message("t", "x")).await), "bad_credentials");
        let shown =
            format!("{good:?} {:?}", builder(&cluster).credentials(account("a", "hunter2")));
        assert!(!shown.contains("hunter2"), "{shown}");

        // Queries are signed so that either generation agrees.
        let admin = with("admin", "hunter2").unwrap();
        let keyed = message("t", "keyed").keys(["k"]).unwrap();
        let id = admin.send(keyed).await.unwrap().message_id;
        let found = admin.admin().find_by_key(&topic("t"), "k", ALL).await.unwrap();
        assert_eq!(found.len(), 1, "{release:?}");
        let seen = admin.admin().view_message(&topic("t"), id.as_str()).await.unwrap();
        assert_eq!(seen.body, b"keyed");
        let refused = good.admin().create_topic(&NewTopic::new(topic("v"), 1)).await;
        assert_eq!(refused.unwrap_err().code(), "not_permitted", "{release:?}");
    }
}

#[tokio::test]
async fn a_provider_is_asked_until_it_brings_credentials_and_again_when_they_age() {
    let cluster = cluster(&["t"], accounts).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let renew = Arc::new(Notify::new());
    let (count, wait) = (asked.clone(), renew.clone());
    let provide = move || {
        let (number, wait) = (count.fetch_add(1, SeqCst), wait.clone());
        async move {
            match number {
                0 => Err("not yet"),
                1 => Ok(Lease::new(account("writer", "hunter2"), Duration::from_millis(100))),
                // Wrong, so that the renewal shows.
                _ => {
                    wait.notified().await;
                    Ok(Lease::from(account("writer", "not-the-secret")))
                }
            }
        }
    };
    let producer = builder(&cluster).credentials_provider(provide).build().unwrap();
    assert_eq!(asked.load(SeqCst), 0, "nothing happens before the first use");

    producer.send(message("t", "signed")).await.unwrap();
    while asked.load(SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    producer.send(message("t", "what there is stays in use")).await.unwrap();
    renew.notify_one();
    let renewed = loop {
        if let Err(error) = producer.send(message("t", "x")).await {
            break error;
        }
    };
    assert_eq!(renewed.kind().code(), "bad_credentials");
    producer.close(Duration::ZERO).await;
}

#[tokio::test]
async fn nothing_is_sent_unsigned_while_a_provider_fails_or_panics() {
    let cluster = cluster(&["t"], |_| {}).await;
    let timeout = Duration::from_millis(300);
    let failing = builder(&cluster)
        .send_timeout(timeout)
        .credentials_provider(|| async { Err::<Credentials, _>("the vault is sealed") })
        .build()
        .unwrap();
    let error = failing.send(message("t", "x")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    let panics = || async {
        if true {
            panic!("on purpose");
        }
        Ok::<Credentials, String>(account("a", "b"))
    };
    let panicking =
        builder(&cluster).send_timeout(timeout).credentials_provider(panics).build().unwrap();
    let error = panicking.send(message("t", "x")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(cluster.brokers()[0].messages("t").is_empty());
}

#[tokio::test]
async fn names_get_into_the_namespace_once_and_out_again() {
    let cluster = cluster(&["ns%t", "%RETRY%ns%g", "BenchmarkTest"], |_| {}).await;
    let producer = builder(&cluster).namespace("ns").build().unwrap();
    let kept = message("t", "kept");

    for _ in 0..2 {
        producer.send(kept.clone()).await.unwrap();
    }
    producer.send(message("ns%t", "inside already")).await.unwrap();
    producer.send(message("%RETRY%g", "retry")).await.unwrap();
    producer.send(message("BenchmarkTest", "the system's")).await.unwrap();

    let broker = &cluster.brokers()[0];
    assert_eq!(kept.topic().as_str(), "t");
    assert_eq!(broker.messages("ns%t").len(), 3);
    assert_eq!(broker.messages("%RETRY%ns%g").len(), 1);
    assert_eq!(broker.messages("BenchmarkTest").len(), 1);
    let route = producer.route(&topic("t")).await.unwrap();
    assert_eq!(route.topic.as_str(), "t", "shown without it");
    let queues = producer.admin().publish_queues(&topic("t")).await.unwrap();
    assert_eq!(queues, route.queues);
    let window = Window { max: 8, from_ms: 0, to_ms: u64::MAX };
    let keyed = message("t", "keyed").keys(["k"]).unwrap();
    producer.send(keyed).await.unwrap();
    let found = producer.admin().find_by_key(&topic("t"), "k", window).await.unwrap();
    assert_eq!((&*found[0].topic, found[0].property("INSTANCE_ID")), ("t", Some("ns")));
}

#[tokio::test]
async fn namespaces_that_are_none_build_no_producer() {
    for bad in ["a%b", " ", "a.b", "ä"] {
        let built = Producer::builder("g").name_servers("h:1").namespace(bad).build();
        assert!(matches!(built, Err(BuildError::Namespace { .. })), "{bad}");
    }
    let built = Producer::builder("g").name_servers("h:1").namespace_v2("a\u{1}").build();
    assert!(matches!(built, Err(BuildError::Namespace { .. })));
    let missing = std::path::Path::new("no/such/file");
    let built = Producer::builder("g").name_servers("h:1").key_file(Some(missing)).build();
    assert!(matches!(built, Err(BuildError::KeyFile(_))), "{built:?}");
}

const ALL: Window = Window { max: 32, from_ms: 0, to_ms: u64::MAX };

#[tokio::test]
async fn administrators_questions_are_answered_by_both_releases() {
    for release in BOTH {
        let cluster = cluster_of(release, &["old"], |_| {}).await;
        let producer = builder(&cluster).build().unwrap();
        let admin = producer.admin();
        let made = topic("made");
        let new = NewTopic::new(made.clone(), 3).like(&topic("old"));

        let created = admin.create_topic(&new).await.unwrap();
        assert_eq!((created.brokers.len(), created.failures.len()), (1, 0));
        let queues = admin.publish_queues(&made).await.unwrap();
        assert_eq!(queues.len(), 3, "{release:?}");
        let queue = &queues[0];
        assert_eq!(admin.max_offset(&made, queue).await, Ok(0));
        assert_eq!(admin.earliest_store_time(&made, queue).await, Ok(None));

        let choice = producer_native::QueueChoice::Queue(queue.clone());
        let options = SendOptions::default().queue(choice);
        let keyed = message("made", "one").keys(["a", "b"]).unwrap().tag("x").unwrap();
        let one = producer.send_with(keyed, options.clone()).await.unwrap();
        let two = message("made", "two").keys(["b"]).unwrap();
        producer.send_with(two, options).await.unwrap();

        assert_eq!(admin.min_offset(&made, queue).await, Ok(0));
        assert_eq!(admin.max_offset(&made, queue).await, Ok(2));
        let stored = admin.earliest_store_time(&made, queue).await.unwrap().unwrap();
        let first = admin.search_offset(&made, queue, stored, Boundary::Lower).await;
        assert_eq!(first, Ok(0));
        // Past all messages 5.x names the place behind the last, 4.9 the last.
        let old = release == Release::V4_9_7;
        let late = admin.search_offset(&made, queue, u64::MAX / 4, Boundary::Lower).await;
        assert_eq!(late, Ok(if old { 1 } else { 2 }), "{release:?}");
        let late = admin.search_offset(&made, queue, u64::MAX / 4, Boundary::Upper).await;
        assert_eq!(late, Ok(1), "{release:?}");

        let offset_id = one.offset_id.unwrap();
        for id in [one.message_id.as_str(), offset_id.as_str()] {
            let seen = admin.view_message(&made, id).await.unwrap();
            assert_eq!((&*seen.body, seen.property("TAGS")), (&b"one"[..], Some("x")), "{id}");
            assert_eq!(seen.message_id, one.message_id.as_str());
            assert_eq!(seen.offset_id, offset_id.as_str());
        }
        let found = admin.find_by_key(&made, "b", ALL).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(admin.find_by_key(&made, "a", ALL).await.unwrap().len(), 1);
        assert_eq!(admin.find_by_key(&made, "c", ALL).await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn questions_without_an_answer_say_why() {
    let cluster = cluster(&["t"], |_| {}).await;
    let producer = builder(&cluster).build().unwrap();
    let admin = producer.admin();
    let (t, absent) = (topic("t"), topic("absent"));
    let name = cluster.brokers()[0].name();
    let queue = Queue::new(&name, 0);

    assert_eq!(admin.max_offset(&absent, &queue).await, Err(AskError::NoTopic));
    assert_eq!(admin.publish_queues(&absent).await, Err(AskError::NoTopic));
    assert_eq!(admin.view_message(&absent, "x").await, Err(AskError::NoTopic));
    assert_eq!(admin.find_by_key(&absent, "k", ALL).await, Err(AskError::NoTopic));
    let like_absent = NewTopic::new(t.clone(), 1).like(&absent);
    assert_eq!(admin.create_topic(&like_absent).await, Err(AskError::NoTopic));
    assert_eq!(admin.min_offset(&t, &Queue::new("gone", 0)).await, Err(AskError::NoBroker));
    let unknown = "7F0000010001AABBCCDD00000000ABCD";
    assert_eq!(admin.view_message(&t, unknown).await, Err(AskError::NoMessage));
    assert_eq!(admin.view_message(&t, "no id").await, Err(AskError::NoMessage));
    let system = admin.create_topic(&NewTopic::new(topic("TBW102"), 1)).await;
    assert_eq!(system, Err(InvalidQuestion::SystemTopic.into()));
    let blank = admin.find_by_key(&t, "", ALL).await;
    assert_eq!(blank, Err(InvalidQuestion::Key.into()));

    cluster.brokers()[0].kill().await;
    let dead = admin.timeout(Duration::from_millis(300)).max_offset(&t, &queue).await;
    assert!(matches!(dead, Err(AskError::Unanswered(_) | AskError::NoTopic)), "{dead:?}");
}
