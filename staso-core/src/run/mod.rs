//! One run: what it may use ([`RunContext`]), what it says while it works ([`RunEvent`]), what it leaves behind
//! ([`RunArtifact`]) and where traces and artifacts are kept ([`TraceStore`], [`RunStore`]).

mod artifact;
mod audit;
mod budget;
mod clock;
mod context;
mod event;
mod notes;
mod redirections;
mod store;

pub use artifact::{
    ARTIFACT_SCHEMA_VERSION, BudgetReport, CheckRecord, CheckSubject, ContextSummary, EngineInfo, FixRecord,
    HunkRecord, Outcome, OutcomeState, ProposalRecord, RunArtifact, SourceRecord, Subject,
    VerificationRecord,
};
pub use audit::{AuditFinding, AuditInputs, verify_artifact};
pub use budget::{Budget, BudgetExhausted, BudgetMeter, BudgetUse};
pub use clock::{Clock, Sleep};
pub use context::{Interrupted, RunContext};
pub use event::{
    EVENT_SCHEMA_VERSION, EventKind, EventSink, Phase, RunEvent, TranscriptError, verify_transcript,
};
pub use notes::{Note, RunNotes};
pub use redirections::{RedirectError, Redirections};
pub use store::{
    PutReceipt, RunStore, StoreError, TraceBatch, TraceFilter, TracePart, TraceStore, TraceSummary,
};
