//! What a run leaves behind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Budget, BudgetUse};
use crate::agent::ModelId;
use crate::diagnosis::{Diagnosis, FixKind};
use crate::id::{BranchName, CommitId, ConversationId, Digest, RunId, TraceId, WorkspaceId};
use crate::sandbox::Isolation;
use crate::trace::{RepositoryUrl, Timestamp};
use crate::vcs::{CommitSignature, ProposalAction, ProposalState};
use crate::verify::TestCounts;

/// Version of [`RunArtifact`] as it is written.
pub const ARTIFACT_SCHEMA_VERSION: u32 = 2;

/// Everything one run found, did and used. Every run leaves exactly one, whatever happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunArtifact {
    /// How to read it: [`ARTIFACT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// What made it.
    pub engine: EngineInfo,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// What was diagnosed.
    pub subject: Subject,
    /// A digest of exactly the trace that was read; `None` when it could not be read.
    pub trace_digest: Option<Digest>,
    /// When the run began.
    pub started_at: Timestamp,
    /// The revision that the failure happened at.
    pub source: SourceRecord,
    /// How the run ended.
    pub outcome: Outcome,
    /// What failed and why; `None` when the run ended before that.
    pub diagnosis: Option<Diagnosis>,
    /// The change; `None` when there is none.
    pub fix: Option<FixRecord>,
    /// The proof; `None` when nothing was run.
    pub verification: Option<VerificationRecord>,
    /// The pull request or its local equivalent.
    pub proposal: Option<ProposalRecord>,
    /// What confined the code that ran; `None` when nothing was run.
    pub isolation: Option<Isolation>,
    /// Why the run could open no sandbox, when the switch of its workspace was off, and where it is turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_disabled: Option<String>,
    /// What the run was allowed to use and has used.
    pub budget: BudgetReport,
    /// Time spent in each phase, in milliseconds.
    pub timings_ms: BTreeMap<String, u64>,
    /// Everything the run looked at, and what it was not allowed to see.
    pub context: ContextSummary,
    /// The digest of the last, terminal event: a hash chain over the whole transcript.
    pub events_digest: Digest,
}

/// What made an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineInfo {
    /// Version of this crate.
    pub version: String,
    /// Digest of the rule catalogue.
    pub rules_digest: Digest,
    /// The calibration in use.
    pub calibrator: String,
    /// The diagnosers and fixers in use, in order.
    pub parts: Vec<String>,
    /// The models that were asked; empty when none was.
    #[serde(default)]
    pub models: Vec<ModelId>,
    /// The prompts that were used, each with the digest of its text before anything was filled in.
    #[serde(default)]
    pub prompts: BTreeMap<String, Digest>,
}

/// What was diagnosed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One run of an agent.
    TraceId(TraceId),
    /// All runs of a conversation.
    ConversationId(ConversationId),
}

/// The revision that a failure happened at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRecord {
    /// The repository.
    pub repository_url: Option<RepositoryUrl>,
    /// The branch that ran.
    pub branch: Option<BranchName>,
    /// The commit that ran.
    pub commit: Option<CommitId>,
    /// Whether the working tree differed from the commit, so that the commit may not reproduce the failure.
    pub dirty: Option<bool>,
    /// The newest commit of the branch that the fix is for.
    pub base_tip: Option<CommitId>,
    /// What the reader should know about the revision.
    pub notes: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The terminal state.
    pub state: OutcomeState,
    /// A lasting name for machines, e.g. `verified_fix` or `tests_already_fail`.
    pub code: String,
    /// What was tried and why it ended so, in a sentence or two.
    pub reason: String,
}

/// The terminal states of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeState {
    /// The stopping point was reached.
    Completed,
    /// No cause is supported well enough to act on.
    NotEnoughEvidence,
    /// The right answer is not a change of the repository.
    NoCodeFix,
    /// The failure did not happen again at the failing commit.
    NotReproduced,
    /// Every candidate was refused, or there was none.
    FixRejected,
    /// The run was cancelled.
    Cancelled,
    /// A bound was reached.
    BudgetExhausted,
    /// The run could not go on.
    Failed,
}

/// A change as the artifact shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixRecord {
    /// What kind of file it changes.
    pub kind: FixKind,
    /// Imperative title that names the behaviour.
    pub title: String,
    /// The files.
    pub files: Vec<String>,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
    /// The unified diff, made from file contents.
    pub diff: String,
    /// Each part of the change with its reason.
    pub hunks: Vec<HunkRecord>,
    /// What wrote it, e.g. `template:wrong-key`.
    pub author: String,
}

/// One part of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HunkRecord {
    /// The file.
    pub file: String,
    /// Why it is changed.
    pub why: String,
    /// The check that fails without it; `None` when that was not found out.
    pub needed_by: Option<String>,
}

/// The proof of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerificationRecord {
    /// Whether the failure was reproduced, is gone with the change, and the project's own tests still pass.
    pub verified: bool,
    /// Whether every check that ran with the change passed.
    pub verify_passed: bool,
    /// Every check, in the order in which they ran; those that did not run say why.
    pub checks: Vec<CheckRecord>,
    /// How many candidates were tried.
    pub candidates_tried: u64,
    /// Other candidates, close behind the chosen one, that stop the failure and keep the tests passing as well: the proof
    /// alone does not decide between them.
    pub also_passed: Vec<String>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRecord {
    /// `reproduction`, `tests` or `base`.
    pub name: String,
    /// The command, as a person would type it.
    pub command: String,
    /// Where it ran.
    pub at: CheckSubject,
    /// Whether the change was applied.
    pub patched: bool,
    /// Whether it came out as a fix needs it; `None` when it did not run.
    pub ok: Option<bool>,
    /// The exit code; `None` when it did not run or was killed.
    pub exit_code: Option<i32>,
    /// How many tests did what.
    pub counts: Option<TestCounts>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What it found, or why it did not run.
    pub detail: String,
}

/// Where a check ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckSubject {
    /// The commit that failed.
    FailingCommit,
    /// The newest commit of the branch that the fix is for.
    BaseTip,
}

/// A pull request as the artifact shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProposalRecord {
    /// The branch with the fix.
    pub branch: BranchName,
    /// The branch it is for.
    pub base: BranchName,
    /// The commit with the fix.
    pub head: CommitId,
    /// Where to read it.
    pub url: String,
    /// What became of it.
    pub state: ProposalState,
    /// Whether this run made, found or changed it.
    pub action: ProposalAction,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// What the forge says about the signature of `head`; absent when nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<CommitSignature>,
    /// What did not work but did not stop it.
    pub warnings: Vec<String>,
}

/// What a run was allowed to use and has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetReport {
    /// Used.
    pub used: BudgetUse,
    /// Time from start to end, in milliseconds.
    pub wall_ms: u64,
    /// Allowed.
    pub limits: Budget,
}

/// Everything a run looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextSummary {
    /// Spans read.
    pub spans_read: usize,
    /// Guard violations read.
    pub violations_read: usize,
    /// Files read at the failing commit.
    pub files_read: Vec<String>,
    /// Files that were wanted but not read, and why.
    pub files_skipped: Vec<String>,
    /// Tools that ran.
    pub tools_used: Vec<String>,
    /// What the capture policy of the application withheld.
    pub suppressed: Vec<String>,
}
