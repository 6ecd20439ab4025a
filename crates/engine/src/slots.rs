//! Tables of a worker's objects, addressed by typed keys. A key is the index of a slot: it is small
//! and cheap to look up, and used again after its object is removed. Ids are never used again.
//!
//! A key of one kind cannot address a table of another: that is a compile error.

use std::marker::PhantomData;

use slab::Slab;

/// Key of an object in a [`Slots`] table.
pub trait Key: Copy {
    /// Returns the key of the slot with this index.
    fn from_index(index: usize) -> Self;

    /// Returns the index of the slot.
    fn index(self) -> usize;
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(u32);

        impl Key for $name {
            #[inline]
            fn from_index(index: usize) -> Self {
                // Tables are bounded far below what 32 bits hold.
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            #[inline]
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

key! {
    /// Slot of a router in its worker.
    RouterKey
}
key! {
    /// Slot of a transport in its worker.
    TransportKey
}
key! {
    /// Slot of a producer in its worker.
    ProducerKey
}
key! {
    /// Slot of a consumer in its worker.
    ConsumerKey
}

/// Objects of one kind, by key.
#[derive(Debug)]
pub struct Slots<K, T> {
    slab: Slab<T>,
    keys: PhantomData<K>,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self {
            slab: Slab::new(),
            keys: PhantomData,
        }
    }
}

impl<K: Key, T> Slots<K, T> {
    /// Returns the object with this key.
    #[inline]
    pub fn get(&self, key: K) -> Option<&T> {
        self.slab.get(key.index())
    }

    /// Returns the object with this key.
    #[inline]
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.slab.get_mut(key.index())
    }

    /// Returns the key that the next inserted object will have.
    pub fn next_key(&self) -> K {
        K::from_index(self.slab.vacant_key())
    }

    /// Inserts an object and returns its key.
    pub fn insert(&mut self, object: T) -> K {
        K::from_index(self.slab.insert(object))
    }

    /// Removes and returns the object with this key.
    pub fn remove(&mut self, key: K) -> Option<T> {
        self.slab.try_remove(key.index())
    }

    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Returns all objects, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slab.iter().map(|(_, object)| object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_objects_key_is_given_to_the_next_object() {
        let mut slots: Slots<RouterKey, u8> = Slots::default();
        let first = slots.insert(1);
        let second = slots.insert(2);
        assert_eq!(slots.remove(first), Some(1));
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.next_key(), first);
        assert_eq!(slots.insert(3), first);
        assert_eq!(slots.values().copied().collect::<Vec<_>>(), [3, 2]);
        assert_eq!((slots.get(second), slots.len()), (Some(&2), 2));
    }
}
