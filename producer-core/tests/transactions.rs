//! How do transactions end, and what becomes of questions about them?

use crate::pair::{Dial, Does, World, half_stored, ms};
use producer_core::wire::transaction::CheckTransaction;
use producer_core::{
    Config, ConnectionEnd, Decision, ErrorKind, GroupName, HalfMessage, Message, Outcome, Output,
    Reply, SendOptions, SendStatus, TransactionCheck,
};
use proptest::prelude::*;

fn world() -> World {
    let group = GroupName::new("g").expect("a group");
    World::new(Config { group, ..Config::default() })
}

fn message(body: &str) -> Message {
    Message::new("t", body.to_owned()).expect("a valid message")
}

fn half(world: &mut World) -> HalfMessage {
    world.half(message("half")).expect("all is well")
}

/// The check that a 5.4.0 broker makes of a half message stored again.
fn asked() -> CheckTransaction {
    CheckTransaction {
        topic: Some("RMQ_SYS_TRANS_HALF_TOPIC".into()),
        tran_state_table_offset: 40,
        commit_log_offset: 4_000,
        msg_id: Some("K1".into()),
        transaction_id: Some("K1".into()),
        offset_msg_id: Some("0A0000010000".into()),
        broker_name: Some("a".into()),
    }
}

const PROPERTIES: &str =
    "UNIQ_KEY\u{1}K1\u{2}PGROUP\u{1}g\u{2}TRANSACTION_CHECK_TIMES\u{1}3\u{2}color\u{1}red\u{2}";

/// A broker asks; what the producer makes of it.
fn check(world: &mut World, address: &str) -> Option<TransactionCheck> {
    let conn = world.conn_to(address).expect("a connection");
    world.check(conn, &asked(), &half_stored(PROPERTIES, b"body"));
    world.run(ms(5));
    world.until(|output| match output {
        Output::CheckTransaction(check) => Some((**check).clone()),
        _ => None,
    })
}

fn end(world: &mut World, half: &HalfMessage, decision: Decision) -> bool {
    world.with(|producer, now| producer.end_transaction(now, &half.transaction, decision, None))
}

#[test]
fn a_decision_goes_to_the_broker_that_holds_the_half_message() {
    for (decision, bits) in
        [(Decision::Commit, "8"), (Decision::Rollback, "12"), (Decision::Unknown, "0")]
    {
        let mut world = world();
        let half = half(&mut world);
        assert_eq!(half.receipt.status, SendStatus::SendOk);
        assert_eq!(half.transaction.id, half.receipt.message_id.as_str());

        assert!(end(&mut world, &half, decision));
        world.run(ms(5));

        let ends = world.seen(37);
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert_eq!((ends[0].flag, ends[0].ext["commitOrRollback"].as_str()), (2, bits));
        assert_eq!(ends[0].address, format!("{}:1", half.receipt.broker));
        assert_eq!(ends[0].ext["bname"], *half.receipt.broker);
        assert_eq!((&*ends[0].ext["topic"], &*ends[0].ext["producerGroup"]), ("t", "g"));
        assert_eq!(ends[0].ext["commitLogOffset"], "1", "of the broker's id");
        assert_eq!(ends[0].ext["fromTransactionCheck"], "false");
        assert_eq!(world.producer.stats().transactions_ended, 1);
    }
}

#[test]
fn a_half_message_says_that_it_is_one() {
    let mut world = world();
    let half = half(&mut world);
    let stored: Vec<_> = world.peers.values().flat_map(|peer| peer.stored.clone()).collect();

    assert_eq!(stored.len(), 1);
    assert!(stored[0].properties.contains("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}g\u{2}"));
    assert!(stored[0].properties.contains(&half.transaction.id));
}

#[test]
fn a_status_other_than_send_ok_rolls_back() {
    for (code, status) in [
        (10, SendStatus::FlushDiskTimeout),
        (11, SendStatus::SlaveNotAvailable),
        (12, SendStatus::FlushSlaveTimeout),
    ] {
        for require in [producer_core::Require::Stored, producer_core::Require::SendOk] {
            let mut world = World::new(Config { require, ..Config::default() });
            world.broker("a:1").does = Does::StoreAnd(code);
            world.broker("b:1").does = Does::StoreAnd(code);

            let error = world.half(message("half")).expect_err("it is rolled back");
            world.run(ms(5));

            assert_eq!(*error.kind(), ErrorKind::BelowRequired { status });
            assert_eq!(error.outcome(), Outcome::Unknown, "a half message is there for a moment");
            assert!(error.message_id().is_some());
            let ends = world.seen(37);
            assert_eq!((ends.len(), &*ends[0].ext["commitOrRollback"]), (1, "12"));
            assert_eq!(world.log.len(), 1, "and it is not tried again");
        }
    }
}

#[test]
fn a_half_message_is_always_answered() {
    let mut world = world();
    let options = SendOptions { reply: Reply::OneWay, ..SendOptions::default() };
    let ticket = world.send_half(message("half"), options);

    assert!(matches!(world.prepared(ticket), Some(Ok(_))));
    assert!(world.written.is_empty());
}

#[test]
fn a_check_is_answered_on_the_connection_that_asked() {
    let mut world = world();
    half(&mut world);
    world.run(ms(2_000));
    let check = check(&mut world, "a:1").expect("a check");
    assert_eq!((&*check.transaction.id, &*check.transaction.topic), ("K1", "t"));
    assert_eq!((check.times, &*check.body, check.flag), (3, b"body".as_slice(), 3));
    assert_eq!(check.property("color"), Some("red"));
    let conn = world.conn_to("a:1");

    let remark = format!("{}é", "x".repeat(600));
    let put = world.with(|producer, now| {
        producer.end_transaction(now, &check.transaction, Decision::Commit, Some(&remark))
    });
    world.run(ms(5));

    assert!(put);
    let ends = world.seen(37);
    assert_eq!(Some(ends[0].conn), conn);
    let ext = |name: &str| ends[0].ext[name].as_str();
    assert_eq!((ext("fromTransactionCheck"), ext("commitOrRollback")), ("true", "8"));
    assert_eq!((ext("tranStateTableOffset"), ext("commitLogOffset")), ("40", "4000"));
    assert_eq!((ext("msgId"), ext("transactionId"), ext("bname")), ("K1", "K1", "a"));
    assert_eq!((ext("topic"), ext("producerGroup")), ("RMQ_SYS_TRANS_HALF_TOPIC", "g"));
    assert_eq!(ends[0].remark.as_deref().map(str::len), Some(512), "the rest is cut off");
    assert_eq!(world.producer.stats().checks, 1);
}

#[test]
fn what_a_check_lacks_its_answer_lacks() {
    let mut world = world();
    half(&mut world);
    world.run(ms(2_000));
    // As 4.9.7 asks.
    let old = CheckTransaction { topic: None, broker_name: None, transaction_id: None, ..asked() };
    let conn = world.conn_to("b:1").expect("a connection");
    world.check(conn, &old, &half_stored(PROPERTIES, b"body"));
    let check = world.until(|output| match output {
        Output::CheckTransaction(check) => Some((**check).clone()),
        _ => None,
    });
    let check = check.expect("a check");
    assert_eq!(&*check.transaction.broker, "b", "by its connection");

    world.with(|producer, now| {
        producer.end_transaction(now, &check.transaction, Decision::Unknown, None)
    });
    world.run(ms(5));

    let ext = &world.seen(37)[0].ext;
    for name in ["topic", "bname", "transactionId"] {
        assert_eq!(ext.get(name), None, "{name}");
    }
    assert_eq!(ext["commitOrRollback"], "0");
}

#[test]
fn a_check_is_answered_on_a_new_connection_if_the_old_one_is_gone() {
    let mut world = world();
    half(&mut world);
    world.run(ms(2_000));
    let check = check(&mut world, "a:1").expect("a check");
    let before = world.conn_to("a:1");
    world.cut("a:1", &ConnectionEnd::Reset);
    let end = |world: &mut World| {
        world.with(|producer, now| {
            producer.end_transaction(now, &check.transaction, Decision::Commit, None)
        })
    };

    assert!(!end(&mut world), "there is none yet");
    world.run(ms(1_500));
    assert!(world.conn_to("a:1").is_some_and(|conn| Some(conn) != before), "it is made again");
    assert!(end(&mut world));
    world.run(ms(5));

    assert_eq!(world.seen(37).len(), 1);
    assert_eq!(world.seen(37)[0].address, "a:1");
}

#[test]
fn a_producer_of_transactions_stays_connected_to_all_brokers() {
    let mut world = world();
    half(&mut world);
    world.run(ms(50));
    assert!(world.conn_to("a:1").is_some() && world.conn_to("b:1").is_some());
    for address in ["a:1", "b:1"] {
        let conn = world.conn_to(address);
        let seen = world.seen.iter().find(|seen| Some(seen.conn) == conn);
        assert_eq!(seen.map(|seen| seen.code), Some(34), "it says who it is: {address}");
    }

    world.cut("b:1", &ConnectionEnd::Closed);
    world.run(ms(1_500));

    assert!(world.conn_to("b:1").is_some());
    world.kill("b:1");
    let dials = world.broker("b:1").dials;
    world.run(ms(60_000));
    assert!(world.broker("b:1").dials - dials <= 130, "a dead broker is dialled twice a second");
}

#[test]
fn checks_that_cannot_be_read_or_are_not_for_us_are_counted() {
    let mut world = world();
    half(&mut world);
    world.run(ms(2_000));
    let conn = world.conn_to("a:1").expect("a connection");
    let other = "UNIQ_KEY\u{1}K1\u{2}PGROUP\u{1}other\u{2}";
    world.check(conn, &asked(), &half_stored(other, b"body"));
    world.check(conn, &asked(), &half_stored("UNIQ_KEY\u{1}K1\u{2}", b"body"));
    let head = producer_core::wire::Head { code: 39, flag: 2, ..Default::default() };
    world.push(conn, &head, &asked().to_ext(), b"no message");
    world.push(conn, &head, &producer_core::wire::Fields::new(), b"");
    world.run(ms(5));

    let stats = world.producer.stats();
    assert_eq!((stats.checks, stats.checks_ignored), (0, 4), "{stats:?}");
    assert_eq!(world.conn_to("a:1"), Some(conn), "none of them costs the connection");
    assert!(check(&mut world, "a:1").is_some(), "and the next one is heard");
}

#[test]
fn a_broker_that_cannot_be_reached_is_said_to_be() {
    let mut world = world();
    let half = half(&mut world);
    let address = format!("{}:1", half.receipt.broker);
    world.kill(&address);
    world.run(ms(10));

    let mut put = 0;
    for _ in 0..50 {
        put += u32::from(end(&mut world, &half, Decision::Commit));
        world.run(ms(1));
    }

    assert!(put <= 3, "only while it is being dialled: {put}");
    world.broker(&address).dial = Dial::Accept;
    world.run(ms(3_000));
    assert!(end(&mut world, &half, Decision::Commit));
    world.run(ms(5));
    assert_eq!(world.seen(37).len(), 1);
}

#[test]
fn a_cancelled_half_message_is_left_to_the_broker() {
    let mut world = world();
    half(&mut world);
    world.broker("a:1").delay = ms(20);
    world.broker("b:1").delay = ms(20);
    let id = world.with(|producer, now| {
        producer.send_half(now, 900, message("cancelled"), SendOptions::default())
    });
    world.run(ms(5));

    assert_eq!(world.with(|producer, now| producer.cancel(now, id)), Some(900));
    world.run(ms(100));

    assert!(world.seen(37).is_empty(), "it will be asked about");
    assert_eq!(world.producer.stats().late_responses, 1);
}

#[test]
fn ends_leave_before_the_good_bye_and_none_after_it() {
    let mut world = world();
    world.stall = ms(2);
    let half = half(&mut world);
    assert!(end(&mut world, &half, Decision::Commit));
    world.close(ms(1_000));
    world.run(ms(2_000));

    let codes: Vec<i32> = world.seen.iter().map(|seen| seen.code).collect();
    let at = |code| codes.iter().position(|&seen| seen == code).expect("it was seen");
    assert!(at(37) < at(35), "{codes:?}");
    assert!(world.closed.is_some());
    assert!(!end(&mut world, &half, Decision::Rollback), "too late");
    world.run(ms(1_000));
    assert_eq!(world.seen(37).len(), 1);
    assert!(world.others.is_empty(), "nothing is dialled for it: {:?}", world.others);
}

#[test]
fn transactions_of_several_groups_are_kept_apart() {
    let mut world = world();
    let second = GroupName::new("h").expect("a group");
    let group = world.with(|producer, now| producer.add_group(now, &second)).expect("room");
    let options = SendOptions { group, ..SendOptions::default() };
    let ticket = world.send_half(message("half"), options);
    let half = world.prepared(ticket).expect("an end").expect("all is well");
    assert!(end(&mut world, &half, Decision::Commit));
    world.run(ms(5));

    assert_eq!(world.seen(37)[0].ext["producerGroup"], "h");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Each half message ends once, each end that is taken leaves once, whatever befalls the
    /// brokers.
    #[test]
    fn each_decision_leaves_at_most_once(
        seed in 0_u64..1_000,
        steps in proptest::collection::vec((0_u8..6, 0_u64..40), 1..40),
    ) {
        let mut world = World::with_seed(Config::default(), seed);
        let (mut open, mut put, mut tickets) = (Vec::new(), 0, Vec::new());
        for (what, pause) in steps {
            match what {
                0..=2 => tickets.push(world.send_half(message("half"), SendOptions::default())),
                3 => world.cut("a:1", &ConnectionEnd::Reset),
                4 => world.cut("b:1", &ConnectionEnd::Closed),
                _ => {
                    if let Some(half) = open.pop() {
                        put += u32::from(end(&mut world, &half, Decision::Commit));
                    }
                }
            }
            world.run(ms(pause));
            let ended = |output: &Output<u64>| match output {
                Output::Prepared { ticket, result } => Some((*ticket, result.clone())),
                _ => None,
            };
            let at: Vec<_> = world.others.iter().filter_map(ended).collect();
            world.others.clear();
            for (ticket, result) in at {
                let before = tickets.len();
                tickets.retain(|known| *known != ticket);
                prop_assert_eq!(tickets.len(), before - 1, "it ends once");
                open.extend(result.ok().map(|half| *half));
            }
        }
        world.run_until_done();
        world.run(ms(100));
        prop_assert!(world.seen(37).len() <= put as usize);
        prop_assert_eq!(world.producer.stats().transactions_ended, u64::from(put));
    }
}

/// Each mistake is noticed by a test of this file.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_caught() {
    use producer_core::planted::Bug;

    crate::pair::hunt(&[
        (Bug::HalfStatusIgnored, a_status_other_than_send_ok_rolls_back),
        (Bug::CheckAnswerLost, a_check_is_answered_on_a_new_connection_if_the_old_one_is_gone),
        (Bug::CheckUnsaid, a_check_is_answered_on_the_connection_that_asked),
        (Bug::UnknownCommits, a_decision_goes_to_the_broker_that_holds_the_half_message),
        (Bug::CheckPlaceFromBody, a_check_is_answered_on_the_connection_that_asked),
        (Bug::NotStayingConnected, a_producer_of_transactions_stays_connected_to_all_brokers),
    ]);
}
