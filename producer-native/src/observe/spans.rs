//! Who caused a message, and how long it took, in the terms of OpenTelemetry.

use std::fmt::Write;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing::field::Empty;

use crate::hooks::{Outgoing, SendEnd, SendHook, SendReport};

/// A hook that makes a span for every send and has the message carry the W3C context of whoever
/// sends it. Added by [`Builder::open_telemetry`](crate::Builder::open_telemetry).
///
/// **Context**: the properties `traceparent` and `tracestate` are set from the OpenTelemetry
/// context that is current where the send begins, unless there is none. With `tracing-opentelemetry`
/// 0.32 and later that is the context of our span, which it makes current when the span is entered;
/// with the `opentelemetry` crate alone it is the context of the caller.
///
/// **Span**: by `tracing`, target `rocketmq_producer`, name `send`, level INFO, with the attributes
/// of the semantic conventions for messaging: `otel.name`, `otel.kind`, `messaging.system`,
/// `messaging.operation.name`, `messaging.operation.type`, `messaging.destination.name`,
/// `messaging.client.id` where it is set, `messaging.rocketmq.producer_group`,
/// `messaging.batch.message_count`, `messaging.message.body.size`, and when it has ended
/// `messaging.message.id`, `messaging.rocketmq.message.keys` of a single message, `error.type` and
/// `otel.status_code`. Messages of a batch share one span and one context.
#[derive(Clone, Debug, Default)]
pub struct OpenTelemetry {
    _more_to_come: (),
}

impl SendHook for OpenTelemetry {
    fn before(&self, send: &mut Outgoing<'_>) {
        let span = span(send);
        {
            let _inside = span.enter();
            inject(send);
        }
        send.keep(span);
    }

    fn after(&self, send: &SendReport<'_>) {
        let Some(span) = send.kept::<Span>() else { return };
        match send.end() {
            SendEnd::Stored(receipts) => {
                if let [receipt] = &receipts[..] {
                    span.record("messaging.message.id", receipt.message_id.as_str());
                }
            }
            SendEnd::Written(id) => {
                span.record("messaging.message.id", id.as_str());
            }
            SendEnd::Failed(error) => {
                if let Some(id) = error.message_id() {
                    span.record("messaging.message.id", id.as_str());
                }
                span.record("error.type", error.kind().code());
                span.record("otel.status_code", "ERROR");
            }
            SendEnd::GivenUp => {
                span.record("error.type", "cancelled");
            }
            SendEnd::Replied => {}
        }
    }
}

fn span(send: &Outgoing<'_>) -> Span {
    let messages = send.messages();
    let topic = messages[0].topic().as_str();
    let span = tracing::info_span!(
        target: "rocketmq_producer",
        "send",
        otel.name = format_args!("send {topic}"),
        otel.kind = "producer",
        otel.status_code = Empty,
        messaging.system = "rocketmq",
        messaging.operation.name = "send",
        messaging.operation.r#type = "send",
        messaging.destination.name = topic,
        messaging.rocketmq.producer_group = send.group(),
        messaging.rocketmq.message.keys = Empty,
        messaging.batch.message_count = Empty,
        messaging.message.body.size = Empty,
        messaging.message.id = Empty,
        error.r#type = Empty,
    );
    match messages {
        [message] => {
            span.record("messaging.message.body.size", message.body().len());
            if let Some(keys) = message.property("KEYS") {
                span.record("messaging.rocketmq.message.keys", keys);
            }
        }
        many => {
            span.record("messaging.batch.message_count", many.len());
        }
    }
    span
}

/// Has the message carry the current context (W3C Trace Context, version 00).
fn inject(send: &mut Outgoing<'_>) {
    let context = Context::current();
    let current = context.span();
    let carried = current.span_context();
    if !carried.is_valid() {
        return;
    }
    let mut parent = String::with_capacity(55);
    let flags = carried.trace_flags().to_u8();
    // Writing to a string does not fail.
    let _infallible = write!(parent, "00-{}-{}-{flags:02x}", carried.trace_id(), carried.span_id());
    // A message without room for it is sent all the same.
    let _no_room = send.set_property("traceparent", &parent);
    let state = carried.trace_state().header();
    if !state.is_empty() {
        let _no_room = send.set_property("tracestate", &state);
    }
}
