//! `request` and `transaction`.

use std::thread;
use std::time::{Duration, Instant};

use producer_native::{Message, Producer};

use crate::run::{run, serve};

#[test]
fn a_transaction_is_committed_or_rolled_back() {
    let served = serve(|cluster| cluster);
    let name_servers = served.cluster.name_servers();
    let arguments = ["transaction", "-t", "orders", "-n", &name_servers, "-b"];

    let commit = run(&[&arguments[..], &["paid", "-k", "order-1", "-p", "a=b"]].concat());
    let rollback = run(&[&arguments[..], &["no", "--end", "rollback", "--json"]].concat());

    assert_eq!((commit.code, rollback.code), (Some(0), Some(0)), "{commit:?} {rollback:?}");
    assert!(commit.stdout.contains("broker broker-a told"), "{commit:?}");
    let line = &rollback.lines()[0];
    assert_eq!((&line["decision"], &line["told"]), (&"rollback".into(), &true.into()));
    let stored = served.cluster.broker("broker-a").messages("orders");
    let bodies: Vec<&[u8]> = stored.iter().map(|message| &*message.body).collect();
    assert_eq!(bodies, [b"paid"]);
    assert_eq!(stored[0].property("KEYS"), Some("order-1"));
}

#[test]
fn a_transaction_waits_for_brokers_to_ask() {
    let served = serve(|cluster| {
        cluster.broker("broker-a", |broker| {
            broker.tune(|config| {
                config.transaction_timeout = Duration::from_millis(100);
                config.transaction_check_interval = Duration::from_millis(100);
            })
        })
    });
    let name_servers = served.cluster.name_servers();

    let ended = run(&[
        "transaction",
        "-t",
        "orders",
        "-n",
        &name_servers,
        "-b",
        "paid",
        "--end",
        "unknown",
        "--answer",
        "commit",
        "--stay",
        "2s",
        "--json",
    ]);

    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.lines()[0]["checks"].as_u64() >= Some(1), "{ended:?}");
    assert_eq!(served.cluster.broker("broker-a").messages("orders").len(), 1);
}

#[test]
fn a_request_shows_its_reply_or_that_there_is_none() {
    let served = serve(|cluster| cluster.topic("DefaultCluster_REPLY_TOPIC", 1));
    let name_servers = served.cluster.name_servers();
    let arguments = ["request", "-t", "orders", "-n", &name_servers, "-b", "ping", "--json"];

    let none = run(&[&arguments[..], &["--timeout", "300ms"]].concat());
    assert_eq!(none.code, Some(1), "{none:?}");
    assert_eq!(none.lines()[0]["code"], "no_reply");

    let broker = served.cluster.broker("broker-a");
    let replier = Producer::builder("service").name_servers(&name_servers);
    let replier = replier.runtime(served.runtime.handle().clone()).build().unwrap();
    let asked = thread::scope(|scope| {
        let asked = scope.spawn(|| run(&[&arguments[..], &["--timeout", "20s"]].concat()));
        let begun = Instant::now();
        while broker.messages("orders").len() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(20), "no request came");
            thread::yield_now();
        }
        let request = broker.messages("orders").remove(1);
        let reply = Message::reply_to(|name| request.property(name), "pong").unwrap();
        served.runtime.block_on(replier.reply(reply)).unwrap();
        asked.join().unwrap()
    });

    assert_eq!(asked.code, Some(0), "{asked:?}");
    let line = &asked.lines()[0];
    assert_eq!((&line["body"], &line["ok"]), (&"pong".into(), &true.into()));
    let id = line["message_id"].as_str();
    assert!(broker.messages("orders").iter().any(|message| message.uniq_key() == id));
}

#[test]
fn what_cannot_be_right_is_said() {
    for (arguments, what) in [
        (&["transaction", "-t", "orders", "-n", "a:1", "-b", ""][..], "the body is empty"),
        (&["request", "-t", "orders", "-n", "a:1", "-b", "x", "-p", "KEYS=1"], "is reserved"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(what), "{ended:?}");
    }
}
