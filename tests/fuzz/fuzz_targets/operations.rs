//! The core, driven by arbitrary operations in arbitrary order.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::operations(bytes));
