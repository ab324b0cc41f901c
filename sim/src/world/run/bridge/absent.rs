//! Without the feature `bridge` no plan has one.

use std::rc::Rc;

use producer_native::Builder;

use super::super::Stage;
use super::super::board::Shared;
use crate::plan::Plan;
use crate::world::trace::Trace;

/// Nothing is one.
pub(in super::super) enum Host {}

impl Host {
    /// # Panics
    /// When the plan has a bridge.
    pub(in super::super) fn settle(
        _: &mut turmoil::Sim<'static>,
        plan: &Plan,
        _: &Shared,
        _: &Trace,
        _: std::time::Duration,
    ) -> Option<Rc<Self>> {
        assert!(plan.bridge.is_none(), "built without the feature `bridge`");
        None
    }

    pub(super) fn outage(&self, _: bool) {
        match *self {}
    }

    pub(super) fn drain(&self, _: bool) {
        match *self {}
    }
}

/// The producer, connected directly.
pub(in super::super) fn through(builder: Builder, _: &Stage, _: usize) -> Builder {
    builder
}
