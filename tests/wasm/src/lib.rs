//! Tests that need no system, in WebAssembly: what the core does (`producer-core/tests`) and golden
//! bytes (`tests/tests/golden`), each test an export. `tests/browser/wasm.mjs` calls them in Node and
//! in Chromium.
//!
//! A trap cannot be caught inside, so an instance of the module ends with the test that fails, and
//! what that said is read from its memory.
#![cfg(target_arch = "wasm32")]

// Before the prelude's, in all modules.
#[macro_use]
extern crate wasm_tests_attribute;

#[path = "../../../producer-core/tests/main.rs"]
mod behaviour;
mod disk;
#[path = "../../tests/golden/main.rs"]
mod golden;

// Where these tests look for them: in the root of their own programs.
use behaviour::pair;
use golden::{support, tables};

use std::panic;
use std::sync::Mutex;

static SAID: Mutex<String> = Mutex::new(String::new());

/// Runs a test, and keeps what it says if it fails.
fn run(test: fn()) {
    panic::set_hook(Box::new(|failure| {
        *SAID.lock().expect("one thread") = failure.to_string();
    }));
    test();
}

/// Where the last failure is told, in UTF-8.
#[unsafe(no_mangle)]
extern "C" fn said() -> *const u8 {
    SAID.lock().expect("one thread").as_ptr()
}

/// How many bytes that is.
#[unsafe(no_mangle)]
extern "C" fn said_bytes() -> usize {
    SAID.lock().expect("one thread").len()
}
