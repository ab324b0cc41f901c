//! A map of few instructions, for a page. A library's is made anew for every type that it is used
//! with; here that is only done where a key is compared, and the table is one for all.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use crate::small_hash::Seed;

/// Where the entry of a hash is: open addressing, the next place if one is taken.
#[derive(Default)]
struct Index {
    /// A hash, and the number of its entry plus one; 0 for none. As many as a power of two.
    places: Vec<(u32, u32)>,
    used: usize,
}

impl Index {
    /// The place of the entry with this hash that is the `same`.
    #[inline(never)]
    fn find(&self, hash: u32, same: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            match self.places[at] {
                (_, 0) => return None,
                (other, entry) if other == hash && same(entry as usize - 1) => return Some(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    #[inline(never)]
    fn insert(&mut self, hash: u32, entry: usize) {
        // A quarter stays free, so that no search is long.
        if (self.used + 1) * 4 > self.places.len() * 3 {
            let size = (self.places.len() * 2).max(8);
            let places = core::mem::replace(&mut self.places, alloc::vec![(0, 0); size]);
            for place in places {
                if place.1 != 0 {
                    self.put(place);
                }
            }
        }
        self.used += 1;
        self.put((hash, entry as u32 + 1));
    }

    fn put(&mut self, place: (u32, u32)) {
        let mask = self.places.len() - 1;
        let mut at = place.0 as usize & mask;
        while self.places[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }

    /// Frees a place, and moves those behind it that are where they are because it was taken.
    #[inline(never)]
    fn remove(&mut self, place: usize) {
        let mask = self.places.len() - 1;
        let (mut free, mut at) = (place, place);
        loop {
            at = (at + 1) & mask;
            let (hash, entry) = self.places[at];
            if entry == 0 {
                break;
            }
            // How far it is from where it belongs, and how far the free place is.
            let from_home = at.wrapping_sub(hash as usize) & mask;
            if from_home >= at.wrapping_sub(free) & mask {
                self.places[free] = (hash, entry);
                free = at;
            }
        }
        self.places[free] = (0, 0);
        self.used -= 1;
    }
}

/// Values by key.
pub(crate) struct Map<K, V> {
    index: Index,
    entries: Vec<(K, V)>,
    hasher: Seed,
}

impl<K: Hash + Eq, V> Map<K, V> {
    pub(crate) fn with_hasher(hasher: Seed) -> Self {
        Self { index: Index::default(), entries: Vec::new(), hasher }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.index = Index::default();
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        Some(&self.entries[self.entry(self.place(key)?)].1)
    }

    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entry(self.place(key)?);
        Some(&mut self.entries[entry].1)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(known) => *known = value,
            None => {
                self.index.insert(self.hash(&key), self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key)?;
        let entry = self.entry(place);
        let last = self.entries.len() - 1;
        // The last one takes its number.
        let hash = self.hash(&self.entries[last].0);
        if let Some(moved) = self.index.find(hash, &mut |entry| entry == last) {
            self.index.places[moved].1 = entry as u32 + 1;
        }
        self.index.remove(place);
        Some(self.entries.swap_remove(entry).1)
    }

    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keeps(key, value));
        self.index = Index::default();
        for (number, (key, _)) in self.entries.iter().enumerate() {
            let hash = self.hash(key);
            self.index.insert(hash, number);
        }
    }

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    fn place<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.index.find(self.hash(key), &mut |entry| self.entries[entry].0.borrow() == key)
    }

    fn entry(&self, place: usize) -> usize {
        self.index.places[place].1 as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::{any, proptest};
    use proptest::{collection::vec, prop_assert_eq};

    proptest! {
        #[test]
        fn does_what_a_tree_does(seed: u64, steps in vec((0_u8..4, 0_u8..24, any::<u16>()), 0..400)) {
            let mut map = Map::with_hasher(Seed::with_seed(seed));
            let mut tree = BTreeMap::new();
            for (step, key, value) in steps {
                match step {
                    0 | 1 => {
                        map.insert(key, value);
                        tree.insert(key, value);
                    }
                    2 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    _ if value % 32 == 0 => {
                        map.retain(|_, kept| *kept % 2 == 0);
                        tree.retain(|_, kept| *kept % 2 == 0);
                    }
                    _ => prop_assert_eq!(map.get_mut(&key), tree.get_mut(&key)),
                }
                prop_assert_eq!(map.len(), tree.len());
                for key in 0..24 {
                    prop_assert_eq!(map.get(&key), tree.get(&key));
                }
            }
        }
    }

    #[test]
    fn many_come_and_go() {
        let mut map = Map::with_hasher(Seed::with_seed(1));
        for n in 0..10_000_u32 {
            map.insert(n, n);
            if n >= 100 {
                assert_eq!(map.remove(&(n - 100)), Some(n - 100));
            }
        }
        assert_eq!((map.len(), map.index.used, map.index.places.len()), (100, 100, 256));
        map.clear();
        assert!(map.is_empty() && map.get(&9_999).is_none());
    }
}
