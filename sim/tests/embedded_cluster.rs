//! The embedded cluster as its users see it: real sockets, faults from outside.

use std::time::Duration;

use crate::support::{Client, send_request};
use producer_core::wire::Fields;
use producer_core::wire::send::SendForm;
use sim::model::broker::{BrokerConfig, Fault, Message, Refusal, Times, TopicConfig};
use sim::serve::EmbeddedCluster;

#[tokio::test]
async fn a_send_finds_its_broker_and_is_stored() {
    let cluster = EmbeddedCluster::builder()
        .name_servers(2)
        .broker("broker-a", |broker| broker.queues(3))
        .slave_of("broker-a")
        .topic("T", 4)
        .start()
        .await
        .unwrap();

    for server in cluster.all_name_servers() {
        let mut names = Client::connect(server.address()).await.unwrap();
        let route = names.route("T").await.unwrap().unwrap();
        assert_eq!(route.queues[0].write_queue_nums, 3);
        assert_eq!(route.brokers[0].addresses.len(), 2);
    }
    let mut client = Client::connect(cluster.broker("broker-a").address()).await.unwrap();
    let heartbeat = br#"{"clientID":"c@1","producerDataSet":[{"groupName":"g"}]}"#;
    let beat = client.ask(34, &Fields::new(), heartbeat).await.unwrap();
    let sent = client.send("T", 2, "hello").await.unwrap();

    assert_eq!(beat.ext("IS_SUPPORT_HEART_BEAT_V2"), Some("true"));
    assert_eq!((sent.opaque, sent.remark.as_deref()), (1, None));
    assert_eq!(
        (sent.code, sent.ext("queueId"), sent.ext("queueOffset")),
        (0, Some("2"), Some("0"))
    );
    let messages = cluster.broker("broker-a").messages("T");
    assert_eq!(messages[0].body, b"hello");
    assert_eq!(Some(messages[0].offset_message_id().as_str()), sent.ext("msgId"));
    assert_eq!(cluster.broker("broker-a").with(|broker, _| broker.clients()), ["c@1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_leaves_the_route_and_keeps_its_log() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    client.send("T", 0, "before").await.unwrap();
    let address = broker.address();

    broker.kill().await;

    assert!(client.send("T", 0, "lost").await.is_err());
    assert!(Client::connect(address).await.is_err());
    let mut names = Client::connect(cluster.name_server(0).address()).await.unwrap();
    while names.route("T").await.unwrap().is_some() {}
    broker.restart().await.unwrap();
    cluster.wait_until_registered().await.unwrap();
    let mut client = Client::connect(address).await.unwrap();
    assert_eq!(client.send("T", 0, "after").await.unwrap().ext("queueOffset"), Some("1"));
    assert!(names.route("T").await.unwrap().is_some());
}

#[tokio::test]
async fn a_paused_broker_takes_connections_and_executes_later() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut before = Client::connect(broker.address()).await.unwrap();
    before.send("T", 0, "warm").await.unwrap();

    broker.pause();
    let mut during = Client::connect(broker.address()).await.unwrap();
    let request = send_request("T", 0);
    let request = request.to_ext(SendForm::V2);
    for client in [&mut before, &mut during] {
        client.put(310, &request, b"held").await.unwrap();
    }
    // The other node of this process has had time to answer; the paused one says nothing.
    let mut names = Client::connect(cluster.name_server(0).address()).await.unwrap();
    for _ in 0..20 {
        assert!(names.route("T").await.unwrap().is_some());
    }
    assert_eq!(broker.messages("T").len(), 1);

    broker.resume();

    assert_eq!(before.next().await.unwrap().code, 0);
    assert_eq!(during.next().await.unwrap().code, 0);
    assert_eq!(broker.messages("T").len(), 3);
}

#[tokio::test]
async fn a_broker_that_is_cut_off_is_in_the_route_and_gets_everything_later() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    client.send("T", 0, "before").await.unwrap();

    broker.cut_off();
    let request = send_request("T", 0);
    client.put(310, &request.to_ext(SendForm::V2), b"held").await.unwrap();
    // The broker itself goes on, and tells the name servers of what is new.
    broker.with(|broker, now| broker.set_topic(now, "new", TopicConfig::queues(1)));
    let mut names = Client::connect(cluster.name_server(0).address()).await.unwrap();
    while names.route("new").await.unwrap().is_none() {}
    assert_eq!(broker.messages("T").len(), 1);

    broker.rejoin();

    assert_eq!(client.next().await.unwrap().code, 0);
    assert_eq!(broker.messages("T").len(), 2);
}

#[tokio::test]
async fn who_waits_for_messages_gets_them_when_they_are_stored() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).topic("other", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    client.send("T", 0, "one").await.unwrap();
    let bodies = |messages: Vec<Message>| -> Vec<Vec<u8>> {
        messages.into_iter().map(|message| message.body).collect()
    };

    // What is there already is there at once.
    assert_eq!(bodies(broker.messages_after("T", 0).await), [b"one"]);
    let sends = async {
        client.send("other", 0, "of another topic").await.unwrap();
        client.send("T", 0, "two").await.unwrap();
    };
    let (found, ()) = tokio::join!(broker.messages_after("T", 1), sends);

    assert_eq!(bodies(found), [b"two"]);
}

#[tokio::test]
async fn what_was_stored_is_read_piece_by_piece_and_what_fell_out_is_counted() {
    let builder = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker.tune(|config| config.log_bytes_max = 2 << 20));
    let cluster = builder.topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    let read = |number, most| {
        let mut offsets = Vec::new();
        let seen = broker.stored_since(number, most, |message| offsets.push(message.queue_offset));
        (seen, offsets)
    };
    let body = "x".repeat(300_000);

    assert_eq!(read(0, 10), (0..0, vec![]));
    for _ in 0..5 {
        client.send("T", 0, &body).await.unwrap();
    }
    assert_eq!(read(0, 3), (0..3, vec![0, 1, 2]));
    assert_eq!(read(3, 3), (3..5, vec![3, 4]));
    assert_eq!(read(5, 3), (5..5, vec![]));
    for _ in 0..10 {
        client.send("T", 0, &body).await.unwrap();
    }

    let dropped = broker.counters().dropped;
    assert!(dropped > 5, "{dropped}");
    let (seen, offsets) = read(5, 100);
    assert_eq!(seen, dropped..15);
    assert_eq!(offsets.first().copied(), i64::try_from(dropped).ok());
    assert_eq!((offsets.len() as u64, offsets.last()), (15 - dropped, Some(&14)));
}

#[tokio::test]
async fn a_broker_moves_and_the_route_follows() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let old = broker.address();
    Client::connect(old).await.unwrap().send("T", 0, "old").await.unwrap();

    let new = broker.restart_elsewhere().await.unwrap();
    cluster.wait_until_registered().await.unwrap();

    assert_ne!(old, new);
    assert!(Client::connect(old).await.is_err());
    let mut names = Client::connect(cluster.name_server(0).address()).await.unwrap();
    let route = names.route("T").await.unwrap().unwrap();
    assert_eq!(route.brokers[0].address(0), Some(new.to_string().as_str()));
    let got = Client::connect(new).await.unwrap().send("T", 0, "new").await.unwrap();
    assert_eq!(got.ext("queueOffset"), Some("1"));
    let hosts: Vec<_> = broker.messages("T").iter().map(|message| message.store_host).collect();
    assert_eq!(hosts, [old, new]);
}

#[tokio::test]
async fn a_name_server_restarts_empty_and_is_told_again() {
    let builder = EmbeddedCluster::builder().name_servers(2).broker("broker-a", |broker| {
        broker.tune(|config| config.reconnect_delay = Duration::from_millis(20))
    });
    let cluster = builder.topic("T", 1).start().await.unwrap();
    let server = cluster.name_server(1);
    let address = server.address();

    server.kill().await;
    assert!(Client::connect(address).await.is_err());
    server.restart_empty().await.unwrap();
    assert!(server.with(|server, _| server.topics().is_empty()));

    cluster.wait_until_registered().await.unwrap();
    let mut names = Client::connect(address).await.unwrap();
    assert!(names.route("T").await.unwrap().is_some());
}

#[tokio::test]
async fn faults_are_switched_while_it_runs() {
    let cluster = EmbeddedCluster::builder().topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();

    broker.fault(Fault::Refuse(Refusal::Busy), Times::Next(1));
    assert_eq!(client.send("T", 0, "busy").await.unwrap().code, 2);

    broker.slow(Duration::from_millis(50));
    let start = tokio::time::Instant::now();
    assert_eq!(client.send("T", 0, "slow").await.unwrap().code, 0);
    assert!(start.elapsed() >= Duration::from_millis(50));

    broker.heal();
    broker.fault(Fault::HalfAnswer, Times::Next(1));
    assert!(client.send("T", 0, "half").await.is_err());
    assert_eq!(broker.messages("T").len(), 2);
    broker.read_only();
    let mut names = Client::connect(cluster.name_server(0).address()).await.unwrap();
    while names.route("T").await.unwrap().unwrap().queues[0].perm != 4 {}
}

#[tokio::test]
async fn a_half_message_is_asked_about_over_a_socket() {
    let quick = |config: &mut BrokerConfig| {
        config.transaction_timeout = Duration::from_millis(1);
        config.transaction_check_interval = Duration::from_millis(20);
    };
    let cluster = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker.tune(quick))
        .topic("T", 1)
        .start()
        .await
        .unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    let heartbeat = br#"{"clientID":"c@1","producerDataSet":[{"groupName":"g"}]}"#;
    client.ask(34, &Fields::new(), heartbeat).await.unwrap();
    let mut half = send_request("T", 0);
    half.properties = Some("UNIQ_KEY\u{1}0A\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}g\u{2}".into());
    client.put(310, &half.to_ext(SendForm::V2), b"x").await.unwrap();
    assert_eq!(client.next().await.unwrap().code, 0);

    let check = client.next().await.unwrap();

    assert_eq!((check.code, check.ext("msgId")), (39, Some("0A")));
    let commit = Fields::new()
        .text("producerGroup", "g")
        .text("tranStateTableOffset", check.ext("tranStateTableOffset").unwrap().to_owned())
        .text("commitLogOffset", check.ext("commitLogOffset").unwrap().to_owned())
        .show("commitOrRollback", 8)
        .text("msgId", "0A");
    client.put(37, &commit, b"").await.unwrap();
    while client.next().await.unwrap().code == 39 {}
    assert_eq!(broker.messages("T").len(), 1);
    assert_eq!(broker.with(|broker, _| broker.transactions())[0].commits, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let builder = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker.tune(|config| config.out_bytes_max = 1 << 16));
    let cluster = builder.topic("T", 1).start().await.unwrap();
    let address = cluster.broker("broker-a").address();
    let mut greedy = Client::connect(address).await.unwrap();
    let request = send_request("T", 0);
    let request = request.to_ext(SendForm::V2);

    // Ends because the broker closes; the kernel's buffers hold some megabytes.
    while greedy.put(310, &request, b"x").await.is_ok() {}

    assert_eq!(Client::connect(address).await.unwrap().send("T", 0, "x").await.unwrap().code, 0);
}

#[tokio::test]
async fn everything_stops_when_it_is_dropped() {
    let cluster = EmbeddedCluster::builder().name_servers(2).topic("T", 1).start().await.unwrap();
    let broker = cluster.broker("broker-a");
    let mut client = Client::connect(broker.address()).await.unwrap();
    client.send("T", 0, "x").await.unwrap();

    drop(cluster);

    assert!(client.next().await.is_err());
    while Client::connect(broker.address()).await.is_ok() {}
    assert!(!broker.is_up().await);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_is_refused() {
    let orphan = EmbeddedCluster::builder().slave_of("broker-x").start().await;
    assert_eq!(orphan.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);

    let twin = EmbeddedCluster::builder().numbered_brokers(2).broker("broker-a", |broker| broker);
    assert_eq!(twin.start().await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);

    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let busy = EmbeddedCluster::builder().name_server_port(port).start().await;
    assert_eq!(busy.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}
