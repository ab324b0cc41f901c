//! Where is the plan in what a failed test wrote?

use serde::Serialize;
use sim::plan::Plan;

use crate::limits;

/// What was found.
#[derive(Serialize)]
pub(crate) struct Opened {
    /// The plan.
    plan: Plan,
    /// The trace hash that the text names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

/// Tries at most so many braces: a plan is not far behind where objects begin.
const TRIES_MAX: usize = 20_000;

pub(crate) fn find(text: &str) -> Result<Opened, String> {
    let whole = match Plan::from_json(text) {
        Ok(plan) => return opened(plan, text),
        Err(error) => error,
    };
    // Debug output and strings of JSON have quotes escaped.
    let unescaped = text.replace("\\n", "\n").replace("\\\"", "\"");
    [text, &*unescaped].into_iter().find_map(within).map_or_else(
        || match text.trim_start().starts_with('{') {
            // Most likely it was meant to be a plan, so what is wrong with it is of interest.
            true => Err(whole.to_string()),
            false => Err("no plan in this text: none of its { } is a whole one".to_owned()),
        },
        |plan| opened(plan, text),
    )
}

fn within(text: &str) -> Option<Plan> {
    text.match_indices('{').take(TRIES_MAX).find_map(|(at, _)| {
        // Only objects that begin like a plan, since each try reads to where it fails.
        let rest = text[at + 1..].trim_start();
        if !rest.starts_with("\"version\"") {
            return None;
        }
        let plan = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Plan>().next()?;
        // Whether its parts fit together is asked where all plans are read.
        Plan::from_json(&plan.ok()?.to_json()).ok()
    })
}

fn opened(plan: Plan, text: &str) -> Result<Opened, String> {
    limits::check(&plan)?;
    Ok(Opened { plan, hash: hash(text) })
}

/// `sim run` says "trace" and 16 digits; pages have them as "hash".
fn hash(text: &str) -> Option<String> {
    let named = ["trace ", "\"hash\":\"", "\"hash\": \""];
    named.iter().find_map(|name| {
        let mut places = text.match_indices(name);
        places.find_map(|(at, _)| {
            let digits: String =
                text[at + name.len()..].chars().take_while(char::is_ascii_hexdigit).collect();
            (digits.len() == 16).then_some(digits)
        })
    })
}
