//! Staso for agent applications.
//!
//! Record runs, take in traces, keep them, and turn failed runs into proposed fixes.
//!
//! # Recording
//! ```
//! # #[cfg(feature = "capture")] {
//! # async fn run(question: &str) -> String { question.to_owned() }
//! # async fn main() -> Result<(), staso::InitError> {
//! let staso = staso::init!().agent("billing-agent").start()?; // key and endpoint from the environment
//! let answer = staso::agent("billing-agent").conversation("conv-42").scope(run("refund?")).await;
//! let report = staso.shutdown(std::time::Duration::from_secs(5)).await;
//! # Ok(()) }
//! # }
//! ```

#[cfg(feature = "build")]
pub mod build;
#[cfg(feature = "capture")]
pub mod capture;
#[cfg(any(feature = "capture", feature = "heal"))]
mod clock;
#[cfg(feature = "capture")]
mod config;
#[cfg(any(feature = "capture", feature = "build", feature = "llm"))]
mod environment;
#[cfg(feature = "capture")]
mod error;
#[cfg(feature = "capture")]
pub mod export;
#[cfg(feature = "capture")]
mod init;
#[cfg(feature = "capture")]
mod macros;
#[cfg(any(feature = "capture", feature = "ingest"))]
mod marks;
#[cfg(any(feature = "capture", feature = "ingest"))]
mod peek;
#[cfg(all(doctest, feature = "capture", feature = "github", feature = "heal", feature = "llm"))]
mod readme;
#[cfg(any(feature = "capture", feature = "heal", feature = "llm"))]
mod secret;
#[cfg(any(feature = "capture", feature = "ingest"))]
mod span_kind;

#[cfg(feature = "heal")]
pub mod heal;
#[cfg(feature = "ingest")]
pub mod ingest;
#[cfg(feature = "llm")]
pub mod models;
#[cfg(feature = "ingest")]
pub mod store;
#[cfg(feature = "heal")]
pub mod vcs;

#[cfg(feature = "capture")]
pub use capture::{BuildFacts, CapturePolicy, agent, llm, tool};
#[cfg(any(feature = "capture", feature = "build", feature = "llm"))]
pub use environment::{Environment, ProcessEnvironment};
#[cfg(feature = "capture")]
pub use error::InitError;
#[cfg(feature = "capture")]
pub use export::{DeliveryReport, Exporter};
#[cfg(feature = "capture")]
pub use init::{Builder, Installed, Staso, init};
#[cfg(any(feature = "capture", feature = "heal", feature = "llm"))]
pub use secret::Secret;
