//! Where do things live that are known by a small number for a while?

use alloc::vec::Vec;

/// Names a place in a [`Slab`] and the thing that was in it when the key was given out. A key
/// outlives its thing harmlessly: it then finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// Finds nothing in any slab.
    pub(crate) const NONE: Self = Self { slot: u32::MAX, generation: 0 };
}

struct Place<V> {
    generation: u32,
    value: Option<V>,
}

/// Things by key: O(1), no allocation once it has grown to the most that were in it together.
pub(crate) struct Slab<V> {
    places: Vec<Place<V>>,
    free: Vec<u32>,
}

impl<V> Slab<V> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    #[inline(always)] // A large thing is then made where it stays.
    pub(crate) fn insert(&mut self, value: V) -> Key {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.places.get_mut(slot as usize)
            && place.value.is_none()
        {
            place.value = Some(value);
            return Key { slot, generation: place.generation };
        }
        self.push(value)
    }

    #[cold]
    fn push(&mut self, value: V) -> Key {
        let slot = u32::try_from(self.places.len()).expect("fewer than 2^32 things at a time");
        self.places.push(Place { generation: 1, value: Some(value) });
        Key { slot, generation: 1 }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<V> {
        let place = self.places.get_mut(key.slot as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(value)
    }

    /// Removes a thing in place: `keep` takes from it what is still wanted, the rest is dropped
    /// where it is. Large things are not moved for that.
    pub(crate) fn remove_with<R>(&mut self, key: Key, keep: impl FnOnce(&mut V) -> R) -> Option<R> {
        let place = self.places.get_mut(key.slot as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let kept = keep(place.value.as_mut()?);
        place.value = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(kept)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&V> {
        let place = self.places.get(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        let place = self.places.get_mut(key.slot as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// The key of what is at `slot` now.
    pub(crate) fn key_at(&self, slot: usize) -> Option<Key> {
        let place = self.places.get(slot)?;
        place.value.as_ref()?;
        Some(Key { slot: slot as u32, generation: place.generation })
    }

    /// Places ever used; slots are below it.
    pub(crate) fn slots(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Everything in it, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        self.places.iter().enumerate().filter_map(|(slot, place)| {
            let key = Key { slot: slot as u32, generation: place.generation };
            place.value.as_ref().map(|value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        slab.remove(first);
        let second = slab.insert('b');

        assert_eq!(first.slot, second.slot);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(slab.len(), 1);
    }
}
