//! How half messages end.

use std::time::Duration;

use producer_core::wire::stored::StoredMessage;
use producer_core::wire::transaction::EndTransaction;
use producer_core::wire::{Fields, Head, SerializeType, encode_frame};
use sim::model::broker::{Broker, BrokerConfig, Transaction, Why};
use sim::model::{ConnId, Instant, Node, Release};

use super::broker::config;
use crate::support::direct::{Direct, answers};
use crate::support::{Got, beat, send_half};

const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;

fn quick() -> BrokerConfig {
    BrokerConfig {
        transaction_timeout: Duration::from_secs(2),
        transaction_check_interval: Duration::from_secs(1),
        ..config()
    }
}

/// A broker, a client of the group `g` on a connection, and a half message.
fn begun(config: BrokerConfig) -> (Direct<Broker>, ConnId, Got) {
    let mut broker = Direct::new(Broker::new(config));
    let conn = broker.connect();
    beat(&mut broker, conn, "c@1", "g");
    let born = broker.node.config().wall_origin_ms + broker.now.as_millis() as i64;
    let got = send_half(&mut broker, conn, "K1", born, &[]);
    assert_eq!(got.code, 0, "{got:?}");
    (broker, conn, got)
}

fn offset(got: &Got, name: &str) -> i64 {
    got.ext(name).expect("an offset").parse().expect("a number")
}

/// The end of what a send's answer or a check is about.
fn end_of(got: &Got, how: i32) -> EndTransaction {
    let sent = got.ext("queueOffset").is_some();
    let at = if sent {
        let id = got.ext("msgId").expect("an id");
        i64::from_str_radix(&id[16..], 16).expect("an offset")
    } else {
        offset(got, "commitLogOffset")
    };
    EndTransaction {
        producer_group: "g".to_owned(),
        tran_state_table_offset: offset(
            got,
            if sent { "queueOffset" } else { "tranStateTableOffset" },
        ),
        commit_log_offset: at,
        commit_or_rollback: how,
        from_transaction_check: Some(!sent),
        msg_id: "K1".to_owned(),
        ..EndTransaction::default()
    }
}

fn end(broker: &mut Direct<Broker>, conn: ConnId, asked: &EndTransaction) -> Vec<Got> {
    broker.ask(conn, 37, &asked.to_ext(), b"")
}

/// Lets time pass and returns the checks that came, with the connections that they came on.
fn checks(broker: &mut Direct<Broker>, seconds: u64) -> Vec<(ConnId, Got)> {
    let sent = broker.pass(Duration::from_secs(seconds));
    let all = sent.into_iter().flat_map(|(conn, bytes)| {
        answers(&bytes).into_iter().map(move |got| (conn, got)).collect::<Vec<_>>()
    });
    all.filter(|(_, got)| got.code == 39).collect()
}

fn only(broker: &Direct<Broker>) -> Transaction {
    let mut all = broker.node.transactions();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_half_message_is_seen_when_it_is_committed() {
    let (mut broker, conn, half) = begun(quick());
    assert_eq!((half.ext("queueId"), half.ext("queueOffset")), (Some("2"), Some("0")));
    assert_eq!(half.ext("transactionId"), Some("K1"));
    assert!(broker.node.messages().is_empty());
    assert!(only(&broker).open);

    let answer = end(&mut broker, conn, &end_of(&half, COMMIT));

    assert_eq!(answer[0].code, 0);
    let messages = broker.node.messages();
    let seen = &messages[0];
    assert_eq!((&*seen.topic, seen.queue_id, seen.queue_offset), ("T", 2, 0));
    assert_eq!((&*seen.body, seen.sys_flag), (b"half".as_slice(), COMMIT));
    assert_eq!(seen.uniq_key(), Some("K1"));
    let one = only(&broker);
    assert_eq!((one.commits, one.rollbacks, one.open), (1, 0, false));
    assert_eq!((&*one.message.topic, one.message.queue_id, &*one.group), ("T", 2, "g"));
    assert!(checks(&mut broker, 60).is_empty());
}

#[test]
fn a_half_message_that_is_rolled_back_is_gone() {
    let (mut broker, conn, half) = begun(quick());

    assert_eq!(end(&mut broker, conn, &end_of(&half, ROLLBACK))[0].code, 0);

    assert!(broker.node.messages().is_empty());
    let one = only(&broker);
    assert_eq!((one.commits, one.rollbacks, one.open), (0, 1, false));
    assert!(checks(&mut broker, 60).is_empty());
}

#[test]
fn who_does_not_know_is_asked_again_about_other_offsets() {
    let (mut broker, conn, half) = begun(quick());
    assert!(end(&mut broker, conn, &end_of(&half, 0)).is_empty(), "no answer, as in Java");

    assert!(checks(&mut broker, 2).is_empty(), "too young");
    let asked = checks(&mut broker, 2);

    assert_eq!(asked.len(), 2);
    let (first, second) = (&asked[0].1, &asked[1].1);
    let offsets: Vec<_> =
        [&half, first, second].iter().map(|got| end_of(got, 0).commit_log_offset).collect();
    assert!(offsets[0] < offsets[1] && offsets[1] < offsets[2], "{offsets:?}");
    assert_eq!(second.ext("msgId"), Some("K1"));
    let (stored, rest) = StoredMessage::decode(&second.body).unwrap();
    assert!(rest.is_empty());
    assert_eq!((&*stored.topic, stored.queue_id, stored.queue_offset), ("T", 2, 2));
    assert_eq!(Some(&*stored.offset_message_id().encode()), second.ext("offsetMsgId"));
    assert_eq!(only(&broker).checks, 2);

    end(&mut broker, conn, &end_of(second, COMMIT));
    assert_eq!(broker.node.messages().len(), 1);
    assert!(checks(&mut broker, 60).is_empty());
}

#[test]
fn the_end_of_an_offset_that_has_changed_does_not_end_the_checks() {
    let (mut broker, conn, half) = begun(quick());
    let asked = checks(&mut broker, 3);

    end(&mut broker, conn, &end_of(&half, COMMIT));
    assert_eq!(broker.node.messages().len(), 1);
    assert!(only(&broker).open);
    end(&mut broker, conn, &end_of(&asked[0].1, COMMIT));

    // A trap of real brokers: consumers see it twice.
    assert_eq!(broker.node.messages().len(), 2);
    assert_eq!((only(&broker).commits, only(&broker).open), (2, false));
}

#[test]
fn brokers_check_the_group_and_both_offsets() {
    let (mut broker, conn, half) = begun(quick());
    let right = end_of(&half, COMMIT);
    let group = EndTransaction { producer_group: "h".to_owned(), ..right.clone() };
    let table = EndTransaction { tran_state_table_offset: 1, ..right.clone() };
    let log = EndTransaction { commit_log_offset: 7, ..right.clone() };

    for (wrong, remark) in [
        (group, "The producer group wrong"),
        (table, "The transaction state table offset wrong"),
        (log, "Find prepared transaction message failed"),
    ] {
        let got = end(&mut broker, conn, &wrong).remove(0);
        assert_eq!((got.code, got.remark.as_deref()), (1, Some(remark)));
    }
    assert!(broker.node.messages().is_empty());
    broker.with(|broker, now| broker.set_id(now, 1));
    assert_eq!(end(&mut broker, conn, &right)[0].code, 11);
    broker.with(|broker, now| {
        broker.set_id(now, 0);
        broker.fill_disk(true);
    });
    assert_eq!(end(&mut broker, conn, &right)[0].code, 14);
    assert!(only(&broker).open);
}

#[test]
fn nobody_is_asked_more_often_than_configured() {
    let (mut broker, _, _) = begun(BrokerConfig { transaction_check_max: 3, ..quick() });

    assert_eq!(checks(&mut broker, 100).len(), 3);
    let one = only(&broker);
    assert_eq!((one.checks, one.given_up, one.open), (3, true, false));
    assert_eq!(broker.wake_at.map(|at| at.as_millis()), Some(121_000), "the client's silence");
}

#[test]
fn checks_go_to_the_clients_of_the_group_in_turn() {
    let (mut broker, first, _) = begun(quick());
    let (second, other) = (broker.connect(), broker.connect());
    beat(&mut broker, second, "c@2", "g");
    beat(&mut broker, other, "c@3", "h");

    let conns: Vec<ConnId> = checks(&mut broker, 6).iter().map(|check| check.0).collect();

    assert_eq!(conns.len(), 4);
    for conn in [first, second] {
        assert_eq!(conns.iter().filter(|one| **one == conn).count(), 2);
    }
}

#[test]
fn without_a_client_half_messages_are_looked_at_all_the_same() {
    let mut broker = Direct::new(Broker::new(quick()));
    let conn = broker.connect();
    send_half(&mut broker, conn, "K1", 0, &[]);

    assert!(checks(&mut broker, 5).is_empty());
    assert_eq!(only(&broker).checks, 5);
    beat(&mut broker, conn, "c@1", "g");
    assert_eq!(checks(&mut broker, 1).len(), 1);
}

#[test]
fn a_message_may_ask_for_a_later_check() {
    let mut broker = Direct::new(Broker::new(quick()));
    let conn = broker.connect();
    beat(&mut broker, conn, "c@1", "g");
    let born = broker.node.config().wall_origin_ms + 1_000;
    let half =
        send_half(&mut broker, conn, "K1", born, &[("CHECK_IMMUNITY_TIME_IN_SECONDS", "10")]);

    assert!(checks(&mut broker, 10).is_empty());
    assert_eq!(checks(&mut broker, 1).len(), 1);
    let late = end(&mut broker, conn, &end_of(&half, COMMIT)).remove(0);
    assert_eq!(late.code, 604, "{late:?}");
}

#[test]
fn releases_check_as_they_do() {
    for (release, field) in [(Release::V4_9_7, None), (Release::V5_4_0, Some("broker-a"))] {
        let (mut broker, _, half) = begun(BrokerConfig { release, ..quick() });
        let check = checks(&mut broker, 3).remove(0).1;
        assert_eq!(check.ext("bname"), field);
        assert_eq!(half.ext("transactionId").is_some(), field.is_some());
        assert_eq!(check.ext("transactionId"), Some("K1"));
    }
}

#[test]
fn the_loss_of_power_takes_an_end_back() {
    let (mut broker, conn, half) = begun(quick());
    let _ = broker.pass(Duration::from_millis(500));
    let flushed = broker.now;
    let _ = broker.pass(Duration::from_millis(1));
    end(&mut broker, conn, &end_of(&half, COMMIT));
    assert_eq!(broker.node.messages().len(), 1);

    broker.with(|broker, now| {
        broker.lose_tail(flushed, 1);
        broker.handle_start(now);
    });

    assert!(broker.node.messages().is_empty());
    assert_eq!(broker.node.cuts()[0].why, Why::NotFlushed);
    let one = only(&broker);
    assert_eq!((one.commits, one.open), (0, true));
    let conn = broker.connect();
    beat(&mut broker, conn, "c@1", "g");
    assert_eq!(checks(&mut broker, 3).len(), 2, "it is asked about again");

    broker.with(|broker, now| {
        broker.lose_tail(Instant::from_millis(0), 2);
        broker.handle_start(now);
    });
    assert!(broker.node.transactions().is_empty());
    assert!(checks(&mut broker, 9).is_empty());
}

#[test]
fn a_crashed_or_frozen_broker_checks_when_it_is_back() {
    let (mut broker, conn, _) = begun(quick());
    broker.with(|broker, _| broker.freeze());
    assert!(checks(&mut broker, 30).is_empty());
    let thawed = broker.with(|broker, now| broker.thaw(now));
    assert_eq!(thawed.len(), 1);
    assert_eq!(answers(&thawed[0].1)[0].code, 39);

    broker.with(|broker, now| broker.handle_start(now));
    assert!(checks(&mut broker, 3).is_empty(), "nobody is known");
    let _ = conn;
    let conn = broker.connect();
    beat(&mut broker, conn, "c@1", "g");
    assert_eq!(checks(&mut broker, 1).len(), 1);
}

#[test]
fn a_promoted_slave_checks_what_it_copied() {
    let (master, _, _) = begun(quick());
    let mut slave = Direct::new(Broker::new(BrokerConfig { id: 1, ..quick() }));
    slave.node.catch_up_with(&master.node);
    assert!(checks(&mut slave, 5).is_empty());

    slave.with(|broker, now| broker.become_master(now, 1, 1));
    let conn = slave.connect();
    beat(&mut slave, conn, "c@1", "g");

    assert_eq!(checks(&mut slave, 1).len(), 1);
    assert!(slave.node.topics().iter().all(|topic| !topic.0.starts_with("RMQ_SYS")));
}

#[test]
fn one_way_ends_are_not_answered_and_a_deleted_topic_swallows() {
    let (mut broker, conn, half) = begun(quick());
    broker.with(|broker, now| broker.delete_topic(now, "T"));
    let head = Head { code: 37, flag: Head::ONE_WAY, ..Head::default() };
    let asked = end_of(&half, COMMIT);
    let mut frame = Vec::new();
    encode_frame(&mut frame, SerializeType::RocketMq, &head, asked.to_ext().iter(), b"").unwrap();

    assert!(broker.receive(conn, &frame).is_empty());

    assert!(broker.node.messages().is_empty());
    assert!(!only(&broker).open);
    assert_eq!(broker.node.cuts()[0].why, Why::TopicDeleted);
    assert_eq!(broker.node.cuts()[0].message.uniq_key(), Some("K1"));
}

#[test]
fn transactions_can_be_switched_off() {
    let mut broker =
        Direct::new(Broker::new(BrokerConfig { reject_transactions: true, ..quick() }));
    let conn = broker.connect();

    let got = send_half(&mut broker, conn, "K1", 0, &[]);

    assert_eq!(got.code, 16);
    assert!(broker.node.transactions().is_empty());
    assert_eq!(broker.ask(conn, 37, &Fields::new(), b"")[0].code, 1, "fields are missing");
}
