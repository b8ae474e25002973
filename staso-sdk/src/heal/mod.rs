//! The default wiring: embedded stores, local git, local sandbox, quick rules and template repair.

mod clock;
mod ids;

pub use clock::SystemClock;
pub use ids::RandomRunIds;
