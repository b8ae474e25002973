//! The HTTP endpoint that takes traces in: a router to mount into an application, and a way to serve it alone.

mod answer;
mod auth;
mod request;
mod router;
mod serve;
mod state;

pub use auth::IngestAuth;
pub use router::router;
pub use serve::serve;
pub use state::IngestState;
