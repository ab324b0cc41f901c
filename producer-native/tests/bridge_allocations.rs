//! After warm-up, a frame that passes the filter of the bridge allocates nothing.

mod counting;
#[path = "bridge_filter/frames.rs"]
#[expect(dead_code, reason = "shared with the tests of what passes")]
mod frames;

use producer_native::bridge::{Filter, FilterLimits, Grants, Names, TargetKind};

/// Sends of a tab, in pieces of `piece` bytes.
fn allocations(grants: Grants, piece: usize) -> u64 {
    let stream: Vec<u8> = (0..500).flat_map(|_| frames::send("g-a", "a-1", &[7; 256])).collect();
    let mut filter = Filter::new(TargetKind::Broker, FilterLimits::default(), grants.into());
    let mut run = || {
        let mut passed = 0;
        for piece in stream.chunks(piece) {
            let verdict = filter.check(piece);
            assert_eq!(verdict.refused, None);
            passed += verdict.held.len() + verdict.passed;
        }
        assert_eq!(passed, stream.len());
    };
    run();
    let before = counting::allocations();
    run();
    counting::allocations() - before
}

#[test]
fn a_frame_that_passes_costs_no_allocation() {
    let tenant = || Grants {
        topics: Names::new(["a-*"]).expect("valid"),
        groups: Names::new(["g-a"]).expect("valid"),
        ..Grants::everything()
    };
    for piece in [1, 7, 100, 500, 65_536] {
        for (who, grants) in [("everything", Grants::everything()), ("a tenant", tenant())] {
            let counted = allocations(grants, piece);
            println!("{who}, pieces of {piece} bytes: {counted} allocations for 500 frames");
            assert_eq!(counted, 0, "{who}, pieces of {piece} bytes");
        }
    }
}
