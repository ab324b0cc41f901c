//! Figures for the `metrics` facade: whoever runs the service chooses where they go.
//!
//! That facade because it is the one that most exporters know, has one small dependency, and costs
//! an atomic addition a figure once a recorder is installed, and next to nothing without one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};
use producer_core::Stats;

use crate::door::Shared;
use crate::hooks::{SendEnd, SendHook, SendKind, SendReport};

/// Which figures a producer gives to the `metrics` facade, and how often. Made by
/// [`Metrics::default`], taken by [`Builder::metrics`](crate::Builder::metrics).
///
/// | name | kind | what |
/// |---|---|---|
/// | `rocketmq_producer_sends_total` | counter | sends ended, by `outcome`: `stored`, `written`, `not_sent`, `rejected`, `unknown`, `cancelled` |
/// | `rocketmq_producer_accepted_total` | counter | sends accepted |
/// | `rocketmq_producer_attempts_total` | counter | attempts begun |
/// | `rocketmq_producer_retries_total` | counter | attempts that failed and were followed by another |
/// | `rocketmq_producer_retries_refused_total` | counter | retries that the budget did not allow |
/// | `rocketmq_producer_late_responses_total` | counter | answers after their request was given up |
/// | `rocketmq_producer_connects_total` | counter | connections begun |
/// | `rocketmq_producer_connection_failures_total` | counter | connections that ended by failure |
/// | `rocketmq_producer_route_requests_total` | counter | questions for routes |
/// | `rocketmq_producer_route_changes_total` | counter | routes that differ from the one before |
/// | `rocketmq_producer_ejections_total` | counter | brokers taken out of rotation |
/// | `rocketmq_producer_checks_total` | counter | transaction checks |
/// | `rocketmq_producer_late_replies_total` | counter | replies that nobody waited for |
/// | `rocketmq_producer_heartbeats_total` | counter | heartbeats sent |
/// | `rocketmq_producer_traces_total` | counter | records in the trace topic |
/// | `rocketmq_producer_traces_dropped_total` | counter | records of traces that were lost |
/// | `rocketmq_producer_in_hand` | gauge | sends in hand |
/// | `rocketmq_producer_waiting` | gauge | sends waiting for room |
/// | `rocketmq_producer_bytes_in_hand` | gauge | bytes in hand, as `Config::bytes_max` counts |
/// | `rocketmq_producer_in_flight` | gauge | requests waiting for an answer |
/// | `rocketmq_producer_connections` | gauge | connections |
/// | `rocketmq_producer_send_seconds` | histogram | from the call to its end, by `kind` and `outcome` (`stored`, `written`, `replied`, `failed`) |
/// | `rocketmq_producer_body_bytes_total` | counter | bytes of bodies of sends that did not fail |
///
/// Each has the label `group`. Counters and gauges are given once an interval and at a last look
/// when the producer is closed; the histogram at each send.
#[derive(Clone, Debug)]
pub struct Metrics {
    interval: Duration,
}

impl Default for Metrics {
    /// Counters and gauges every ten seconds.
    fn default() -> Self {
        Self { interval: Duration::from_secs(10) }
    }
}

impl Metrics {
    /// Gives counters and gauges so often; a tenth of a second at the least.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(100));
        self
    }

    /// Gives counters and gauges until the producer is closed or dropped.
    pub(crate) async fn run(self, shared: Weak<Shared>, group: String) {
        let figures = Figures::new(&group);
        let mut ticks = tokio::time::interval(self.interval);
        loop {
            ticks.tick().await;
            let Some(shared) = shared.upgrade() else { return };
            let (stats, closed) = {
                let state = shared.peek();
                (state.core.stats(), state.closed.is_some())
            };
            figures.show(&stats);
            if closed {
                return;
            }
        }
    }
}

type CounterOf = fn(&Stats) -> u64;
type GaugeOf = fn(&Stats) -> usize;

const COUNTERS: [(&str, CounterOf); 15] = [
    ("rocketmq_producer_accepted_total", |stats| stats.accepted),
    ("rocketmq_producer_attempts_total", |stats| stats.attempts),
    ("rocketmq_producer_retries_total", |stats| stats.retries),
    ("rocketmq_producer_retries_refused_total", |stats| stats.retries_refused),
    ("rocketmq_producer_late_responses_total", |stats| stats.late_responses),
    ("rocketmq_producer_connects_total", |stats| stats.connects),
    ("rocketmq_producer_connection_failures_total", |stats| stats.connection_failures),
    ("rocketmq_producer_route_requests_total", |stats| stats.route_requests),
    ("rocketmq_producer_route_changes_total", |stats| stats.route_changes),
    ("rocketmq_producer_ejections_total", |stats| stats.ejections),
    ("rocketmq_producer_checks_total", |stats| stats.checks),
    ("rocketmq_producer_late_replies_total", |stats| stats.late_replies),
    ("rocketmq_producer_heartbeats_total", |stats| stats.heartbeats),
    ("rocketmq_producer_traces_total", |stats| stats.traces),
    ("rocketmq_producer_traces_dropped_total", |stats| stats.traces_dropped),
];

const OUTCOMES: [(&str, CounterOf); 6] = [
    ("stored", |stats| stats.stored),
    ("written", |stats| stats.written),
    ("not_sent", |stats| stats.not_sent),
    ("rejected", |stats| stats.rejected),
    ("unknown", |stats| stats.unknown),
    ("cancelled", |stats| stats.cancelled),
];

const GAUGES: [(&str, GaugeOf); 5] = [
    ("rocketmq_producer_in_hand", |stats| stats.in_hand),
    ("rocketmq_producer_waiting", |stats| stats.waiting_for_room),
    ("rocketmq_producer_bytes_in_hand", |stats| stats.bytes_in_hand),
    ("rocketmq_producer_in_flight", |stats| stats.requests_in_flight),
    ("rocketmq_producer_connections", |stats| stats.connections),
];

/// Counters and gauges, looked up once.
struct Figures {
    counters: Vec<(Counter, CounterOf)>,
    gauges: Vec<(Gauge, GaugeOf)>,
}

impl Figures {
    fn new(group: &str) -> Self {
        let own = || vec![Label::new("group", group.to_owned())];
        let with = |outcome: &'static str| [own(), vec![Label::new("outcome", outcome)]].concat();
        let plain = COUNTERS.map(|(name, value)| (counter!(name, own()), value));
        let name = "rocketmq_producer_sends_total";
        let ended = OUTCOMES.map(|(outcome, value)| (counter!(name, with(outcome)), value));
        Self {
            counters: plain.into_iter().chain(ended).collect(),
            gauges: GAUGES.map(|(name, value)| (gauge!(name, own()), value)).into(),
        }
    }

    fn show(&self, stats: &Stats) {
        for (counter, value) in &self.counters {
            counter.absolute(value(stats));
        }
        for (gauge, value) in &self.gauges {
            gauge.set(value(stats) as f64);
        }
    }
}

/// Times every send.
pub(crate) struct Times {
    group: Arc<str>,
}

impl Times {
    pub(crate) fn new(group: &str) -> Self {
        Self { group: group.into() }
    }

    fn histogram(&self, kind: &'static str, outcome: &'static str) -> Histogram {
        let group = self.group.clone();
        let name = "rocketmq_producer_send_seconds";
        histogram!(name, "group" => group, "kind" => kind, "outcome" => outcome)
    }
}

impl SendHook for Times {
    fn after(&self, send: &SendReport<'_>) {
        let outcome = match send.end() {
            SendEnd::Stored(_) => "stored",
            SendEnd::Written(_) => "written",
            SendEnd::Replied => "replied",
            SendEnd::Failed(_) => "failed",
            SendEnd::GivenUp => return,
        };
        self.histogram(kind_name(send.kind()), outcome).record(send.elapsed());
        if outcome != "failed" {
            let group = self.group.clone();
            let bytes = counter!("rocketmq_producer_body_bytes_total", "group" => group);
            bytes.increment(send.body_bytes() as u64);
        }
    }
}

fn kind_name(kind: SendKind) -> &'static str {
    match kind {
        SendKind::Message => "message",
        SendKind::OneWay => "one_way",
        SendKind::Batch => "batch",
        SendKind::Half => "half",
        SendKind::Request => "request",
        SendKind::Reply => "reply",
    }
}
