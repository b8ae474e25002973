//! Ids for runs.

use staso_core::heal::RunIds;
use staso_core::id::RunId;

/// UUIDs of version 7 (RFC 9562): random, and sorted by the time they were drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomRunIds;

impl RunIds for RandomRunIds {
    fn next(&self) -> RunId {
        RunId::from_bytes(uuid::Uuid::now_v7().into_bytes())
    }
}
