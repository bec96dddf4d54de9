//! Values by bytes, or by networks. All of the engine's tables are one of two hash tables with numbers in them, each with a list of its values beside:
//! another hash table for each kind of value is another kilobyte in wasm.

use std::hash::Hash;
use std::{fmt, mem};

use rustc_hash::FxHashMap;

/// What a table is by.
pub(crate) trait Key: Eq + Hash + ToOwned<Owned: Clone + Eq + Hash> {}

impl<K: Eq + Hash + ToOwned<Owned: Clone + Eq + Hash> + ?Sized> Key for K {}

/// Values by bytes, or by networks. The hash does not resist flooding: keys come from the policy, or are few.
pub(crate) struct Table<V, K: Key + ?Sized = [u8]> {
    rows: FxHashMap<K::Owned, usize>,
    values: Vec<V>,
}

impl<V, K: Key + ?Sized> Table<V, K> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        // What is looked up most is looked up in a list that is often empty.
        if self.values.is_empty() {
            return None;
        }
        self.values.get(*self.rows.get(key)?)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; the one that it had.
    pub(crate) fn insert(&mut self, key: &K, value: V) -> Option<V> {
        match self.values.get_mut(row::<K>(&mut self.rows, key)) {
            Some(earlier) => Some(mem::replace(earlier, value)),
            None => {
                self.values.push(value);
                None
            }
        }
    }

    /// Changes the value of a key, which is made if it is not there.
    pub(crate) fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        match self.values.get_mut(row::<K>(&mut self.rows, key)) {
            Some(value) => change(value),
            // A new row is the next one.
            None => change(self.values.push_mut(V::default())),
        }
    }

    /// The keys with their values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K::Owned, &V)> {
        self.rows
            .iter()
            .filter_map(|(key, row)| Some((key, self.values.get(*row)?)))
    }
}

/// The number of a key, which is the next one if it is new.
fn row<K: Key + ?Sized>(rows: &mut FxHashMap<K::Owned, usize>, key: &K) -> usize {
    if let Some(row) = rows.get(key) {
        return *row;
    }
    let row = rows.len();
    rows.insert(key.to_owned(), row);
    row
}

impl<V, K: Key + ?Sized> Default for Table<V, K> {
    fn default() -> Self {
        Self {
            rows: FxHashMap::default(),
            values: Vec::new(),
        }
    }
}

impl<V: Clone, K: Key + ?Sized> Clone for Table<V, K> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            values: self.values.clone(),
        }
    }
}

impl<V: fmt::Debug, K: Key + ?Sized> fmt::Debug for Table<V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.values).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_keys() {
        let mut table = Table::<u8>::default();
        assert!(table.is_empty() && table.get(b"a").is_none());
        for number in 0..100_u8 {
            assert_eq!(table.insert(&[number], number), None);
        }
        assert_eq!(table.insert(&[7], 200), Some(7));
        assert_eq!(table.update(&[8], |value| mem::replace(value, 201)), 8);
        assert_eq!(table.update(b"new", |value| mem::replace(value, 202)), 0);
        assert_eq!(table.get(b"new"), Some(&202));
        assert_eq!(
            (table.get(&[7]), table.get(&[8]), table.get(&[9])),
            (Some(&200), Some(&201), Some(&9))
        );
        assert!(!table.contains(b"other"));
        let mut found: Vec<_> = table.iter().map(|(key, value)| (key.clone(), *value)).collect();
        found.sort_unstable();
        assert_eq!(found.len(), 101);
        assert_eq!(found.first(), Some(&(vec![0], 0)));
    }
}
