//! Who looks on, as a builder is told.

use std::sync::Arc;

use super::Builder;
use crate::hooks::{FrameHook, SendHook};

/// Those who look on. Without any, sends cost one branch more.
impl Builder {
    /// Calls `hook` around every send, after those that were added before. May be called many
    /// times.
    pub fn hook(mut self, hook: impl SendHook) -> Self {
        self.hooks.add(Arc::new(hook));
        self
    }

    /// Gives counters, gauges and a histogram to the `metrics` facade; [`Metrics`] names them.
    /// Default: no. A recorder has to be installed before the producer is built.
    ///
    /// [`Metrics`]: crate::Metrics
    #[cfg(feature = "metrics")]
    pub fn metrics(mut self, metrics: crate::Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Makes a span for every send and has messages carry the W3C trace context: see
    /// [`OpenTelemetry`](crate::OpenTelemetry). Default: no.
    #[cfg(feature = "opentelemetry")]
    pub fn open_telemetry(self) -> Self {
        self.hook(crate::OpenTelemetry::default())
    }

    /// Shows every frame to `hook`, after those that were added before. May be called many times.
    pub fn frame_hook(mut self, hook: impl FrameHook) -> Self {
        self.hooks.add_frames(Arc::new(hook));
        self
    }
}
