//! The default wiring: embedded stores, local git, local sandbox, quick rules and template repair.

mod clock;
mod ids;
mod local;
mod run_files;

pub use clock::SystemClock;
pub use ids::RandomRunIds;
pub use local::{Local, LocalError, LocalOptions, local, repository_url};
pub use run_files::RunFiles;
