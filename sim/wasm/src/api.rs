//! What a page can ask for, as functions from text to text. An error is a sentence for people.

use serde::Serialize;
use sim::pair::{self, Lines};
use sim::plan::{Plan, Preset};
use sim::shrink::{self as shrinking, Shrunk};

use crate::figures::{self, Violation};
use crate::{lanes, limits, open as opening, ready};

/// What a function gives, or why not.
pub type Told = Result<String, String>;

/// A value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Told {
    serde_json::to_string(value).map_err(|error| format!("cannot be written as JSON: {error}"))
}

/// The plan of a seed, as JSON that a person can read and change. The seed is a number of 64 bits,
/// decimal or as `0x` and hex digits; the kind is `swarm` (as `sim run --seed` has it), `drill` or
/// `small`.
pub fn plan_of_seed(seed: &str, kind: &str) -> Told {
    let digits = seed.trim();
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let number = number.map_err(|error| format!("not a seed: {digits:?}: {error}"))?;
    let make = match kind {
        "swarm" | "" => Plan::from_seed,
        "drill" => Plan::drill,
        "small" => Plan::small_from_seed,
        _ => return Err(format!("no plans of kind {kind:?}: swarm, drill or small")),
    };
    Ok(make(number).to_json())
}

/// Runs a plan: `Result` of `sim.d.ts`.
pub fn run(plan: &str) -> Told {
    json(&figures::Result::of(&pair::run(&limits::read(plan)?, Lines::Forget)))
}

/// Runs a plan; its trace hash, 16 hex digits, as `sim run` prints it.
pub fn hash(plan: &str) -> Told {
    Ok(figures::hex(pair::run(&limits::read(plan)?, Lines::Forget).hash))
}

/// Runs a plan and keeps its events: `Timeline` of `sim.d.ts` with `limit` events from the `from`th
/// on.
pub fn timeline(plan: &str, from: usize, limit: usize) -> Told {
    let run = pair::run(&limits::read(plan)?, Lines::Keep);
    json(&lanes::Timeline::of(&run, from, limit))
}

/// Runs a plan under our default configuration and under Java's: `Comparison` of `sim.d.ts`.
///
/// Of what the plan overrides, that stays which is the same question to both: limits, how often
/// routes are asked for, the form of headers, whether topics are created. What they differ by is
/// taken from the presets.
pub fn compare(plan: &str) -> Told {
    #[derive(Serialize)]
    struct Comparison {
        ours: figures::Result,
        java: figures::Result,
    }
    let plan = limits::read(plan)?;
    let under = |preset: Preset| {
        let mut plan = plan.clone();
        plan.config.preset = preset;
        let with = &mut plan.config.overrides;
        with.send_timeout_ms = None;
        with.attempt_timeout_ms = None;
        with.attempts_max = None;
        with.stop_on_unknown = None;
        with.retry_not_ok = None;
        with.health = None;
        figures::Result::of(&pair::run(&plan, Lines::Forget))
    };
    json(&Comparison { ours: under(Preset::Default), java: under(Preset::Java) })
}

/// The ready plans: a list of `ReadyPlan` of `sim.d.ts`.
pub fn plans() -> Told {
    json(&ready::all())
}

/// Takes out of a plan what the first violation of its run does not need, in at most `runs_max`
/// runs: `Shrunk` of `sim.d.ts`. Fails if nothing goes wrong in it.
pub fn shrink(plan: &str, runs_max: u32) -> Told {
    #[derive(Serialize)]
    struct Smaller<'r> {
        plan: &'r Plan,
        violation: Violation,
        runs: u32,
        complete: bool,
    }
    let plan = limits::read(plan)?;
    let execute = |plan: &Plan| pair::run(plan, Lines::Forget).violations;
    let violations = execute(&plan);
    let first = violations.first().ok_or("nothing goes wrong in this plan")?;
    let shrunk = shrinking::shrink(&plan, first.invariant, runs_max, execute);
    let Shrunk { plan, violation, runs, complete } =
        shrunk.ok_or("the plan did not go wrong a second time")?;
    json(&Smaller { plan: &plan, violation: Violation::of(&violation), runs, complete })
}

/// Finds the plan in a text: a plan's file, the output of a failed test or of `sim shrink`, a page
/// that `sim html` wrote: `Opened` of `sim.d.ts`.
pub fn open(text: &str) -> Told {
    json(&opening::find(text)?)
}
