//! The default wiring: embedded stores, local git, local sandbox, quick rules and template repair.
//!
//! An application that records itself, takes in the traces of others, and heals what failed:
//!
//! ```
//! # #[cfg(all(feature = "capture", feature = "server"))] mod example {
//! use std::time::Duration;
//!
//! use staso::heal::{LocalOptions, local};
//! use staso::ingest::{IngestAuth, IngestState, router};
//! use staso_core::heal::{HealRequest, StoppingPoint};
//! use staso_core::id::WorkspaceId;
//! use staso_core::run::{TraceFilter, TraceStore as _};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path();
//! let healing = local(LocalOptions::new(data))?;
//!
//! // Record this process, straight into the store.
//! let staso = staso::init!()
//!     .agent("billing-agent")
//!     .exporter(staso::Exporter::store(healing.store().clone()))
//!     .start()?;
//!
//! // Take in what other processes send: mount these routes into your axum application.
//! let workspace = WorkspaceId::new("default")?;
//! let ingest = router(IngestState::new(
//!     healing.store().clone(),
//!     IngestAuth::new("a-key-of-yours", workspace.clone()),
//! ));
//! # drop(ingest);
//!
//! // A run that fails.
//! let refund = staso::tool("refund").scope_display(async { Err::<(), _>("order A-1 has no total") });
//! let failed = staso::agent("billing-agent").conversation("conv-42").scope(refund).await;
//! assert!(failed.is_err());
//! staso.flush(Duration::from_secs(5)).await;
//!
//! // Heal it. `until` is an upper bound: `Publish` would also leave a branch.
//! let failed = TraceFilter::default().failed();
//! let traces = healing.store().find(&workspace, &failed, &healing.context()).await?;
//! for trace in traces {
//!     let request = HealRequest::new(workspace.clone(), trace.trace_id).until(StoppingPoint::Verify);
//!     let artifact = healing.start(request).artifact().await?;
//!     println!("{:?}: {}", artifact.outcome.state, artifact.outcome.reason);
//!     assert!(healing.verify(&artifact).await?.is_empty());
//! }
//! # Ok(())
//! # }
//! # }
//! # #[cfg(all(feature = "capture", feature = "server"))]
//! # example::main().unwrap();
//! ```

mod agents;
mod audit;
mod clock;
mod ids;
mod local;
mod providers;
mod run_files;

pub use agents::AgentOptions;
pub use audit::VerifyError;
pub use clock::SystemClock;
pub use ids::RandomRunIds;
pub use local::{Local, LocalError, LocalOptions, local, repository_url};
pub use run_files::RunFiles;
