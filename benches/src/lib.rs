//! What the benchmarks in `benches/`, one file a claim, share.

mod clock;
mod pairs;
mod repository;
mod turns;

pub use clock::process_context;
pub use pairs::pairs;
pub use repository::{git, repository};
pub use turns::{Failure, Times, Way, turns};
