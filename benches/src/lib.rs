//! What the benchmarks in `benches/`, one file a claim, share.

mod clock;
mod pairs;

pub use clock::process_context;
pub use pairs::pairs;
