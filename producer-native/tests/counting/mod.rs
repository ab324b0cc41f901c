//! How often does this thread allocate? Declaring the module makes the test binary count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Allocations of this thread until now.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread has allocated and not freed; what another one frees counts as kept.
#[allow(dead_code, reason = "each test binary uses a part")]
pub(crate) fn kept() -> i64 {
    KEPT.get()
}

struct Counting;

thread_local! {
    /// Of this thread: the peers allocate on another one.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static KEPT: Cell<i64> = const { Cell::new(0) };
}

/// One allocation, or none, and by how many bytes what is kept changes.
fn count(allocations: u64, bytes: i64) {
    // A thread that is ending has no counters any more, and nothing of interest either.
    let _ended = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let _ended = KEPT.try_with(|count| count.set(count.get() + bytes));
}

#[expect(unsafe_code, reason = "an allocator that counts cannot be written without")]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as required of our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as required of our caller.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as required of our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
