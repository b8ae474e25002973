//! The change of a session while it is being made.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::agent::tools::WrittenFiles;
use crate::code::{CodeSnapshot, RepoPath, SourceFile};
use crate::fix::edit::new_syntax_error;
use crate::fix::kind::changes_only_tests;
use crate::fix::{Patch, PatchError, PathPolicy, PolicyViolation};
use crate::redaction::Redactor;
use crate::run::RunContext;
use crate::sandbox::{Sandbox, SandboxError, SandboxSession, SandboxSpec, SessionChange};

/// Largest file whose content at the commit is read, in bytes.
const MAX_BASE_BYTES: u64 = 1 << 20;

/// Turns what a session did into a patch that keeps to the rules.
#[derive(Debug)]
pub(crate) struct FixDraft<'a> {
    sandbox: &'a dyn Sandbox,
    spec: &'a SandboxSpec,
    policy: &'a PathPolicy,
    redactor: &'a Redactor,
    /// The files at the commit, with those that were read later.
    base: Mutex<CodeSnapshot>,
    written: WrittenFiles,
}

/// What a session did.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// The change, or why it is none.
    pub(crate) patch: Result<Patch, DraftProblem>,
    /// New files that commands left behind; they are no part of the change.
    pub(crate) left_out: Vec<String>,
}

/// The change cannot be proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DraftProblem {
    /// No file differs.
    #[error("no file has changed")]
    Empty,
    /// Nothing but tests differs.
    #[error("only tests have changed, which mends nothing")]
    OnlyTests,
    /// The content at the commit cannot be known.
    #[error("nobody knows what {path} held at the commit: {why}")]
    UnknownBase {
        /// The file.
        path: RepoPath,
        /// Why not.
        why: String,
    },
    /// It is no change of text files.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The policy refuses it.
    #[error(transparent)]
    Policy(#[from] PolicyViolation),
    /// A file parses worse than before.
    #[error("line {line} of {path} has a syntax error that was not there before")]
    Syntax {
        /// The file.
        path: RepoPath,
        /// The line, from 1.
        line: usize,
    },
}

impl DraftProblem {
    /// What a model may do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "change something with edit_file or write_file first",
            Self::OnlyTests => "change what the tests are about",
            Self::Syntax { .. } => "mend the line",
            Self::UnknownBase { .. } | Self::Patch(_) | Self::Policy(_) => {
                "undo that part: read the file and edit it back"
            }
        }
    }
}

impl<'a> FixDraft<'a> {
    /// For a session over the checkout of `spec`, whose own tools note what they write in `written`.
    pub(crate) fn new(
        sandbox: &'a dyn Sandbox,
        spec: &'a SandboxSpec,
        code: &CodeSnapshot,
        policy: &'a PathPolicy,
        redactor: &'a Redactor,
        written: WrittenFiles,
    ) -> Self {
        Self { sandbox, spec, policy, redactor, base: Mutex::new(code.clone()), written }
    }

    /// The change as it is now.
    pub(crate) async fn draw(
        &self,
        session: &dyn SandboxSession,
        ctx: &RunContext,
    ) -> Result<Drawn, SandboxError> {
        let (changes, left_out) = self.own(session.changes(ctx).await?);
        let patch = match self.read_base(&changes, ctx).await? {
            Some(problem) => Err(problem),
            None => self.check(&changes, ctx),
        };
        Ok(Drawn { patch, left_out })
    }

    /// The changes that count: those of files of the commit, and those that the agent's own tools wrote.
    fn own(
        &self,
        changes: BTreeMap<RepoPath, SessionChange>,
    ) -> (BTreeMap<RepoPath, SessionChange>, Vec<String>) {
        let base = self.base();
        let (own, other): (BTreeMap<_, _>, BTreeMap<_, _>) = changes
            .into_iter()
            .partition(|(path, _)| base.paths().binary_search(path).is_ok() || self.written.contains(path));
        (own, other.into_keys().map(|path| path.to_string()).collect())
    }

    /// Reads what changed files held at the commit, where that is not known yet, in a session where nothing has run.
    async fn read_base(
        &self,
        changes: &BTreeMap<RepoPath, SessionChange>,
        ctx: &RunContext,
    ) -> Result<Option<DraftProblem>, SandboxError> {
        let unread: Vec<&RepoPath> = {
            let base = self.base();
            let in_tree = |path: &RepoPath| base.paths().binary_search(path).is_ok();
            let wanted =
                |path: &&RepoPath| base.file(path).is_none() && (in_tree(path) || base.is_tree_truncated());
            changes.keys().filter(wanted).take(Patch::MAX_FILES).collect()
        };
        if unread.is_empty() {
            return Ok(None);
        }
        let session = self.sandbox.open(self.spec, ctx).await?;
        let mut problem = None;
        for path in unread {
            problem = self.read_one(path, &*session, ctx).await?;
            if problem.is_some() {
                break;
            }
        }
        session.close().await?;
        Ok(problem)
    }

    async fn read_one(
        &self,
        path: &RepoPath,
        session: &dyn SandboxSession,
        ctx: &RunContext,
    ) -> Result<Option<DraftProblem>, SandboxError> {
        let unknown = |why: String| Ok(Some(DraftProblem::UnknownBase { path: path.clone(), why }));
        let listed = self.base().listed(path).cloned();
        let content = match (session.read_file(path, MAX_BASE_BYTES, ctx).await, &listed) {
            (Err(SandboxError::NotFound { .. }), None) => return Ok(None),
            (Err(error @ (SandboxError::Cancelled | SandboxError::Closed)), _) => return Err(error),
            (Err(error), _) => return unknown(error.to_string()),
            (Ok(content), _) => content,
        };
        let Some(listed) = listed else {
            return unknown("the list of files was too long to be read to its end".to_owned());
        };
        let Ok(text) = String::from_utf8(content) else { return unknown("it was not text".to_owned()) };
        let file = SourceFile { blob: listed.blob, text: text.into(), executable: listed.executable };
        self.base().insert(path.clone(), file);
        Ok(None)
    }

    fn check(
        &self,
        changes: &BTreeMap<RepoPath, SessionChange>,
        ctx: &RunContext,
    ) -> Result<Patch, DraftProblem> {
        let patch = match Patch::from_changes(&self.base(), changes) {
            Err(PatchError::Empty) => return Err(DraftProblem::Empty),
            made => made?,
        };
        self.policy.check_with(&patch, self.redactor)?;
        for (path, file) in patch.files() {
            let before = (!file.is_new()).then(|| file.before());
            if let Some(line) = new_syntax_error(path, before, file.after(), ctx) {
                return Err(DraftProblem::Syntax { path: path.clone(), line });
            }
        }
        if changes_only_tests(&patch) { Err(DraftProblem::OnlyTests) } else { Ok(patch) }
    }

    fn base(&self) -> std::sync::MutexGuard<'_, CodeSnapshot> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
