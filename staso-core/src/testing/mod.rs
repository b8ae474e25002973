//! In-memory doubles of the plug traits, for tests of applications and plug-ins.

mod cassette;
mod chaos_model;
mod clock;
mod diagnoser;
mod fixer;
mod pieces;
mod recording_model;
mod replaying_model;
mod run_ids;
mod sandbox;
mod scripted_model;
mod seen_request;
mod sink;
mod store;
mod test_runner;
mod vcs;

pub use cassette::{CASSETTE_VERSION, Cassette, CassetteError, Take};
pub use chaos_model::{Chaos, ChaosModel};
pub use clock::{TestClock, test_context};
pub use diagnoser::FixedDiagnoser;
pub use fixer::ReplacingFixer;
pub use recording_model::RecordingModel;
pub use replaying_model::{CassetteMismatch, ReplayingModel};
pub use run_ids::CountingRunIds;
pub use sandbox::{MemorySandbox, SandboxCall, ScriptedExec, SessionFiles};
pub use scripted_model::{ScriptedModel, tool_call};
pub use seen_request::{SeenRequest, SeenToolChoice};
pub use sink::MemorySink;
pub use store::{MemoryRunStore, MemoryTraceStore};
pub use test_runner::ContentTests;
pub use vcs::{MemoryFiles, MemoryProposal, MemoryRepository, MemoryVcs, memory_blob, memory_commit};
