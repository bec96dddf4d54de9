//! Values by bytes. All of the engine's tables are one hash table with numbers in it, each with a list of its values beside: another hash table for each kind
//! of value is another kilobyte in wasm.

use rustc_hash::FxHashMap;

/// Values by bytes, in the order in which their keys came. The hash does not resist flooding: keys come from the policy, or are few.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    rows: FxHashMap<Box<[u8]>, usize>,
    values: Vec<V>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            rows: FxHashMap::default(),
            values: Vec::new(),
        }
    }
}

impl<V> Table<V> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        // What is looked up most is looked up in a list that is often empty.
        if self.values.is_empty() {
            return None;
        }
        self.values.get(*self.rows.get(key)?)
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; the one that it had.
    pub(crate) fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        match self.values.get_mut(row(&mut self.rows, key)) {
            Some(earlier) => Some(std::mem::replace(earlier, value)),
            None => {
                self.values.push(value);
                None
            }
        }
    }

    /// Changes the value of a key, which is made if it is not there.
    pub(crate) fn update<T>(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        match self.values.get_mut(row(&mut self.rows, key)) {
            Some(value) => change(value),
            // A new row is the next one.
            None => change(self.values.push_mut(V::default())),
        }
    }

    /// The keys with their values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.rows
            .iter()
            .filter_map(|(key, row)| Some((&**key, self.values.get(*row)?)))
    }
}

/// The number of a key, which is the next one if it is new.
fn row(rows: &mut FxHashMap<Box<[u8]>, usize>, key: &[u8]) -> usize {
    if let Some(row) = rows.get(key) {
        return *row;
    }
    let row = rows.len();
    rows.insert(key.into(), row);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_keys() {
        let mut table = Table::default();
        assert!(table.is_empty() && table.get(b"a").is_none());
        for number in 0..100_u8 {
            assert_eq!(table.insert(&[number], number), None);
        }
        assert_eq!(table.insert(&[7], 200), Some(7));
        assert_eq!(table.update(&[8], |value| std::mem::replace(value, 201)), 8);
        assert_eq!(table.update(b"new", |value| std::mem::replace(value, 202)), 0);
        assert_eq!(table.get(b"new"), Some(&202));
        assert_eq!(
            (table.get(&[7]), table.get(&[8]), table.get(&[9])),
            (Some(&200), Some(&201), Some(&9))
        );
        assert!(!table.contains(b"other"));
        let mut found: Vec<_> = table.iter().map(|(key, value)| (key.to_vec(), *value)).collect();
        found.sort_unstable();
        assert_eq!(found.len(), 101);
        assert_eq!(found.first(), Some(&(vec![0], 0)));
    }
}
