//! What goes wrong on command.

use std::time::Duration;

use producer_core::wire::send::SendForm;
use sim::model::Node;
use sim::model::broker::{Broker, BrokerConfig, Fault, Refusal, Status, Times};

use super::broker::{config, send};
use crate::support::direct::{Direct, answers};
use crate::support::send_request;

/// A send's bytes, and the broker that will get them with `fault` on.
fn broken(fault: Fault) -> (Direct<Broker>, sim::model::ConnId, Vec<u8>) {
    let mut broker = Direct::new(Broker::new(config()));
    broker.node.fault(fault, Times::Next(1));
    let conn = broker.connect();
    let request = send_request("T", 0);
    let frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
    (broker, conn, frame)
}

#[test]
fn refusals_have_the_code_and_store_nothing() {
    let refusals = [
        (Refusal::SystemError, 1),
        (Refusal::Busy, 2),
        (Refusal::Overload, 2),
        (Refusal::PageCacheBusy, 2),
        (Refusal::WaitedTooLong, 2),
        (Refusal::Illegal, 13),
        (Refusal::DiskFull, 14),
        (Refusal::NoPermission, 16),
        (Refusal::NoTopic, 17),
        (Refusal::GoAway, 1500),
    ];
    for (refusal, code) in refusals {
        let mut broker = Direct::new(Broker::new(config()));
        broker.node.fault(Fault::Refuse(refusal), Times::Next(2));

        let codes: Vec<_> = (0..3).map(|_| send(&mut broker, "T", 0, "x").code).collect();

        assert_eq!(codes, [code, code, 0], "{refusal:?}");
        assert_eq!(broker.node.messages().len(), 1);
    }
}

#[test]
fn statuses_are_answered_for_what_is_stored() {
    let statuses = [
        (Status::FlushDiskTimeout, 10),
        (Status::SlaveNotAvailable, 11),
        (Status::FlushSlaveTimeout, 12),
    ];
    for (status, code) in statuses {
        let mut broker = Direct::new(Broker::new(config()));
        broker.node.fault(Fault::StoredBut(status), Times::All);
        let got = send(&mut broker, "T", 0, "x");
        assert_eq!(
            (got.code, got.ext("queueOffset"), got.remark.as_deref()),
            (code, Some("0"), None)
        );
        assert_eq!(broker.node.messages().len(), 1);

        broker.node.clear_faults();
        assert_eq!(send(&mut broker, "T", 0, "x").code, 0);
    }
}

#[test]
fn answers_are_lost_doubled_and_misaddressed() {
    let (mut broker, conn, frame) = broken(Fault::NoAnswer);
    assert!(broker.receive(conn, &frame).is_empty());
    assert_eq!(broker.node.messages().len(), 1);

    let (mut broker, conn, frame) = broken(Fault::AnswerTwice);
    let sent = broker.receive(conn, &frame);
    assert_eq!(answers(&sent[0].1).len(), 2);
    assert_eq!(broker.node.messages().len(), 1);

    let (mut broker, conn, frame) = broken(Fault::WrongOpaque);
    let sent = broker.receive(conn, &frame);
    assert_ne!(answers(&sent[0].1)[0].opaque, 0);
    assert_eq!(broker.node.messages().len(), 1);
}

#[test]
fn connections_end_in_every_place() {
    let (mut broker, conn, frame) = broken(Fault::HalfAnswer);
    let sent = broker.receive(conn, &frame);
    assert!(!sent[0].1.is_empty() && answers(&sent[0].1).is_empty());
    assert_eq!((broker.closed.as_slice(), broker.node.messages().len()), ([conn].as_slice(), 1));

    let (mut broker, conn, frame) = broken(Fault::CloseAfterStoring);
    assert!(broker.receive(conn, &frame).is_empty());
    assert_eq!((broker.closed.as_slice(), broker.node.messages().len()), ([conn].as_slice(), 1));

    let (mut broker, conn, frame) = broken(Fault::CloseBeforeStoring);
    assert!(broker.receive(conn, &frame).is_empty());
    assert_eq!((broker.closed.as_slice(), broker.node.messages().len()), ([conn].as_slice(), 0));

    let (mut broker, conn, frame) = broken(Fault::Garbage);
    let sent = broker.receive(conn, &frame);
    assert!(answers(&sent[0].1).is_empty());
    assert!(broker.closed.is_empty());
}

#[test]
fn late_answers_leave_in_time() {
    let (mut broker, conn, frame) = broken(Fault::AnswerLate(Duration::from_secs(3)));
    assert!(broker.receive(conn, &frame).is_empty());
    assert_eq!(broker.node.messages().len(), 1);
    assert!(broker.pass(Duration::from_millis(2_999)).is_empty());
    assert_eq!(broker.pass(Duration::from_millis(1)).len(), 1);

    broker.node.delay_answers(Duration::from_millis(5));
    assert!(broker.receive(conn, &frame).is_empty());
    assert_eq!(broker.pass(Duration::from_millis(5)).len(), 1);
}

#[test]
fn a_slow_disk_takes_sends_one_by_one_and_refuses_those_that_wait_too_long() {
    let mut broker = Direct::new(Broker::new(config()));
    broker.node.slow_disk(Duration::from_millis(150));
    let conn = broker.connect();
    let request = send_request("T", 0);
    let frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
    for _ in 0..4 {
        assert!(broker.receive(conn, &frame).is_empty());
    }

    let sent = broker.pass(Duration::from_secs(1));

    // Starts at 0 and 150 ms; the others would wait for 300 ms and more.
    let codes: Vec<_> =
        sent.iter().flat_map(|(_, bytes)| answers(bytes)).map(|got| got.code).collect();
    assert_eq!(codes, [0, 2, 2, 0]);
    assert_eq!(broker.node.messages().len(), 2);
}

#[test]
fn a_frozen_broker_executes_everything_when_it_thaws() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    let request = send_request("T", 0);
    let frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
    broker.node.freeze();
    for _ in 0..3 {
        assert!(broker.receive(conn, &frame).is_empty());
    }
    assert!(broker.pass(Duration::from_secs(60)).is_empty());
    assert!(broker.node.messages().is_empty());

    let sent = broker.with(Broker::thaw);

    let all: Vec<_> = sent.iter().flat_map(|(_, bytes)| answers(bytes)).collect();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|got| got.code == 0));
    assert_eq!(broker.node.messages().len(), 3);
}

/// What a process has not read is in its machine's buffers, and stays there when the peer closes.
#[test]
fn a_frozen_broker_executes_what_a_peer_sent_before_it_left() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    let request = send_request("T", 0);
    let frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
    broker.node.freeze();
    broker.receive(conn, &frame);
    broker.with(|broker, now| broker.handle_closed(now, conn));

    let sent = broker.with(Broker::thaw);

    assert_eq!(broker.node.messages().len(), 1);
    assert_eq!(broker.node.connections(), 0);
    assert!(sent.iter().all(|(to, _)| *to == conn), "nobody else is answered");
}

#[test]
fn a_full_disk_refuses_and_a_missing_permission_does_not() {
    let mut broker = Direct::new(Broker::new(config()));
    broker.node.fill_disk(true);
    assert_eq!(send(&mut broker, "T", 0, "x").code, 14);
    broker.node.fill_disk(false);

    broker.with(|broker, now| broker.set_permission(now, 4));

    assert_eq!(send(&mut broker, "T", 0, "x").code, 0);
}

#[test]
fn only_clients_that_understand_it_are_told_to_go_away() {
    let (mut broker, conn, mut frame) = broken(Fault::Refuse(Refusal::GoAway));
    let at = frame.windows(13).position(|part| part == b"\"version\":493").unwrap();
    frame[at + 10..at + 13].copy_from_slice(b"409");

    let sent = broker.receive(conn, &frame);

    assert_eq!(answers(&sent[0].1)[0].code, 0);
}

#[test]
fn malformed_bytes_end_one_connection_and_nothing_else() {
    let (mut broker, conn, frame) = broken(Fault::NoAnswer);
    broker.node.clear_faults();
    let other = broker.connect();
    let half = frame.len() / 2;
    broker.receive(other, &frame[..half]);

    for bad in [&[0xff; 8][..], &[0, 0, 0, 9, 0, 0, 0, 5, b'{', b'{', 0, 0, 0]] {
        let conn = broker.connect();
        broker.closed.clear();
        assert!(broker.receive(conn, bad).is_empty());
        assert_eq!(broker.closed, [conn]);
        assert!(broker.receive(conn, &frame).is_empty());
    }

    assert_eq!(broker.receive(other, &frame[half..]).len(), 1);
    assert_eq!(broker.receive(conn, &frame).len(), 1);
    assert_eq!(broker.node.messages().len(), 2);
}

#[test]
fn bytes_may_come_one_by_one() {
    let (mut broker, conn, frame) = broken(Fault::AnswerTwice);
    let (last, first) = frame.split_last().unwrap();
    for byte in first {
        assert!(broker.receive(conn, &[*byte]).is_empty());
    }

    assert_eq!(broker.receive(conn, &[*last]).len(), 1);
}

#[test]
fn a_client_that_does_not_read_is_closed() {
    let small = BrokerConfig { out_bytes_max: 2_000, ..config() };
    let mut broker = Direct::new(Broker::new(small));
    let conn = broker.connect();
    let request = send_request("T", 0);
    let frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
    let many = frame.repeat(20);

    broker.receive(conn, &many);

    assert_eq!(broker.closed, [conn]);
}
