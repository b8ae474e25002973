//! Benchmarks live in `benches/`, one file a claim; this library is empty.
