//! Faults of topics, queues and order configurations.

use super::*;
use sim::model::broker::Why;

#[test]
fn a_queue_that_is_not_to_be_written_any_more_refuses_nothing() {
    let kind = FaultKind::WriteQueues { count: 1 };
    let mut plan = with(plan(), 1_000, 3_000, "broker-0", kind);
    plan.config.overrides.route_poll_ms = Some(500);

    let run = run(&plan);

    assert_eq!(failed(&run), 0);
    let beyond =
        |from, to| asked(&run, BROKER_0, from, to).iter().filter(|r| r.queue_id > 0).count();
    assert!(beyond(1_000, 1_500) > 0, "until the route is known");
    assert_eq!(beyond(1_700, 3_000), 0);
    assert!(run.history.requests.iter().all(|r| r.answer.is_none_or(|(_, code)| code == 0)));
}

#[test]
fn the_queues_of_an_ordered_topic_are_those_of_its_configuration() {
    let mut plan = with(plan(), 1_000, 3_000, "broker-0", FaultKind::OrderConf { queues: 2 });
    plan.cluster.topics[0].order = Some("broker-0:4;broker-1:4".to_owned());
    plan.config.overrides.route_poll_ms = Some(500);

    let run = run(&plan);

    assert_eq!(failed(&run), 0);
    let used = |from, to| asked(&run, BROKER_0, from, to).iter().map(|r| r.queue_id).max();
    assert_eq!(used(0, 1_000), Some(3));
    assert_eq!(used(1_700, 3_000), Some(1));
}

#[test]
fn a_topic_that_is_deleted_takes_its_messages_with_it() {
    let kind = FaultKind::DeleteTopic { topic: 0 };
    let run = run(&with(plan(), 1_000, 500, "cluster", kind));

    let cuts = &run.history.cuts;
    assert!(cuts.len() > 150, "{}", cuts.len());
    assert!(cuts.iter().all(|cut| cut.why == Why::TopicDeleted));
    let starts = run.history.stored.iter().filter(|stored| stored.message.queue_offset == 0);
    assert_eq!(starts.count(), 8, "each queue begins anew");
    assert!(failed(&run) > 0, "nobody takes a send meanwhile");
}

#[test]
fn a_topic_that_sends_bring_about_grows_from_broker_to_broker() {
    let mut plan = plan();
    plan.cluster.topics[0].queues = Vec::new();
    plan.cluster.auto_create_topics = true;
    plan.config.overrides.auto_create_topics = Some(true);

    let run = run(&plan);

    assert_eq!(failed(&run), 0);
    assert!(!asked(&run, BROKER_0, 0, 4_000).is_empty());
    assert!(!asked(&run, BROKER_1, 0, 4_000).is_empty());
}
