//! `admin` and `recall`, and messages of a kind.

use sim::model::broker::{Account, BrokerConfig};

use crate::run::{run, serve};

#[test]
fn topics_offsets_and_messages_are_asked_for() {
    let served = serve(|cluster| cluster);
    let servers = served.cluster.name_servers();
    let admin = |question: &[&str]| {
        let way = ["admin", "--json", "-n", servers.as_str()];
        run(&[&way[..], question].concat())
    };

    let created = admin(&["create-topic", "made", "--queues", "2", "--like", "orders"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    assert_eq!(created.lines()[0]["broker"], "broker-a");
    let sent = ["send", "-t", "made", "-b", "one", "-k", "k", "--json", "-n", &servers];
    let sent = run(&sent);
    let id = sent.lines()[0]["id"].as_str().unwrap().to_owned();
    let offsets = admin(&["offsets", "made", "--at", "1"]);
    let next: u64 = offsets.lines().iter().map(|line| line["max_offset"].as_u64().unwrap()).sum();
    assert_eq!((offsets.lines().len(), next), (2, 1), "{offsets:?}");
    let seen = admin(&["message", "made", &id]);
    assert_eq!(seen.lines()[0]["body"], "one", "{seen:?}");
    assert_eq!(admin(&["find", "made", "k"]).lines()[0]["message_id"], id.as_str());

    let none = admin(&["find", "made", "other"]);
    assert_eq!((none.code, &none.lines()[0]["code"]), (Some(1), &"message_not_found".into()));
    let absent = admin(&["offsets", "absent"]);
    assert_eq!((absent.code, &absent.lines()[0]["code"]), (Some(1), &"topic_not_found".into()));
    let system = admin(&["create-topic", "TBW102"]);
    assert_eq!((system.code, &system.lines()[0]["code"]), (Some(2), &"invalid_question".into()));
}

#[test]
fn a_timer_message_is_sent_and_recalled() {
    fn recalls(config: &mut BrokerConfig) {
        config.recall = true;
    }
    let served = serve(|cluster| cluster.broker("broker-a", |broker| broker.tune(recalls)));
    let servers = served.cluster.name_servers();
    let send = ["send", "-t", "orders", "-b", "later", "--json", "-n", &servers];

    let sent = run(&[&send[..], &["--delay", "60s"]].concat());
    let line = &sent.lines()[0];
    let handle = line["recall_handle"].as_str().unwrap_or_else(|| panic!("{sent:?}"));
    let recalled = run(&["recall", "orders", handle, "-n", &servers]);
    assert_eq!(recalled.code, Some(0), "{recalled:?}");
    assert!(recalled.stdout.contains(line["id"].as_str().unwrap()), "{recalled:?}");

    let none = run(&["recall", "orders", "bm90IGEgaGFuZGxl", "-n", &servers]);
    assert_eq!(none.code, Some(2), "{none:?}");
    let level = run(&[&send[..], &["--delay-level", "19"]].concat());
    assert_eq!(level.code, Some(2), "{level:?}");
    let both = run(&[&send[..], &["--delay-level", "1", "--delay", "1s"]].concat());
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_key_file_signs_and_its_secret_is_not_shown() {
    fn accounts(config: &mut BrokerConfig) {
        config.accounts = Some(vec![Account {
            access_key: "writer".into(),
            secret_key: "hunter2".into(),
            publish: vec!["orders".into()],
            ..Account::default()
        }]);
    }
    let served = serve(|cluster| cluster.broker("broker-a", |broker| broker.tune(accounts)));
    let servers = served.cluster.name_servers();
    let folder = std::env::temp_dir().join(format!("key-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let send = |content: &str| {
        let path = folder.join("key");
        std::fs::write(&path, content).unwrap();
        let path = path.display().to_string();
        run(&["send", "-t", "orders", "-b", "x", "--json", "-n", &servers, "--key-file", &path])
    };

    let good = send("AccessKey=writer\nSecretKey=hunter2\n");
    let wrong = send("AccessKey=writer\nSecretKey=hunter3\n");
    let torn = send("AccessKey=writer\nSecretKey:\\u12hunter2");
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!(good.code, Some(0), "{good:?}");
    assert_eq!((wrong.code, &wrong.lines()[0]["code"]), (Some(1), &"bad_credentials".into()));
    assert_eq!(torn.code, Some(2), "{torn:?}");
    for ended in [good, wrong, torn] {
        let shown = format!("{ended:?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
