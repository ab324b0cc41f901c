//! What befalls sends when connections fail in the middle of their bytes?

use producer_native::{Message, SendOptions};
use sim::model::broker::{Fault, Times};
use sim::world::{Cut, Way};

use super::{TOPIC, TWO, account, cluster, load, message, ms, producer, secs};

/// Scenario 23.
#[test]
fn a_reset_at_any_byte_of_a_request_stores_it_once() {
    for byte in (0..400).step_by(13) {
        cluster(50 + byte, &TWO).run(move |world| async move {
            let producer = producer(&world);
            for number in 0..4 {
                producer.send(message(&format!("warm {number}"))).await.expect("all is well");
            }
            world.wire("broker-a").cut_after(Way::Write, byte, Cut::Reset);
            let sent = load(1).run(&producer).await;

            let account = account(&world, &sent);
            assert_eq!(account.ok, 100, "reset after {byte} bytes: {account}");
            assert!(account.duplicates <= account.announced, "after {byte} bytes: {account}");
            assert!(account.longest <= ms(300), "reset after {byte} bytes: {account}");
            let dials = world.dials("broker-a").len();
            assert!(dials == 2, "reset after {byte} bytes: {dials} dials");
        });
    }
}

/// Scenario 23, on the way back.
#[test]
fn a_reset_at_any_byte_of_an_answer_is_a_duplicate_at_most() {
    for byte in (0..400).step_by(13) {
        cluster(500 + byte, &TWO).run(move |world| async move {
            let producer = producer(&world);
            for number in 0..4 {
                producer.send(message(&format!("warm {number}"))).await.expect("all is well");
            }
            world.wire("broker-a").cut_after(Way::Read, byte, Cut::Reset);
            let sent = load(1).run(&producer).await;

            let account = account(&world, &sent);
            assert_eq!(account.ok, 100, "reset after {byte} bytes: {account}");
            assert!(account.duplicates <= account.announced, "after {byte} bytes: {account}");
            assert!(account.duplicates <= 2, "one or two are in hand at a time: {account}");
        });
    }
}

/// Scenario 24.
#[test]
fn half_a_request_and_then_silence_stores_nothing() {
    for byte in [1, 4, 8, 100, 250] {
        cluster(60 + byte, &TWO).run(move |world| async move {
            let producer = producer(&world);
            for number in 0..4 {
                producer.send(message(&format!("warm {number}"))).await.expect("all is well");
            }
            world.wire("broker-a").cut_after(Way::Write, byte, Cut::Silence);
            let sent = load(10).run(&producer).await;

            let account = account(&world, &sent);
            assert_eq!((account.ok, account.duplicates), (1000, 0), "after {byte}: {account}");
            assert!(account.longest <= ms(1_100), "after {byte} bytes: {account}");
            let share = account.by_broker.get("broker-a").copied().unwrap_or(0);
            let dials = world.dials("broker-a");
            assert!(share >= 200, "a new connection is made ({dials:?}): {account}");
        });
    }
}

/// Scenario 25, bytes one by one.
#[test]
fn frames_in_single_bytes_are_frames() {
    cluster(70, &TWO).run(|world| async move {
        let producer = producer(&world);
        for name in TWO {
            world.wire(name).pieces(Way::Read, 1);
            world.wire(name).pieces(Way::Write, 3);
        }
        let sent = load(2).run(&producer).await;

        let account = account(&world, &sent);
        assert_eq!((account.ok, account.retries), (200, 0), "{account}");
        let read = world.wire("broker-a").passed(Way::Read);
        assert!(read > 10_000, "{read} bytes came one by one");
    });
}

/// Scenario 25, a slow reader and long messages.
#[test]
fn a_window_that_is_full_holds_up_one_broker_only() {
    cluster(71, &TWO).segments_max(8).run(|world| async move {
        let producer = producer(&world);
        for number in 0..4 {
            producer.send(message(&format!("warm {number}"))).await.expect("all is well");
        }
        world.wire("broker-a").bandwidth(Way::Write, 20_000);
        let mut tickets = Vec::new();
        for number in 0..200 {
            let mut body = format!("long {number} ").into_bytes();
            body.resize(3_000, b'x');
            let message = Message::new(TOPIC, body).expect("a valid message");
            tickets.push(producer.enqueue_with(message, SendOptions::default()));
            world.pass(ms(10)).await;
        }
        let mut ok = 0;
        for ticket in tickets {
            ok += usize::from(ticket.await.is_ok());
        }
        world.pass(secs(30)).await;

        let stats = producer.stats();
        assert_eq!(ok, 200, "{stats:?}");
        assert_eq!((stats.in_hand, stats.out_bytes), (0, 0), "{stats:?}");
    });
}

/// Scenario 25, one direction stands still.
#[test]
fn a_stall_of_answers_is_an_outage_of_one_broker() {
    cluster(72, &TWO).run(|world| async move {
        let producer = producer(&world);
        let sends = load(15).start(&producer);
        world.pass(secs(2)).await;
        world.wire("broker-a").stall(Way::Read);
        world.pass(secs(5)).await;
        world.wire("broker-a").resume(Way::Read);

        let sent = sends.await.expect("a load does not panic");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 1500, "{account}");
        assert!(account.duplicates <= account.announced, "{account}");
        assert!(account.longest <= ms(1_100), "{account}");
        let stats = producer.stats();
        assert!(stats.in_hand == 0 && stats.bytes_in_hand == 0, "{stats:?}");
    });
}

/// Scenarios 26 and 27: answers that no request asked for, and bytes that are no answer.
#[test]
fn odd_answers_cost_a_retry_at_most() {
    let faults = [
        (Fault::AnswerTwice, 0),
        (Fault::WrongOpaque, 5),
        (Fault::HalfAnswer, 5),
        (Fault::Garbage, 5),
        (Fault::NoAnswer, 5),
        (Fault::CloseAfterStoring, 5),
        (Fault::CloseBeforeStoring, 0),
    ];
    for (seed, (fault, duplicates_min)) in (80..).zip(faults) {
        cluster(seed, &TWO).run(move |world| async move {
            let producer = producer(&world);
            producer.send(message("first")).await.expect("all is well");
            world.broker("broker-a").with(|model, _| model.fault(fault, Times::Next(5)));
            let sent = load(20).run(&producer).await;

            let account = account(&world, &sent);
            assert_eq!(account.ok, 2000, "{fault:?}: {account}");
            assert!(account.duplicates >= duplicates_min, "{fault:?}: {account}");
            assert!(account.duplicates <= account.announced, "{fault:?}: {account}");
            assert!(account.longest <= ms(2_100), "{fault:?}: {account}");
        });
    }
}
