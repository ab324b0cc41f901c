//! What befalls sends when the network between producers and brokers fails?

use std::time::Duration;

use super::{
    THREE, TWO, account, between, cluster, first_success, load, message, ms, producer, secs,
};

/// Scenario 15, an outage that TCP survives.
#[test]
fn an_outage_of_any_length_costs_no_send() {
    for (seed, outage) in [(20, ms(50)), (21, secs(1)), (22, secs(10)), (23, secs(90))] {
        cluster(seed, &TWO).run(move |world| async move {
            let producer = producer(&world);
            let sends = load(40 + outage.as_secs()).start(&producer);
            world.pass(secs(2)).await;
            world.link("broker-a").hold();
            world.pass(outage).await;
            world.link("broker-a").release();
            let over = world.elapsed();

            let sent = sends.await.expect("a load does not panic");
            let whole = account(&world, &sent);
            assert_eq!(whole.ok, whole.sends, "outage of {outage:?}: {whole}");
            assert!(whole.longest <= ms(1_100), "outage of {outage:?}: {whole}");
            assert!(whole.retries <= 60, "outage of {outage:?}: {whole}");
            let later = account(&world, &between(sent, over + secs(12), secs(3600)));
            let share = later.by_broker.get("broker-a").copied().unwrap_or(0) * 100 / later.sends;
            assert!((45..=55).contains(&share), "{share} % after {outage:?}: {later}");
        });
    }
}

/// Scenario 15, an outage after which the connections are dead and nobody says so.
#[test]
fn a_silently_dead_connection_is_given_up() {
    for (seed, outage) in [(24, ms(50)), (25, secs(2)), (26, secs(60))] {
        cluster(seed, &TWO).run(move |world| async move {
            let producer = producer(&world);
            let sends = load(60 + outage.as_secs()).start(&producer);
            world.pass(secs(2)).await;
            world.link("broker-a").cut();
            world.pass(outage).await;
            world.link("broker-a").heal();
            let over = world.elapsed();

            let sent = sends.await.expect("a load does not panic");
            let whole = account(&world, &sent);
            assert_eq!(whole.ok, whole.sends, "outage of {outage:?}: {whole}");
            assert!(whole.longest <= ms(1_100), "outage of {outage:?}: {whole}");
            let dials = world.dials("broker-a");
            let later = account(&world, &between(sent, over + secs(12), secs(3600)));
            let share = later.by_broker.get("broker-a").copied().unwrap_or(0) * 100 / later.sends;
            assert!((45..=55).contains(&share), "{share} % after {outage:?}, {dials:?}: {later}");
        });
    }
}

/// Scenario 16.
#[test]
fn requests_that_are_lost_are_stored_once() {
    cluster(27, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(10).start(&producer);
        world.pass(secs(2)).await;
        world.link("broker-a").cut_forth();

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.duplicates), (1000, 0), "{account}");
        assert!(account.announced > 0, "the producer cannot know: {account}");
        assert!(account.longest <= ms(1_100), "{account}");
    });
}

/// Scenario 17.
#[test]
fn answers_that_are_lost_make_exactly_the_announced_duplicates() {
    cluster(28, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(10).start(&producer);
        world.pass(ms(2_005)).await;
        let before = world.broker("broker-a").look(|model| model.counters().stored);
        world.link("broker-a").cut_back();
        world.pass(secs(3)).await;
        let lost = world.broker("broker-a").look(|model| model.counters().stored) - before;

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 1000, "{account}");
        assert_eq!(account.duplicates, account.announced, "{account}");
        // Those whose answers were under way when it began were stored before.
        let (duplicates, lost) = (account.duplicates as u64, lost);
        assert!((lost..=lost + 2).contains(&duplicates), "{lost} stored unheard: {account}");
    });
}

/// Scenario 18.
#[test]
fn a_broker_that_name_servers_lose_sight_of_is_left_and_found() {
    cluster(29, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(300).start(&producer);
        world.pass(secs(2)).await;
        for server in ["ns-0", "ns-1"] {
            world.link_between(server, "broker-a").cut();
        }
        world.pass(secs(180)).await;
        let forgotten = world.name_server(0).look(|model| model.topics().len());
        for server in ["ns-0", "ns-1"] {
            world.link_between(server, "broker-a").heal();
        }

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 30_000, "{account}");
        assert!(account.retries <= 2, "the broker was well all the time: {account}");
        assert!(forgotten > 0, "the other broker is still known");
        assert!(account.longest <= ms(1_100), "{account}");
    });
}

/// Scenario 19.
#[test]
fn a_producer_cut_off_from_everything_fails_in_time_and_comes_back() {
    cluster(30, &TWO).run(|world| async move {
        let producer = producer(&world);
        producer.send(message("first")).await.expect("all is well");
        let hosts = ["broker-a", "broker-b", "ns-0", "ns-1"];
        for host in hosts {
            world.link(host).cut();
        }
        let sent = load(20).run(&producer).await;
        let stats = producer.stats();
        for host in hosts {
            world.link(host).heal();
        }
        let healed = world.elapsed();
        world.pass(secs(10)).await;
        let again = sim::world::Load { word: "again".into(), ..load(5) }.run(&producer).await;

        let cut = account(&world, &sent);
        assert_eq!((cut.ok, cut.stored_unacknowledged), (0, 0), "{cut}");
        assert!(stats.in_hand == 0 && stats.bytes_in_hand == 0, "{stats:?}");
        let again = account(&world, &again);
        assert_eq!(again.ok, 500, "healed at {healed:?}: {again}");
    });
}

/// Scenario 20.
#[test]
fn a_dial_that_hangs_holds_up_nobody_else() {
    cluster(31, &THREE).run(|world| async move {
        world.link("broker-a").hold();
        let producer = producer(&world);
        let sent = load(10).run(&producer).await;

        let dials = world.dials("broker-a");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.duplicates), (1000, 0), "{account}");
        assert!(account.longest <= ms(1_100), "one attempt's time: {account}");
        assert!(dials.len() <= 10, "{} dials in 10 s: {dials:?}", dials.len());
        let quick = sent.iter().filter(|send| send.took <= ms(30)).count();
        assert!(quick >= 950, "{quick} of 1000 did not wait for it");
    });
}

/// Scenario 21.
#[test]
fn one_slow_link_does_not_slow_the_others() {
    for (seed, latency) in [(32, ms(50)), (33, ms(300)), (34, ms(800)), (35, ms(2_000))] {
        cluster(seed, &THREE).run(move |world| async move {
            let producer = producer(&world);
            let sends = load(20).start(&producer);
            world.pass(secs(5)).await;
            world.link("broker-a").latency(latency);

            let sent = sends.await.expect("a load does not panic");
            let account = account(&world, &sent);
            assert_eq!(account.ok, 2000, "{latency:?} one way: {account}");
            let quick = sent.iter().filter(|send| send.took <= ms(40)).count();
            assert!(quick >= 1_400, "{latency:?} one way, {quick} of 2000 quick: {account}");
            assert!(account.longest <= ms(2_100), "{latency:?} one way: {account}");
        });
    }
}

/// Scenario 22.
#[test]
fn a_flapping_link_starves_nobody() {
    for (seed, period) in [(36, ms(100)), (37, ms(700)), (38, secs(3))] {
        cluster(seed, &TWO).run(move |world| async move {
            let producer = producer(&world);
            let sends = load(30).start(&producer);
            let link = world.link("broker-a");
            while world.elapsed() < secs(20) {
                link.hold();
                world.pass(period).await;
                link.release();
                world.pass(period).await;
            }
            let calm = world.elapsed();

            let sent = sends.await.expect("a load does not panic");
            let whole = account(&world, &sent);
            assert_eq!(whole.ok, 3000, "period {period:?}: {whole}");
            let dials = world.dials("broker-a").len();
            assert!(dials <= 45, "period {period:?}: {dials} dials in 30 s");
            let later = account(&world, &between(sent, calm + secs(5), secs(3600)));
            let share = later.by_broker.get("broker-a").copied().unwrap_or(0) * 100 / later.sends;
            assert!((40..=60).contains(&share), "period {period:?}: {share} % after: {later}");
        });
    }
}

/// Scenario 41.
#[test]
fn no_timer_follows_the_wall_clock() {
    const HOUR_MS: i64 = 3_600_000;
    let run = |offsets: &'static [i64]| {
        cluster(39, &TWO).run(move |world| async move {
            let producer = producer(&world);
            let sends = load(20).start(&producer);
            for &offset in offsets {
                world.pass(secs(3)).await;
                world.set_clock(offset);
            }
            let sent = sends.await.expect("a load does not panic");
            let account = account(&world, &sent);
            assert_eq!((account.ok, account.retries), (2000, 0), "{offsets:?}: {account}");
            let ids: std::collections::BTreeSet<_> = sent
                .iter()
                .filter_map(|send| send.result.as_ref().ok())
                .map(|r| r.message_id)
                .collect();
            assert_eq!(ids.len(), 2000, "an id was used twice after {offsets:?}");
            let stats = producer.stats();
            let times: Vec<Duration> = sent.iter().map(|send| send.took).collect();
            (times, stats.heartbeats, stats.route_requests, world.dials("broker-a"))
        })
    };

    let steady = run(&[]);

    for offsets in [&[HOUR_MS, 0][..], &[-HOUR_MS, HOUR_MS], &[-5_000], &[200, 0, 200, 0, 200]] {
        assert!(run(offsets) == steady, "{offsets:?} changed when things happen");
    }
}

/// A link that is cut for good does not slow the first answer from elsewhere.
#[test]
fn the_first_success_after_a_cut_is_the_next_send() {
    cluster(40, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(5).start(&producer);
        world.pass(secs(1)).await;
        let cut = world.elapsed();
        world.link("broker-a").cut();

        let sent = sends.await.expect("a load does not panic");
        let first = first_success(&sent, cut);
        let account = account(&world, &sent);
        assert!(first <= ms(30), "first success {first:?} after the cut: {account}");
        assert_eq!(account.ok, 500, "{account}");
    });
}
