//! A send has a span with the attributes of the semantic conventions, and its message carries the
//! context of whoever sends it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use producer_native::{Batch, FrameHook, SeenFrame};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::common::{Cluster, message, soon};

/// Fields of spans by number.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<BTreeMap<u64, BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Collected {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "rocketmq_producer"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().expect("sound");
        let id = spans.len() as u64 + 1;
        let fields = spans.entry(id).or_default();
        attributes.record(&mut Fields(fields));
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, record: &Record<'_>) {
        let mut spans = self.0.lock().expect("sound");
        record.record(&mut Fields(spans.entry(id.into_u64()).or_default()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The properties of sends as they are on the wire.
#[derive(Clone, Default)]
struct Properties(Arc<Mutex<Vec<String>>>);

impl FrameHook for Properties {
    fn sent(&self, frame: &SeenFrame<'_>) {
        let header = frame.header().expect("our header");
        if header.code == 320 {
            self.0.lock().expect("sound").push(String::from_utf8_lossy(frame.body()).into_owned());
        } else if let Some(text) = header.ext.get("i") {
            self.0.lock().expect("sound").push(text.to_cow().into_owned());
        }
    }
}

const PARENT: &str = "traceparent\u{1}00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\u{2}";

#[tokio::test]
async fn a_send_has_a_span_and_its_message_the_callers_context() {
    let (collected, properties) = (Collected::default(), Properties::default());
    let _subscriber = tracing::subscriber::set_default(collected.clone());
    let cluster = Cluster::tcp(1).await;
    let builder = cluster.builder().open_telemetry().frame_hook(properties.clone());
    let producer = builder.build().expect("ok");

    soon(producer.send(message("nobody's"))).await.expect("stored");
    let state = TraceState::from_key_value([("vendor", "v")]).expect("a state");
    let trace = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").expect("an id");
    let span = SpanId::from_hex("00f067aa0ba902b7").expect("an id");
    let remote = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state);
    let ticket = {
        let _current = Context::new().with_remote_span_context(remote.clone()).attach();
        let keyed = message("caused").keys(["k-1"]).expect("keys");
        producer.enqueue(keyed)
    };
    let receipt = soon(ticket).await.expect("stored");
    let batch = {
        let _current = Context::new().with_remote_span_context(remote).attach();
        let batch = Batch::new([message("a"), message("b")]).expect("valid");
        let mut sending = Box::pin(producer.send_batch(batch));
        // The context is that of the first poll.
        std::future::poll_fn(|cx| {
            let _begun = sending.as_mut().poll(cx);
            std::task::Poll::Ready(())
        })
        .await;
        sending
    };
    let _end = soon(batch).await;

    let sent = properties.0.lock().expect("sound").clone();
    assert!(!sent[0].contains("traceparent"), "there was no context: {}", sent[0]);
    assert!(sent[1].contains(PARENT), "{}", sent[1]);
    assert!(sent[1].contains("tracestate\u{1}vendor=v\u{2}"), "{}", sent[1]);
    assert_eq!(sent[2].matches(PARENT).count(), 2, "each message of a batch: {}", sent[2]);

    let spans = collected.0.lock().expect("sound").clone();
    assert_eq!(spans.len(), 3);
    let caused = &spans[&2];
    let expected = [
        ("otel.kind", "producer"),
        ("messaging.system", "rocketmq"),
        ("messaging.operation.type", "send"),
        ("messaging.message.id", receipt.message_id.as_str()),
        ("messaging.message.body.size", "6"),
        ("messaging.rocketmq.message.keys", "k-1"),
    ];
    for (name, value) in expected {
        assert_eq!(caused.get(name).map(String::as_str), Some(value), "{name} of {caused:?}");
    }
    assert!(caused["otel.name"].starts_with("send "), "{caused:?}");
    assert!(caused.contains_key("messaging.destination.name"));
    assert_eq!(spans[&3]["messaging.batch.message_count"], "2");
}

#[tokio::test]
async fn a_span_of_a_failed_send_says_why() {
    let collected = Collected::default();
    let _subscriber = tracing::subscriber::set_default(collected.clone());
    let cluster = Cluster::tcp(1).await;
    let builder = cluster.builder().open_telemetry();
    let producer = builder.configure(|config| config.message_bytes_max = 4).build().expect("ok");

    soon(producer.send(message("too long"))).await.expect_err("it is too long");

    let spans = collected.0.lock().expect("sound").clone();
    assert_eq!(spans[&1]["error.type"], "message_too_large");
    assert_eq!(spans[&1]["otel.status_code"], "ERROR");
}
