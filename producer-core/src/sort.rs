//! Sorting what is short, or seldom sorted. Small rather than quick: a sort of the library is 5 KB of
//! machine code for each type, which every visitor of a page would download.

/// Sorts so that no item stands behind one that it belongs before. Those that belong nowhere in
/// particular may change places. Heap sort: `n log n` steps at most, nothing allocated.
pub(crate) fn sort<V>(items: &mut [V], before: impl Fn(&V, &V) -> bool) {
    let mut unsorted = items.len();
    for root in (0..unsorted / 2).rev() {
        sift(items, root, &before);
    }
    while unsorted > 1 {
        unsorted -= 1;
        items.swap(0, unsorted);
        sift(&mut items[..unsorted], 0, &before);
    }
}

/// Moves an item down a heap, whose last is on top, until it has no later one below it.
fn sift<V>(heap: &mut [V], mut at: usize, before: &impl Fn(&V, &V) -> bool) {
    loop {
        let mut last = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && before(&heap[last], &heap[child]) {
                last = child;
            }
        }
        if last == at {
            return;
        }
        heap.swap(at, last);
        at = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn anything_is_sorted() {
        let mut random = crate::random::Random::new(7);
        for len in 0..200 {
            let mut items: Vec<u32> = (0..len).map(|_| random.next_u32() % 100).collect();
            let mut expected = items.clone();
            expected.sort_unstable();
            sort(&mut items, |a, b| a < b);
            assert_eq!(items, expected);
        }
    }
}
