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

    /// Shows every frame to `hook`, after those that were added before. May be called many times.
    pub fn frame_hook(mut self, hook: impl FrameHook) -> Self {
        self.hooks.add_frames(Arc::new(hook));
        self
    }
}
