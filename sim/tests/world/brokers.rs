//! What befalls sends when brokers die, stop, move and come back?

use std::time::Duration;

use producer_core::wire::perm;
use producer_native::SendOptions;
use sim::model::broker::{Fault, Refusal, Times};
use sim::world::Load;

use super::{THREE, TWO, account, between, cluster, first_success, load, ms, producer, secs};

#[test]
fn a_thousand_sends_survive_a_kill_an_outage_and_a_partition() {
    cluster(1, &THREE).run(|world| async move {
        let producer = producer(&world);
        let sends = load(10).start(&producer);

        world.pass(secs(1)).await;
        world.broker("broker-a").kill().await;
        world.pass(secs(1)).await;
        world.broker("broker-a").start().await;
        world.link("broker-b").hold();
        world.pass(secs(2)).await;
        world.link("broker-b").release();
        world.pass(secs(1)).await;
        world.link("broker-c").cut();
        world.pass(secs(2)).await;
        world.link("broker-c").heal();

        let sent = sends.await.expect("a load does not panic");
        world.pass(secs(5)).await;
        let account = account(&world, &sent);
        assert_eq!((account.sends, account.ok), (1000, 1000), "{account}");
        assert!(account.duplicates <= account.announced, "{account}");
        assert!(account.longest <= ms(2_100), "two silent brokers cost a second each: {account}");
        let stats = producer.stats();
        assert_eq!((stats.in_hand, stats.requests_in_flight), (0, 0), "{stats:?}");
    });
}

/// Scenario 1.
#[test]
fn a_killed_master_costs_no_send_and_no_second() {
    cluster(2, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(5).start(&producer);
        world.pass(secs(2)).await;
        let killed = world.elapsed();
        world.broker("broker-a").kill().await;

        let sent = sends.await.expect("a load does not panic");
        let first = first_success(&sent, killed);
        let dials = world.dials("broker-a");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 500, "{account}");
        assert!(account.longest <= ms(60), "retried in the same call: {account}");
        assert!(first <= ms(50), "first success {first:?} after the kill");
        assert!(dials.len() <= 8, "{} dials: {dials:?}", dials.len());
        assert!(account.duplicates <= account.announced, "{account}");
    });
}

/// Scenario 2.
#[test]
fn a_master_without_power_costs_no_send() {
    cluster(3, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(10).start(&producer);
        world.pass(secs(2)).await;
        let lost = world.elapsed();
        world.broker("broker-a").lose_power().await;

        let sent = sends.await.expect("a load does not panic");
        let first = first_success(&sent, lost);
        let account = account(&world, &sent);
        assert_eq!(account.ok, 1000, "{account}");
        assert!(account.longest <= ms(1_100), "one attempt's time: {account}");
        assert!(first <= ms(50), "first success {first:?} after the loss");
        assert!(account.retries <= 80, "those of the first second: {account}");
    });
}

/// Scenario 2, with Java's defaults: the first attempt may use up the whole budget. What saves most
/// sends is that our connections are given up when they have been silent for three seconds.
#[test]
fn with_javas_defaults_a_silent_master_costs_seconds_and_sends() {
    cluster(3, &TWO).run(|world| async move {
        let producer = world.producer("shop").java().build().expect("a valid configuration");
        let sends = load(10).start(&producer);
        world.pass(secs(2)).await;
        world.broker("broker-a").lose_power().await;

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert!(account.ok < 1000, "the default loses none: {account}");
        let slow = sent.iter().filter(|send| send.took > ms(1_100)).count();
        assert!(slow >= 90, "{slow} took longer than any with the default: {account}");
        assert_eq!(account.unknown + account.not_sent, 1000 - account.ok, "{account}");
    });
}

/// Scenario 9.
#[test]
fn a_restarted_broker_gets_its_share_back() {
    cluster(4, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(60).start(&producer);
        for down in [ms(100), secs(2), secs(10)] {
            world.pass(secs(2)).await;
            world.broker("broker-a").kill().await;
            world.pass(down).await;
            world.broker("broker-a").start().await;
        }
        let back = world.elapsed();

        let sent = sends.await.expect("a load does not panic");
        let whole = account(&world, &sent);
        assert_eq!(whole.ok, 6000, "{whole}");
        let later = account(&world, &between(sent, back + secs(35), secs(3600)));
        let share = later.by_broker.get("broker-a").copied().unwrap_or(0) * 100 / later.sends;
        assert!((45..=55).contains(&share), "{share} % a poll after it is back: {later}");
        let dials = world.dials("broker-a");
        assert!(dials.windows(2).all(|pair| pair[1] - pair[0] >= ms(50)), "{dials:?}");
    });
}

/// Scenario 10.
#[test]
fn a_moved_broker_is_found_and_its_old_address_left() {
    cluster(5, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(60).start(&producer);
        world.pass(secs(2)).await;
        let old = world.broker("broker-a").address();
        let new = world.broker("broker-a").restart_elsewhere().await;
        let moved = world.elapsed();

        let sent = sends.await.expect("a load does not panic");
        let whole = account(&world, &sent);
        assert_eq!(whole.ok, 6000, "{whole}");
        assert_ne!(old, new);
        let later = account(&world, &between(sent, moved + secs(32), secs(3600)));
        let share = later.by_broker.get("broker-a").copied().unwrap_or(0) * 100 / later.sends;
        assert!((45..=55).contains(&share), "{share} % after the next poll: {later}");
        assert_eq!(later.retries, 0, "the old address is forgotten: {later}");
    });
}

/// Scenario 11.
#[test]
fn with_all_masters_down_sends_fail_in_time_and_then_go_on() {
    cluster(6, &TWO).run(|world| async move {
        let producer = producer(&world);
        producer.send(super::message("first")).await.expect("all is well");
        for name in TWO {
            world.broker(name).kill().await;
        }
        let down = world.elapsed();
        let sent = load(10).run(&producer).await;
        let requests = producer.stats().route_requests;
        let dials = TWO.map(|name| world.dials(name).len());
        for name in TWO {
            world.broker(name).start().await;
        }
        world.pass(secs(33)).await;

        let healed = Load { word: "healed".into(), ..load(2) }.run(&producer).await;
        let account_down = account(&world, &sent);
        // The first is on its way while the brokers die.
        assert!(account_down.not_sent >= 999, "down since {down:?}: {account_down}");
        assert_eq!(account_down.not_sent + account_down.unknown, 1000, "{account_down}");
        assert!(requests <= 40, "{requests} route requests in 13 s");
        assert!(dials.iter().all(|&dials| dials <= 30), "{dials:?} dials in 13 s");
        let account_healed = account(&world, &healed);
        assert_eq!(account_healed.ok, 200, "{account_healed}");
    });
}

/// Scenario 12.
#[test]
fn a_rolling_upgrade_costs_nothing() {
    cluster(7, &THREE).run(|world| async move {
        let producer = producer(&world);
        let sends = load(120).start(&producer);
        world.pass(secs(2)).await;
        for name in THREE {
            let broker = world.broker(name);
            broker.with(|model, now| model.set_permission(now, perm::READ));
            world.pass(secs(31)).await;
            let drained = broker.look(|model| model.counters().sends);
            broker.with(|model, _| {
                model.fault(Fault::Refuse(Refusal::GoAway), Times::All);
                model.unregister();
            });
            world.pass(ms(500)).await;
            let late = broker.look(|model| model.counters().sends) - drained;
            assert_eq!(late, 0, "{name} got {late} sends a poll after it was closed for writing");
            broker.kill().await;
            world.pass(secs(5)).await;
            broker.with(|model, now| {
                model.clear_faults();
                model.set_permission(now, perm::READ | perm::WRITE);
            });
            broker.start().await;
            world.pass(ms(500)).await;
        }

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.duplicates), (12_000, 0), "{account}");
        assert!(account.longest <= ms(100), "{account}");
    });
}

/// Scenario 12, without closing it for writing first.
#[test]
fn go_away_moves_sends_in_the_same_call() {
    cluster(8, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(5).start(&producer);
        world.pass(secs(1)).await;
        let broker = world.broker("broker-a");
        broker.with(|model, _| model.fault(Fault::Refuse(Refusal::GoAway), Times::All));

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.duplicates), (500, 0), "{account}");
        assert!(account.longest <= ms(60), "{account}");
    });
}

/// Scenario 14.
#[test]
fn what_a_frozen_broker_executes_late_are_announced_duplicates() {
    cluster(9, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(20).start(&producer);
        world.pass(secs(2)).await;
        world.broker("broker-a").freeze();
        world.pass(secs(8)).await;
        world.broker("broker-a").thaw();

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 2000, "{account}");
        assert!(account.duplicates > 0, "the freeze has caught some sends: {account}");
        assert_eq!(account.duplicates, account.announced, "{account}");
        assert!(account.longest <= ms(1_100), "{account}");
    });
}

/// Scenario 31: a disk that is full refuses, and nothing is stored twice.
#[test]
fn a_full_disk_moves_sends_to_other_brokers() {
    cluster(10, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(10).start(&producer);
        world.pass(secs(1)).await;
        world.broker("broker-a").with(|model, _| model.fill_disk(true));

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.duplicates), (1000, 0), "{account}");
    });
}

/// Scenario 42.
#[test]
fn a_close_accounts_for_every_send_in_hand() {
    cluster(11, &TWO).run(|world| async move {
        let producer = producer(&world);
        producer.send(super::message("first")).await.expect("all is well");
        world.broker("broker-a").freeze();
        let options = SendOptions { timeout: Some(secs(30)), ..SendOptions::default() };
        let mut tickets: Vec<_> = (0..100)
            .map(|n| producer.enqueue_with(super::message(&n.to_string()), options.clone()))
            .collect();
        drop(tickets.split_off(90));
        world.pass(ms(20)).await;

        let before = world.elapsed();
        let report = producer.close(ms(500)).await;
        let took = world.elapsed() - before;
        let mut ok = 0;
        for ticket in tickets {
            ok += usize::from(ticket.await.is_ok());
        }
        assert!(took <= ms(812), "{took:?}: half a second and the good-bye's 300 ms; {report:?}");
        assert!(ok >= 40, "{ok} of 90 ended well; {report:?}");
        let stats = producer.stats();
        assert_eq!((stats.in_hand, stats.connections), (0, 0), "{stats:?}");
        world.pass(Duration::from_secs(5)).await;
    });
}
