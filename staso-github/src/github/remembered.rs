//! What was found out not long ago.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The last few things that were learnt, by name. Clones share them.
#[derive(Debug)]
pub(crate) struct Remembered<T> {
    kept: Arc<Mutex<VecDeque<(String, T)>>>,
    capacity: usize,
}

impl<T> Clone for Remembered<T> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), capacity: self.capacity }
    }
}

impl<T: Clone> Remembered<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { kept: Arc::default(), capacity }
    }

    pub(crate) fn get(&self, key: &str) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    /// Keeps a value in place of an older one of that name; the oldest of all goes when there are too many.
    pub(crate) fn put(&self, key: String, value: T) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(name, _)| *name != key);
        kept.push_back((key, value));
        while kept.len() > self.capacity {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let remembered = Remembered::new(2);
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            remembered.clone().put(key.to_owned(), value);
        }
        assert_eq!((remembered.get("a"), remembered.get("b"), remembered.get("c")), (Some(3), None, Some(4)));
    }
}
