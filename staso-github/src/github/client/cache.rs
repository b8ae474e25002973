//! Answers that are asked for again only if they have changed (RFC 9110, section 13).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue};

/// What an answer was given to. Accounts never see each other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) account: String,
    /// With the query.
    pub(super) url: String,
    pub(super) accept: &'static str,
}

/// The last answers with status 200 to GET requests, those unused for longest going first.
#[derive(Debug)]
pub(super) struct Cache {
    entries: Mutex<Entries>,
    max_entries: usize,
    max_bytes: usize,
}

/// An answer with status 200.
pub(super) struct Kept {
    pub(super) tag: HeaderValue,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Arc<Kept>,
    bytes: usize,
    used: u64,
}

/// Answers may hold tokens.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Cache {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: Mutex::default(), max_entries, max_bytes }
    }

    /// The answer whose tag to ask with.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Kept>> {
        let mut entries = self.entries();
        let now = entries.tick();
        let entry = entries.by_key.get_mut(key)?;
        entry.used = now;
        Some(Arc::clone(&entry.kept))
    }

    /// Keeps an answer, or forgets the one before when this one is not to be kept.
    pub(super) fn put(&self, key: Key, status: u16, headers: &HeaderMap, body: &[u8]) {
        let mut entries = self.entries();
        entries.remove(&key);
        let secret = headers.get(CACHE_CONTROL).is_some_and(|value| contains(value, "no-store"));
        let Some(tag) = headers.get(ETAG).filter(|_| status == 200 && !secret) else { return };
        let bytes = size(&key, headers, body);
        if bytes > self.max_bytes || self.max_entries == 0 {
            return;
        }
        while entries.by_key.len() >= self.max_entries || entries.bytes + bytes > self.max_bytes {
            let Some(oldest) = entries.oldest() else { break };
            entries.remove(&oldest);
        }
        let kept = Kept { tag: tag.clone(), headers: headers.clone(), body: body.to_vec() };
        let used = entries.tick();
        entries.bytes += bytes;
        entries.by_key.insert(key, Entry { kept: Arc::new(kept), bytes, used });
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn oldest(&self) -> Option<Key> {
        self.by_key.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
    }
}

fn contains(value: &HeaderValue, word: &str) -> bool {
    value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains(word))
}

fn size(key: &Key, headers: &HeaderMap, body: &[u8]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    key.account.len() + key.url.len() + headers + body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> Key {
        Key { account: "acme".to_owned(), url: url.to_owned(), accept: "json" }
    }

    fn tagged(tag: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ETAG, HeaderValue::from_static(tag))])
    }

    #[test]
    fn the_entry_unused_for_longest_goes_first() {
        let cache = Cache::new(2, 1_000);
        cache.put(key("a"), 200, &tagged("1"), b"a");
        cache.put(key("b"), 200, &tagged("2"), b"b");
        assert!(cache.get(&key("a")).is_some());
        cache.put(key("c"), 200, &tagged("3"), b"c");
        let tags = ["a", "b", "c"].map(|url| cache.get(&key(url)).is_some());
        assert_eq!(tags, [true, false, true]);
    }

    #[test]
    fn bytes_are_bounded_and_what_is_over_is_not_kept() {
        let cache = Cache::new(100, 200);
        for url in ["a", "b", "c", "d"] {
            cache.put(key(url), 200, &tagged("1"), &[b'x'; 60]);
        }
        assert!(cache.entries().bytes <= 200);
        assert!(cache.get(&key("d")).is_some() && cache.get(&key("a")).is_none());
        cache.put(key("huge"), 200, &tagged("1"), &[b'x'; 300]);
        assert!(cache.get(&key("huge")).is_none() && cache.get(&key("d")).is_some());
        let none = Cache::new(0, 200);
        none.put(key("a"), 200, &tagged("1"), b"");
        assert!(none.get(&key("a")).is_none());
    }

    #[test]
    fn only_tagged_answers_with_status_200_stay() {
        let cache = Cache::new(9, 1_000);
        cache.put(key("a"), 200, &tagged("1"), b"a");
        cache.put(key("a"), 404, &tagged("2"), b"");
        cache.put(key("b"), 200, &HeaderMap::new(), b"b");
        let mut secret = tagged("3");
        secret.insert(CACHE_CONTROL, HeaderValue::from_static("private, No-Store"));
        cache.put(key("c"), 200, &secret, b"c");
        assert!(cache.entries().by_key.is_empty());
        assert_eq!(cache.entries().bytes, 0);
    }
}
