//! What the targets call. The same functions run in `./check` without libFuzzer, for a moment:
//! `producer-core/tests/fuzz.rs` and `producer-native/tests/bridge_filter/fuzz.rs`.

#[path = "../../../producer-core/tests/decoders.rs"]
mod decoders;
#[cfg(feature = "bridge")]
#[path = "../../../producer-native/tests/bridge_filter/check.rs"]
mod filters;
#[path = "../../../producer-core/tests/operations/mod.rs"]
mod operations;

/// The core, driven by arbitrary operations in arbitrary order.
pub fn operations(bytes: &[u8]) {
    operations::check(bytes);
}

/// The same, for who wants to read what a script says.
pub fn show(bytes: &[u8]) {
    for operation in operations::read(bytes) {
        println!("{operation:?}");
    }
}

/// Streams of frames.
pub fn frames(bytes: &[u8]) {
    decoders::frames(bytes);
}

/// Headers in both encodings.
pub fn headers(bytes: &[u8]) {
    decoders::headers(bytes);
}

/// Stored messages, and the members of batches.
pub fn messages(bytes: &[u8]) {
    decoders::messages(bytes);
}

/// Bodies of JSON: routes, heartbeats, the cluster.
pub fn bodies(bytes: &[u8]) {
    decoders::bodies(bytes);
}

/// Properties, ids, names, handles, traces.
pub fn texts(bytes: &[u8]) {
    decoders::texts_of_any_kind(bytes);
}

/// The bridge's filter: three bytes choose who may do what and where the stream is cut.
#[cfg(feature = "bridge")]
pub fn filter(bytes: &[u8]) {
    filters::check_chosen(bytes);
}
