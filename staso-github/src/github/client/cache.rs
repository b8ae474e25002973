//! Answers that are asked for again only if they have changed (RFC 9110, section 13).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    kept: Mutex<Kept>,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Clone)]
struct Entry {
    headers: HeaderMap,
    body: Vec<u8>,
    bytes: usize,
    used: u64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Cache {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { kept: Mutex::default(), max_entries, max_bytes }
    }

    /// The tag to ask with.
    pub(super) fn tag(&self, key: &Key) -> Option<HeaderValue> {
        self.kept().entries.get(key)?.headers.get(ETAG).cloned()
    }

    /// The answer that a 304 stands for, with that one's newer headers.
    pub(super) fn confirmed(&self, key: &Key, newer: &HeaderMap) -> Option<(HeaderMap, Vec<u8>)> {
        let mut kept = self.kept();
        kept.clock += 1;
        let now = kept.clock;
        let entry = kept.entries.get_mut(key)?;
        entry.used = now;
        for (name, value) in newer {
            entry.headers.insert(name, value.clone());
        }
        Some((entry.headers.clone(), entry.body.clone()))
    }

    /// Keeps an answer, or forgets the one before when this one is not to be kept.
    pub(super) fn put(&self, key: Key, status: u16, headers: &HeaderMap, body: &[u8]) {
        let mut kept = self.kept();
        kept.remove(&key);
        let bytes = size(&key, headers, body);
        let secret = headers.get(CACHE_CONTROL).is_some_and(|value| contains(value, "no-store"));
        let fits = bytes <= self.max_bytes && self.max_entries > 0;
        if status != 200 || !headers.contains_key(ETAG) || secret || !fits {
            return;
        }
        while kept.entries.len() >= self.max_entries || kept.bytes + bytes > self.max_bytes {
            let Some(oldest) = kept.oldest() else { break };
            kept.remove(&oldest);
        }
        kept.clock += 1;
        let used = kept.clock;
        kept.bytes += bytes;
        kept.entries.insert(key, Entry { headers: headers.clone(), body: body.to_vec(), bytes, used });
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn oldest(&self) -> Option<Key> {
        self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
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
        assert!(cache.confirmed(&key("a"), &HeaderMap::new()).is_some());
        cache.put(key("c"), 200, &tagged("3"), b"c");
        let tags = ["a", "b", "c"].map(|url| cache.tag(&key(url)).is_some());
        assert_eq!(tags, [true, false, true]);
    }

    #[test]
    fn bytes_are_bounded_and_what_is_over_is_not_kept() {
        let cache = Cache::new(100, 200);
        for url in ["a", "b", "c", "d"] {
            cache.put(key(url), 200, &tagged("1"), &[b'x'; 60]);
        }
        assert!(cache.kept().bytes <= 200);
        assert!(cache.tag(&key("d")).is_some() && cache.tag(&key("a")).is_none());
        cache.put(key("huge"), 200, &tagged("1"), &[b'x'; 300]);
        assert!(cache.tag(&key("huge")).is_none() && cache.tag(&key("d")).is_some());
        Cache::new(0, 200).put(key("a"), 200, &tagged("1"), b"");
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
        assert!(cache.kept().entries.is_empty());
        assert_eq!(cache.kept().bytes, 0);
    }
}
