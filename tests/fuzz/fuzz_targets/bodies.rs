//! Bodies of JSON: routes, heartbeats, the cluster.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::bodies(bytes));
