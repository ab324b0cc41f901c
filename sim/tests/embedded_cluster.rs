//! The embedded cluster as its users see it: real sockets, faults from outside.

mod support;

use producer_core::wire::Fields;
use sim::serve::EmbeddedCluster;
use support::Client;

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
