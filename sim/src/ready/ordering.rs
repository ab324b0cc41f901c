//! A caveat: what happens, which ways of sending lose order by it, and which keep it.

use super::{batches, broken, calm, routes};
use crate::plan::{Mode, Plan};

/// One caveat.
#[derive(Debug)]
pub struct Caveat {
    /// Its name.
    pub title: &'static str,
    /// What happens, and why.
    pub happens: &'static str,
    /// What is done in the runs.
    pub plan: &'static str,
    /// Ways of sending.
    pub ways: Vec<Way>,
    /// What to do about it.
    pub remedy: &'static str,
}

/// A way of sending, under the caveat's circumstances.
#[derive(Debug)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// What becomes of order.
    pub order: Order,
    /// What is run.
    pub plan: Plan,
    /// If workload 1 is the application's second try of a message, its number.
    pub repeats: Option<usize>,
}

/// What a way of sending is expected to do to the order of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Each key is in one queue, in the order it was sent.
    Kept,
    /// It is not, and nothing says so.
    Lost,
    /// Lost where the epochs of receipts differ, and kept among equal ones.
    Announced,
}

impl Way {
    pub(super) fn keeps(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Kept, plan, repeats: None }
    }

    pub(super) fn loses(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Lost, plan, repeats: None }
    }

    pub(super) fn announces(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Announced, plan, repeats: None }
    }

    /// How the first workload chooses its queues.
    pub fn mode(&self) -> Mode {
        self.plan.workloads[0].mode
    }
}

/// All caveats, in the order of the document.
pub fn all() -> Vec<Caveat> {
    vec![
        calm::rotation(),
        calm::two_producers(),
        broken::retry(),
        broken::asynchronous(),
        broken::lost_answer(),
        broken::fault_strategy(),
        batches::together(),
        routes::queue_count(),
        routes::master_lost(),
        routes::stale_route(),
        routes::handover(),
        routes::auto_create(),
        routes::promoted(),
    ]
}
