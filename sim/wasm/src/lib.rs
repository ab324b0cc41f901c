//! The simulator for a web page: the core, the models and the links between them, in virtual time.
//!
//! Texts in, texts out: plans and results are JSON, whose shapes are in `sim.d.ts` beside this
//! crate. A function that fails throws an `Error` whose message says why; nothing is run then. The
//! same plan has the same trace hash here and in `sim run`.
//!
//! A panic is a mistake of ours: it ends the instance as WebAssembly does, with a
//! `RuntimeError: unreachable`. What it said is in `lastPanic()`; call nothing else of the instance
//! after it.
//!
//! [`api`] is the same without JavaScript.

pub mod api;
mod figures;
mod lanes;
mod limits;
mod open;
mod ready;

use std::sync::Mutex;
use std::time::Duration;

use sim::pair::{Lines, Running};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// What a function gives or throws.
type Told<T> = Result<T, JsError>;

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn thrown(why: String) -> JsError {
    JsError::new(&why)
}

/// Keeps what panics say.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut last) = PANIC.lock() {
            *last = panic.to_string();
        }
    }));
}

/// What the panic said that ended this instance, and where; empty if there was none.
#[wasm_bindgen(js_name = lastPanic)]
pub fn last_panic() -> String {
    PANIC.lock().map(|last| last.clone()).unwrap_or_default()
}

/// The plan of a seed: see [`api::plan_of_seed`].
#[wasm_bindgen(js_name = planOfSeed)]
pub fn plan_of_seed(seed: &str, kind: &str) -> Told<String> {
    api::plan_of_seed(seed, kind).map_err(thrown)
}

/// Runs a plan: see [`api::run`].
#[wasm_bindgen]
pub fn run(plan: &str) -> Told<String> {
    api::run(plan).map_err(thrown)
}

/// Runs a plan and gives its trace hash alone: see [`api::hash`].
#[wasm_bindgen]
pub fn hash(plan: &str) -> Told<String> {
    api::hash(plan).map_err(thrown)
}

/// The events of a run: see [`api::timeline`].
#[wasm_bindgen]
pub fn timeline(plan: &str, from: u32, limit: u32) -> Told<String> {
    api::timeline(plan, from as usize, limit as usize).map_err(thrown)
}

/// A plan under two configurations: see [`api::compare`].
#[wasm_bindgen]
pub fn compare(plan: &str) -> Told<String> {
    api::compare(plan).map_err(thrown)
}

/// The ready plans: see [`api::plans`].
#[wasm_bindgen]
pub fn plans() -> Told<String> {
    api::plans().map_err(thrown)
}

/// The least of a plan that still goes wrong: see [`api::shrink`].
#[wasm_bindgen]
pub fn shrink(plan: &str, runs_max: u32) -> Told<String> {
    api::shrink(plan, runs_max).map_err(thrown)
}

/// The plan in what a failed test wrote: see [`api::open`].
#[wasm_bindgen]
pub fn open(text: &str) -> Told<String> {
    api::open(text).map_err(thrown)
}

/// A run that goes on a piece at a time.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Simulation {
    running: Option<Running>,
}

#[wasm_bindgen]
impl Simulation {
    /// A run of which nothing has happened yet. Throws where [`api::run`] fails.
    #[wasm_bindgen(constructor)]
    pub fn new(plan: &str) -> Told<Self> {
        let plan = limits::read(plan).map_err(thrown)?;
        Ok(Self { running: Some(Running::new(&plan, Lines::Forget)) })
    }

    /// Goes on until so many ms have passed in the run, and says how far it is as
    /// `Progress` of `sim.d.ts`.
    pub fn advance(&mut self, until_ms: u32) -> Told<String> {
        let running = self.running.as_mut().ok_or_else(finished)?;
        let goes_on = running.go_on(Duration::from_millis(until_ms.into()));
        api::json(&figures::Progress::of(running, !goes_on)).map_err(thrown)
    }

    /// What is left happens; the result, as [`api::run`] gives it. Nothing goes on afterwards.
    pub fn finish(&mut self) -> Told<String> {
        let running = self.running.take().ok_or_else(finished)?;
        api::json(&figures::Result::of(&running.finish())).map_err(thrown)
    }
}

fn finished() -> JsError {
    JsError::new("this simulation was finished; make another one")
}
