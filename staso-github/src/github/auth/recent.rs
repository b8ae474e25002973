//! A bounded number of things by key: the longest unused ones are forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Things by key, at most `limit` of them.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    limit: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    uses: u64,
    by_key: HashMap<K, (u64, Arc<V>)>,
}

impl<K: Eq + Hash + Clone, V: Default> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, entries: Mutex::new(Entries { uses: 0, by_key: HashMap::new() }) }
    }

    /// The thing of a key; a new one when there is none.
    pub(crate) fn entry(&self, key: &K) -> Arc<V> {
        let mut entries = self.entries();
        entries.uses += 1;
        let now = entries.uses;
        if let Some((used, value)) = entries.by_key.get_mut(key) {
            *used = now;
            return Arc::clone(value);
        }
        if entries.by_key.len() >= self.limit {
            let oldest = entries.by_key.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| entries.by_key.remove(&key));
        }
        let value = Arc::<V>::default();
        entries.by_key.insert(key.clone(), (now, Arc::clone(&value)));
        value
    }

    /// Forgets all for which `keep` is false.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        self.entries().by_key.retain(|key, (_, value)| keep(key, value));
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_thing_is_forgotten() {
        let recent: Recent<u8, Mutex<u8>> = Recent::new(3);
        let set = |key: u8| *recent.entry(&key).lock().unwrap_or_else(PoisonError::into_inner) = key;
        let known = |key: u8| *recent.entry(&key).lock().unwrap_or_else(PoisonError::into_inner) == key;
        [1, 2, 3, 1, 4].into_iter().for_each(set);
        assert!(known(1) && known(3) && known(4));
        assert!(!known(2));
        recent.retain(|key, _| *key != 4);
        assert!(known(3) && !known(4));
    }
}
