//! Where something was found that must not be seen.

use std::ops::Range;

/// What stands in the place of a credential.
pub(super) const SECRET: &str = "[secret]";

/// A range of bytes, and what to write in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) mask: &'static str,
}

impl Found {
    pub(super) const fn secret(range: Range<usize>) -> Self {
        Self { range, mask: SECRET }
    }
}

/// Sorts by place and joins what overlaps; what is part of a credential is shown as one.
pub(super) fn merge(mut all: Vec<Found>) -> Vec<Found> {
    all.sort_by_key(|found| (found.range.start, found.range.end));
    let mut merged: Vec<Found> = Vec::with_capacity(all.len());
    for found in all {
        match merged.last_mut() {
            Some(last) if found.range.start < last.range.end => {
                last.range.end = last.range.end.max(found.range.end);
                if found.mask == SECRET {
                    last.mask = SECRET;
                }
            }
            _ => merged.push(found),
        }
    }
    merged
}
