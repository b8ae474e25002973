//! The orchestrator: one failed run in, one [`RunArtifact`](crate::run::RunArtifact) out.
//!
//! It decides what happens next and settles the outcome. How to diagnose, repair, confine and publish is the work of
//! the plug-ins it was given.

mod clean;
mod draft;
mod handle;
mod healer;
mod inquiry;
mod policy;
mod preload;
mod proof;
mod publish;
mod repair;
mod request;
mod rivals;
mod run;
mod search;
mod stop;
mod switch;

pub use handle::RunHandle;
pub use healer::{Healer, HealerBuilder, RunIds};
pub use policy::{HealPolicy, PreloadLimits};
pub use request::{HealRequest, StoppingPoint, UnknownStoppingPoint};
pub use switch::SandboxSwitch;
