//! Figures reach the `metrics` facade under the names that are documented.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use producer_native::Metrics;

use crate::common::{Cluster, message, soon, until};

/// Keeps the last value of each figure, and of histograms how many there were.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<String, f64>>>);

struct One(Kept, String);

impl One {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        let mut figures = self.0.0.lock().expect("sound");
        change(figures.entry(self.1.clone()).or_default());
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.change(|figure| *figure += value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|figure| *figure = figure.max(value as f64));
    }
}

impl GaugeFn for One {
    fn increment(&self, value: f64) {
        self.change(|figure| *figure += value);
    }

    fn decrement(&self, value: f64) {
        self.change(|figure| *figure -= value);
    }

    fn set(&self, value: f64) {
        self.change(|figure| *figure = value);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value), "{value} s");
        self.change(|figure| *figure += 1.0);
    }
}

impl Kept {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        Arc::new(One(self.clone(), format!("{}{{{labels}}}", key.name())))
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.0.lock().expect("sound").get(name).copied()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

const SOURCE: &str = include_str!("../../src/observe/figures.rs");

#[tokio::test]
async fn figures_are_given_under_their_documented_names() {
    let kept = Kept::default();
    metrics::set_global_recorder(kept.clone()).expect("the only one of this process");
    let cluster = Cluster::tcp(1).await;
    let often = Metrics::default().interval(Duration::from_millis(100));
    let producer = cluster.builder().metrics(often).build().expect("ok");

    for n in 0..5 {
        soon(producer.send(message(n.to_string()))).await.expect("stored");
    }
    soon(producer.send_oneway(message("x"))).await.expect("written");
    soon(producer.close(Duration::from_secs(1))).await;
    let group = kept.0.lock().expect("sound").keys().next().cloned().expect("a figure");
    let group = group.split("group=").nth(1).and_then(|rest| rest.split([',', '}']).next());
    let group = group.expect("a label").to_owned();
    let sends = format!("rocketmq_producer_sends_total{{group={group},outcome=stored}}");
    until(|| kept.value(&sends) == Some(5.0)).await;

    let plain = |name: &str| kept.value(&format!("rocketmq_producer_{name}{{group={group}}}"));
    assert_eq!(plain("accepted_total"), Some(6.0));
    assert_eq!(plain("body_bytes_total"), Some(6.0));
    assert_eq!(plain("in_hand"), Some(0.0));
    let times = "rocketmq_producer_send_seconds";
    let stored = format!("{times}{{group={group},kind=message,outcome=stored}}");
    assert_eq!(kept.value(&stored), Some(5.0));
    // Every name that was given is in the table of the documentation, and the other way round.
    let names: std::collections::BTreeSet<String> = {
        let figures = kept.0.lock().expect("sound");
        figures.keys().filter_map(|key| key.split('{').next()).map(String::from).collect()
    };
    let documented = SOURCE.lines().filter_map(|line| line.strip_prefix("/// | `"));
    let documented: std::collections::BTreeSet<String> =
        documented.filter_map(|line| line.split('`').next()).map(String::from).collect();
    assert_eq!(names, documented);
}
