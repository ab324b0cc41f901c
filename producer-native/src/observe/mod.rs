//! What do those who run a service want to see of its producers? Off unless asked for.

#[cfg(feature = "metrics")]
mod figures;
#[cfg(feature = "opentelemetry")]
mod spans;

#[cfg(feature = "metrics")]
pub use figures::Metrics;
#[cfg(feature = "metrics")]
pub(crate) use figures::Times;
#[cfg(feature = "opentelemetry")]
pub use spans::OpenTelemetry;
