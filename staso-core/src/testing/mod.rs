//! In-memory doubles of the plug traits, for tests of applications and plug-ins.

mod clock;
mod sandbox;
mod store;
mod vcs;

pub use clock::{TestClock, test_context};
pub use store::{MemoryRunStore, MemoryTraceStore};
