//! Benchmarks live in `benches/`, one file a claim; here is what they share.

mod pairs;

pub use pairs::pairs;
