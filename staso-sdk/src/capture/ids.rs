//! Random identifiers.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use staso_core::id::TraceId;

/// One system call yields this many bytes, enough for 64 span ids.
const POOL_BYTES: usize = 512;

struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

/// A span id: 64 random bits, never zero.
pub(crate) fn span_id() -> u64 {
    u64::from_ne_bytes(random()).max(1)
}

/// A trace id: a random UUID (RFC 9562, version 4).
pub(crate) fn trace_id() -> TraceId {
    TraceId::from_bytes(uuid::Builder::from_random_bytes(random()).into_uuid().into_bytes())
}

/// A random UUID as text, for idempotency keys.
pub(crate) fn uuid_text() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

fn random<const N: usize>() -> [u8; N] {
    POOL.try_with(|pool| {
        let mut pool = pool.try_borrow_mut().ok()?;
        if pool.used + N > POOL_BYTES {
            getrandom::fill(&mut pool.bytes).ok()?;
            pool.used = 0;
        }
        let start = pool.used;
        pool.used += N;
        pool.bytes.get(start..start + N)?.try_into().ok()
    })
    .ok()
    .flatten()
    .unwrap_or_else(fallback)
}

/// For threads that are ending and for systems without an entropy source: the hash keys of the standard library are
/// random for each process and different for each call.
fn fallback<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        let word = RandomState::new().build_hasher().finish().to_ne_bytes();
        for (byte, random) in chunk.iter_mut().zip(word) {
            *byte = random;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_of_many_threads_are_all_different() {
        let draw = || (0..1000).map(|_| span_id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let ids: BTreeSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 4000);
        assert_ne!(fallback::<16>(), fallback::<16>());
    }

    #[test]
    fn trace_ids_are_version_4() {
        assert_eq!(trace_id().to_string().as_bytes()[14], b'4');
    }
}
