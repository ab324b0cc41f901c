//! Which plans are ready to be run?

use serde::Serialize;
use sim::plan::Plan;
use sim::ready::ordering::Order;
use sim::ready::{failover, ordering};

/// A ready plan, in one way or several.
#[derive(Serialize)]
pub(crate) struct Ready {
    /// `ordering` or `failover`.
    group: &'static str,
    /// Within failover, the sort of fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    sort: Option<&'static str>,
    name: &'static str,
    /// What is done in the runs.
    what: &'static str,
    /// What happens and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
    ways: Vec<Way>,
}

/// A way of sending.
#[derive(Serialize)]
struct Way {
    name: &'static str,
    /// What becomes of order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'static str>,
    plan: Plan,
}

pub(crate) fn all() -> Vec<Ready> {
    let caveats = ordering::all().into_iter().map(|caveat| Ready {
        group: "ordering",
        sort: None,
        name: caveat.title,
        what: caveat.plan,
        why: Some(caveat.happens),
        remedy: Some(caveat.remedy),
        ways: caveat.ways.into_iter().map(way).collect(),
    });
    let groups = failover::groups().into_iter();
    let faults = groups.flat_map(|group| group.faults.into_iter().map(move |f| (group.title, f)));
    let faults = faults.map(|(sort, fault)| Ready {
        group: "failover",
        sort: Some(sort),
        name: fault.name,
        what: fault.what,
        why: fault.worse,
        remedy: None,
        ways: vec![Way { name: "rotation", order: None, plan: fault.plan }],
    });
    caveats.chain(faults).collect()
}

fn way(way: ordering::Way) -> Way {
    let order = match way.order {
        Order::Kept => "kept",
        Order::Lost => "lost",
        Order::Announced => "announced",
    };
    Way { name: way.name, order: Some(order), plan: way.plan }
}
