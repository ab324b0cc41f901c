//! Models of an Apache RocketMQ name server and broker, an embedded cluster made of them, and a
//! simulator of producers among them.
//!
//! [`model`] holds the models: sans-IO, deterministic, for tests in virtual time. [`serve`] puts
//! them on real TCP. A [`plan`] says what happens in a simulated run, [`pair`] executes it in
//! virtual time, [`check`] judges its [`history`]. The feature `world` puts models and the real
//! producer on a simulated network.
//!
//! What needs a runtime is behind the features `serve` and `world`; the rest compiles for the
//! browser, too.

/// Notes that a model took a decision; nothing without the feature `marks`.
#[cfg(feature = "marks")]
macro_rules! reached {
    ($mark:ident) => {
        $crate::marks::model::reach($crate::marks::model::Mark::$mark)
    };
}

#[cfg(not(feature = "marks"))]
macro_rules! reached {
    ($mark:ident) => {{}};
}

pub mod check;
pub mod dice;
pub mod events;
pub mod explore;
pub mod history;
pub mod html;
pub mod ledger;
#[cfg(feature = "marks")]
pub mod marks;
pub mod model;
pub mod pair;
pub mod plan;
pub mod ready;
pub mod scale;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shrink;
pub mod timeline;
#[cfg(feature = "world")]
pub mod world;
