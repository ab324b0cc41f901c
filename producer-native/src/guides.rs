//! The examples of the guides in `docs`, compiled.

#[doc = include_str!("../docs/migrate-from-go.md")]
struct FromGo;

#[doc = include_str!("../docs/migrate-from-java.md")]
struct FromJava;

#[doc = include_str!("../docs/migrate-from-rocketmq-client-rust.md")]
struct FromRust;

#[doc = include_str!("../docs/operations.md")]
struct Operations;

#[doc = include_str!("../docs/ordering.md")]
struct Ordering;

#[doc = include_str!("../docs/outcomes.md")]
struct Outcomes;

#[doc = include_str!("../docs/troubleshooting.md")]
struct Troubleshooting;
