//! What befalls sends when name servers fail, lie or forget?

use producer_native::ErrorKind;
use sim::model::broker::TopicConfig;
use sim::model::name_server::NameServerFaults;

use super::{TOPIC, TWO, account, cluster, load, message, ms, producer, secs};

/// Scenario 35, later.
#[test]
fn without_name_servers_known_routes_go_on() {
    cluster(100, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(180).start(&producer);
        world.pass(secs(2)).await;
        world.name_server(0).kill().await;
        world.pass(secs(40)).await;
        world.name_server(1).freeze();

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.retries), (18_000, 0), "{account}");
        assert!(account.longest <= ms(30), "{account}");
    });
}

/// Scenario 35, at the start.
#[test]
fn without_name_servers_at_the_start_sends_fail_in_time_and_then_go_on() {
    cluster(101, &TWO).run(|world| async move {
        for number in 0..2 {
            world.name_server(number).kill().await;
        }
        let producer = producer(&world);
        let before = world.elapsed();
        let error = producer.send(message("too early")).await.expect_err("nobody knows");
        let took = world.elapsed() - before;
        for number in 0..2 {
            world.name_server(number).start().await;
        }
        world.registered().await;
        let sent = load(2).run(&producer).await;

        assert!(took <= ms(3_003), "{took:?}: {error}");
        let is_named =
            matches!(error.kind(), ErrorKind::NameServersUnreachable { .. } | ErrorKind::Deadline);
        assert!(is_named, "{error}");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 200, "{account}");
    });
}

/// Scenario 35, one that hangs.
#[test]
fn a_hung_name_server_costs_the_first_send_a_quarter_of_a_second() {
    for number in 0..2 {
        cluster(102 + number, &TWO).run(move |world| async move {
            world.name_server(number as usize).freeze();
            let producer = producer(&world);
            let before = world.elapsed();
            producer.send(message("first")).await.expect("the other one knows");
            let took = world.elapsed() - before;

            assert!(took <= ms(300), "ns-{number} hangs: the first send took {took:?}");
        });
    }
}

/// Scenario 36.
#[test]
fn an_empty_name_server_wipes_no_route() {
    cluster(104, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(120).start(&producer);
        world.pass(secs(2)).await;
        for number in 0..2 {
            let server = world.name_server(number);
            server.kill().await;
            server.start().await;
            // Nobody registers with it, and it answers that there is no such topic.
            server.with(|model, _| {
                model.fault(NameServerFaults { stale: true, ..NameServerFaults::default() });
            });
        }

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.retries), (12_000, 0), "{account}");
    });
}

/// Scenario 34 and I20: one name server keeps a route that is no longer true.
#[test]
fn a_stale_name_server_costs_no_send() {
    cluster(105, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(120).start(&producer);
        world.pass(secs(2)).await;
        world.name_server(0).with(|model, _| {
            model.fault(NameServerFaults { stale: true, ..NameServerFaults::default() });
        });
        world.broker("broker-a").restart_elsewhere().await;

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 12_000, "{account}");
        assert!(account.longest <= ms(1_100), "{account}");
    });
}

/// Scenario 37.
#[test]
fn queues_that_come_and_go_are_followed() {
    cluster(106, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(130).start(&producer);
        for queues in [8, 2] {
            world.pass(secs(2)).await;
            for name in TWO {
                let config = TopicConfig::queues(queues);
                world.broker(name).with(|model, now| model.set_topic(now, TOPIC, config));
            }
            world.pass(secs(40)).await;
        }

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        // The first send to a queue that is gone is refused, and makes the producer look.
        assert!(account.ok >= 12_999 && account.rejected <= 1, "{account}");
        assert_eq!(account.duplicates, 0, "{account}");
        let last = &sent[sent.len() - 100..];
        let highest = last.iter().filter_map(|send| send.result.as_ref().ok()).map(|r| r.queue_id);
        assert_eq!(highest.max(), Some(1), "the last ones used two queues: {account}");
    });
}
