//! [`SubmitFix`].

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::problem::of_sandbox;
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::fix::Patch;
use crate::fix::agent::FixDraft;
use crate::id::Digest;
use crate::run::RunContext;

/// Hands the change in. The first call answers with the whole change and a checklist; a second one with the same files
/// is accepted when it comes in a later reply, so that the one who makes it can have read the answer. A change that is empty, broken or refused by the policy is never accepted.
#[derive(Debug)]
pub(crate) struct SubmitFix<'a> {
    spec: ToolSpec,
    draft: &'a FixDraft<'a>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shown: Option<Seen>,
    accepted: Option<(FixSubmission, Patch)>,
}

/// A change that was shown.
#[derive(Debug)]
struct Seen {
    change: Digest,
    /// The reply that it was an answer to.
    turn: u64,
}

/// A change, as the one who made it describes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FixSubmission {
    /// Imperative title that names the behaviour, at most 72 characters.
    pub(crate) title: String,
    /// Why this change removes the cause, in Markdown. The first sentence stands alone in the proposal.
    pub(crate) explanation_md: String,
    /// What is changed mostly.
    #[serde(rename = "fix_type")]
    _fix_type: FixType,
    /// How likely it is to break something.
    #[serde(rename = "risk")]
    _risk: Risk,
    /// Which tests you ran with this change, and what they said.
    #[serde(rename = "tests_run")]
    _tests_run: String,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FixType {
    Prompt,
    Code,
    Config,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Risk {
    Low,
    Medium,
    High,
}

const DESCRIPTION: &str = "Hands in your change. The first call shows it to you with a checklist; call it again to \
                           confirm. Nothing else ends the work.";
const TOO_SOON: &str = "The change was shown in this same reply. Read it, then confirm in your next reply.";
/// What a model is asked to check.
const CHECKLIST: &str = include_str!("../../fix/agent/prompts/checklist.md");
/// The part of a diff that is shown, in bytes; answers of tools are cut at 16 KiB.
const MAX_SHOWN_BYTES: usize = 12 << 10;
/// Longest title and explanation, in bytes.
const MAX_TEXT_BYTES: usize = 16 << 10;
/// Paths that are named.
const MAX_PATHS: usize = 10;

impl<'a> SubmitFix<'a> {
    /// The name of the tool.
    pub(crate) const NAME: &'static str = "submit_fix";
    /// The text that is shown with the change.
    pub(crate) const CHECKLIST: &'static str = CHECKLIST;

    /// Hands in the changes of a draft.
    pub(crate) fn new(draft: &'a FixDraft<'a>) -> Self {
        let spec = ToolSpec::of::<FixSubmission>(Self::NAME, DESCRIPTION);
        Self { spec, draft, state: Mutex::default() }
    }

    /// The change that was accepted, and what was said of it.
    pub(crate) fn into_accepted(self) -> Option<(FixSubmission, Patch)> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).accepted
    }
}

#[async_trait]
impl Tool for SubmitFix<'_> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let submission: FixSubmission = self.spec.arguments(arguments)?;
        if submission.title.trim().is_empty() || submission.explanation_md.trim().is_empty() {
            return Err(
                ToolProblem::new(ToolProblemCode::BadArgs, "title and explanation_md say something").into()
            );
        }
        if submission.title.len().max(submission.explanation_md.len()) > MAX_TEXT_BYTES {
            return Err(ToolProblem::new(ToolProblemCode::TooLarge, "explain it in fewer words").into());
        }
        let drawn = self.draft.draw(scope.session()?, ctx).await.map_err(of_sandbox)?;
        let patch = drawn.patch.map_err(|problem| {
            ToolProblem::new(ToolProblemCode::Denied, format!("the change cannot be submitted: {problem}"))
                .with_hint(problem.hint())
        })?;
        let digest = Digest::of(patch.diff());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.shown.as_ref().filter(|seen| seen.change == digest) {
            Some(seen) if seen.turn < scope.turn => {
                state.accepted = Some((submission, patch));
                return Ok(ToolReply::Accepted("the change is handed in".to_owned()));
            }
            Some(_) => return Ok(ToolReply::Text(TOO_SOON.to_owned())),
            None => {}
        }
        let before = state.shown.replace(Seen { change: digest, turn: scope.turn });
        Ok(ToolReply::Text(show(&patch, &drawn.left_out, before.is_some())))
    }
}

fn show(patch: &Patch, left_out: &[String], again: bool) -> String {
    let (added, removed) = patch.line_counts();
    let files = patch.paths().len();
    let first = if again { "The files changed since you last submitted. " } else { "" };
    let mut text =
        format!("{first}Your whole change (files: {files}, lines added: {added}, removed: {removed}):\n\n");
    let diff = patch.diff();
    let end = (0..=diff.len().min(MAX_SHOWN_BYTES)).rev().find(|at| diff.is_char_boundary(*at)).unwrap_or(0);
    text.push_str(diff.get(..end).unwrap_or_default());
    if end < diff.len() {
        let _ = write!(text, "\n… {} more bytes in {}", diff.len() - end, patch.paths().join(", "));
    }
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().take(MAX_PATHS).map(String::as_str).collect();
        let _ = write!(
            text,
            "\nNew files that are left out, because write_file did not make them ({}): {}\n",
            left_out.len(),
            names.join(", ")
        );
    }
    text.push('\n');
    text.push_str(CHECKLIST);
    text
}
