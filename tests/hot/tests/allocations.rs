//! After warm-up, the core allocates nothing per message.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use hot::Hot;
use producer_core::wire::SerializeType;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts cannot be written without")]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as required of our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as required of our caller.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as required of our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of the core for 100 rounds of `window` messages.
fn count(serialize: SerializeType, window: usize) -> u64 {
    let mut hot = Hot::new(serialize, window);
    hot.meter = || ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..100 {
        hot.round(window);
    }
    hot.metered
}

#[test]
fn a_message_costs_no_allocation_in_the_core() {
    // One test, so that no other thread allocates meanwhile.
    for serialize in [SerializeType::Json, SerializeType::RocketMq] {
        for window in [1, 1_024] {
            let counted = count(serialize, window);
            println!("{serialize:?} header, {window} in flight: {counted} allocations");
            assert_eq!(counted, 0, "{serialize:?} header, {window} in flight");
        }
    }
}
