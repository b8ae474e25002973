//! Which deliveries came before.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use staso_core::trace::Timestamp;

use super::secrets::Signature;

/// The deliveries of the last days, a bounded number. The oldest are forgotten first.
///
/// A delivery's id and the name of its event are not signed, only its body is. So the same body is the same delivery,
/// whatever its headers say.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    max_deliveries: usize,
    max_age: Duration,
    order: VecDeque<Seen>,
    ids: HashSet<Box<str>>,
    signatures: HashSet<Signature>,
}

#[derive(Debug)]
struct Seen {
    at: Timestamp,
    id: Box<str>,
    signature: Signature,
}

impl ReplayWindow {
    pub(super) fn new(max_deliveries: usize, max_age: Duration) -> Self {
        Self {
            max_deliveries,
            max_age,
            order: VecDeque::new(),
            ids: HashSet::new(),
            signatures: HashSet::new(),
        }
    }

    /// Remembers a delivery. `false` when it came before.
    pub(super) fn insert(&mut self, id: &str, signature: Signature, now: Timestamp) -> bool {
        while self.order.front().is_some_and(|oldest| now.since(oldest.at) > self.max_age) {
            self.drop_oldest();
        }
        if self.ids.contains(id) || self.signatures.contains(&signature) {
            return false;
        }
        self.ids.insert(id.into());
        self.signatures.insert(signature);
        self.order.push_back(Seen { at: now, id: id.into(), signature });
        while self.order.len() > self.max_deliveries {
            self.drop_oldest();
        }
        true
    }

    pub(super) fn forget(&mut self, id: &str) {
        if let Some(seen) =
            self.order.iter().position(|seen| &*seen.id == id).and_then(|at| self.order.remove(at))
        {
            self.drop_keys(&seen);
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(seen) = self.order.pop_front() {
            self.drop_keys(&seen);
        }
    }

    fn drop_keys(&mut self, seen: &Seen) {
        self.ids.remove(&seen.id);
        self.signatures.remove(&seen.signature);
    }
}
