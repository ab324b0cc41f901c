//! What fuzzers run (`tests/fuzz`), for a moment and without instruments.

use super::mutate::fuzz;
use super::{decoders, operations};

/// A corpus: each line an input as hex.
macro_rules! corpus {
    ($name:literal) => {
        include_str!(concat!("../../tests/fuzz/corpus/", $name, ".hex"))
    };
}

#[test]
fn fuzz_operations_in_any_order_break_no_invariant() {
    fuzz(corpus!("operations"), 2_500, 600, operations::check);
}

#[test]
fn fuzz_frames_are_whole_or_none() {
    fuzz(corpus!("frames"), 4_000, 700, decoders::frames);
}

#[test]
fn fuzz_headers_read_are_headers_written() {
    fuzz(corpus!("headers"), 4_000, 700, decoders::headers);
}

#[test]
fn fuzz_messages_read_are_messages_written() {
    fuzz(corpus!("messages"), 4_000, 700, decoders::messages);
}

#[test]
fn fuzz_bodies_read_are_bodies_written() {
    fuzz(corpus!("bodies"), 4_000, 1_500, decoders::bodies);
}

#[test]
fn fuzz_texts_of_any_kind_are_read() {
    fuzz(corpus!("texts"), 4_000, 300, decoders::texts_of_any_kind);
}
