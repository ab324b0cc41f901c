//! Traces, while the broker that takes them is dead: sends do not notice.

use std::time::Duration;

use producer_native::{Producer, Stats, Trace};
use sim::model::broker::{BrokerConfig, TopicConfig};
use sim::world::{World, WorldBuilder};

use super::{TOPIC, cluster, message, ms};

const TRACES: &str = "RMQ_SYS_TRACE_TOPIC";
const RECORDS_MAX: usize = 50;

/// The usual cluster, and a broker of its own for traces.
fn traced(seed: u64) -> WorldBuilder {
    let only_traces = |config: &mut BrokerConfig| {
        config.auto_create_topics = false;
        config.topics = vec![(TRACES.to_owned(), TopicConfig::queues(2))];
    };
    cluster(seed).broker("broker-t", only_traces)
}

fn tracing(world: &World) -> Producer {
    let trace = Trace { records_max: RECORDS_MAX, ..Trace::default() };
    world.producer("shop").trace(trace).build().expect("a valid configuration")
}

/// Sends so many, ten at a time, and says how long the slowest ten took.
async fn send(world: &World, producer: &Producer, count: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for tens in 0..count / 10 {
        let begun = world.elapsed();
        let messages = (0..10).map(|n| message(format!("{tens}{n}")));
        for sent in producer.send_all(messages).await {
            sent.expect("its brokers are well");
        }
        longest = longest.max(world.elapsed() - begun);
    }
    longest
}

/// Records in the trace topic, each with a line of its own.
fn records(world: &World) -> usize {
    let stored = world.broker("broker-t").messages(TRACES);
    stored.iter().map(|one| one.body.iter().filter(|&&byte| byte == 2).count()).sum()
}

/// The planted bug `TracesUnbounded` makes this fail.
#[test]
pub(crate) fn sends_do_not_notice_that_nobody_takes_their_traces() {
    for (seed, power) in [(100, false), (101, true)] {
        traced(seed).run(move |world| async move {
            let producer = tracing(&world);
            let calm = send(&world, &producer, 200).await;
            let broker = world.broker("broker-t");
            match power {
                false => broker.kill().await,
                true => broker.lose_power().await,
            }

            let longest = send(&world, &producer, 2_000).await;
            let stats = producer.stats();
            let found = format!("power lost: {power}, {longest:?} after {calm:?}, {stats:?}");
            assert_eq!((stats.stored, stats.retries, stats.in_hand), (2_200, 0, 0), "{found}");
            assert!(longest <= calm.max(ms(15)), "sends are not delayed: {found}");
            let Stats { traces, traces_dropped, .. } = stats;
            let waiting = 2_200 - traces - traces_dropped;
            // Those that wait, and 32 messages of ten that are under way.
            assert!(waiting <= RECORDS_MAX as u64 + 320, "{waiting} wait: {found}");
            assert!(traces_dropped >= 1_000, "{found}");

            broker.start().await;
            world.pass(Duration::from_secs(40)).await;
            send(&world, &producer, 100).await;
            world.pass(Duration::from_secs(10)).await;
            let stats = producer.stats();
            let (sum, found) = (stats.traces + stats.traces_dropped, format!("{stats:?}"));
            assert_eq!(sum, 2_300, "each is told or counted: {found}");
            assert!(stats.traces >= traces + 100, "they are taken again: {found}");
            // Whose answer was lost with the power may be there all the same.
            let there = records(&world) as u64;
            assert!(there >= stats.traces, "{there} are there: {found}");
            assert_eq!(world.broker("broker-t").messages(TOPIC).len(), 0);
        });
    }
}
