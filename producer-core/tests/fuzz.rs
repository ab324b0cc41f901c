//! What fuzzers run (`tests/fuzz`), for a moment and without instruments.

use crate::mutate::fuzz;

#[test]
fn fuzz_operations_in_any_order_break_no_invariant() {
    fuzz("", 2_500, 600, crate::operations::check);
}
