//! Messages that are looked for afterwards.

use producer_native::{Queue, QueueChoice, SendOptions, TopicName, Window};

use super::{TOPIC, cluster, message, producer};

#[test]
fn of_one_millisecond_the_youngest_is_found_first() {
    cluster(320).run(|world| async move {
        let producer = producer(&world);
        let there = SendOptions::default().queue(QueueChoice::Queue(Queue::new("broker-a", 0)));
        producer.send(message("opens the connection")).await.expect("stored");
        let tickets = ["one", "two", "three"].map(|body| {
            let message = message(body).keys(["k"]).expect("a key");
            producer.enqueue_with(message, there.clone())
        });
        for ticket in tickets {
            ticket.await.expect("stored");
        }

        let topic = TopicName::new(TOPIC).expect("valid");
        let window = Window { max: 8, from_ms: 0, to_ms: i64::MAX as u64 };
        let found = producer.admin().find_by_key(&topic, "k", window).await.expect("looked for");
        let times: Vec<_> = found.iter().map(|message| message.stored_ms).collect();
        assert_eq!(times, [times[0]; 3], "all within a millisecond");
        let bodies: Vec<_> = found.iter().map(|message| &*message.body).collect();
        assert_eq!(bodies, [&b"three"[..], b"two", b"one"]);
    });
}
