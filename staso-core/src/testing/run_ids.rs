//! Run ids that count.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::heal::RunIds;
use crate::id::RunId;

/// 1, 2, 3 … in the last eight bytes.
#[derive(Debug, Default)]
pub struct CountingRunIds(AtomicU64);

impl RunIds for CountingRunIds {
    fn next(&self) -> RunId {
        let number = self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        RunId::from_bytes(u128::from(number).to_be_bytes())
    }
}
