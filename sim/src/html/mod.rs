//! How does a run look? One page that needs nothing but itself: a lane for each host, an arc for
//! each frame, bands where something was broken, and what each event says.

mod pack;

use serde_json::{Value, json};

use crate::check::Violation;
use crate::events::{self, Event, What};
use crate::pair::Run;
use pack::Packed;

/// The page of a run that kept its events.
pub fn page(run: &Run) -> String {
    let packed = Packed::new(run);
    let meta = meta(run, &packed).to_string();
    // A tag within a string of the data could end the script that holds it.
    let meta = meta.replace('<', "\\u003c");
    let title = title(run);
    include_str!("page.html")
        .replace("@title@", &title)
        .replace("@style@", include_str!("page.css"))
        .replace("@meta@", &meta)
        .replace("@events@", &packed.base64())
        .replace("@decode@", include_str!("decode.js"))
        .replace("@draw@", include_str!("draw.js"))
        .replace("@page@", include_str!("page.js"))
}

fn title(run: &Run) -> String {
    let plan = &run.history.plan;
    let count = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    let (faults, sends) =
        (plan.faults.len(), run.history.sends.iter().filter(|s| !s.probe).count());
    let wrong = run.violations.len();
    let (faults, sends) = (count(faults, "fault"), count(sends, "send"));
    format!("Seed {}: {faults}, {sends}, {}", plan.seed, count(wrong, "violation"))
}

fn meta(run: &Run, packed: &Packed) -> Value {
    let plan = &run.history.plan;
    let violations = run.violations.iter().map(|violation| {
        json!({
            "id": violation.invariant.id(),
            "name": format!("{:?}", violation.invariant),
            "what": violation.what,
            "event": event_of(run, violation),
        })
    });
    let faults = plan.faults.iter().map(|fault| {
        let kind = serde_json::to_value(fault.kind).expect("string keys only");
        json!({ "target": fault.target, "kind": kind["kind"], "more": kind })
    });
    json!({
        "hash": format!("{:016x}", run.hash),
        "hosts": events::hosts(plan),
        "producers": plan.producers(),
        "end_us": run.simulated.as_micros() as u64,
        "run_us": plan.run_ms * 1_000,
        "violations": violations.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "texts": packed.texts(),
        "plan": plan,
    })
}

/// The event that a violation is about, as far as its text tells: how a send ended, or what
/// happened at a time.
fn event_of(run: &Run, violation: &Violation) -> Option<usize> {
    let after = |word: &str| {
        let rest = violation.what.split(word).nth(1)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    if let Some(send) = after("send ").or_else(|| after("sends ")) {
        let about = |event: &&Event| match event.what {
            What::Asked(ticket) | What::Ended(ticket, _) => ticket == send,
            _ => false,
        };
        let last = run.events.iter().rfind(about);
        return last.and_then(|last| run.events.iter().position(|event| std::ptr::eq(event, last)));
    }
    let ms = after("at ")?;
    let later = run.events.iter().position(|event| event.at.as_millis() >= ms);
    later.or_else(|| run.events.len().checked_sub(1))
}
