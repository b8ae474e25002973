//! [`SubmitDiagnosis`]: how a diagnosing agent ends.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::agent::{Shown, Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::{CodeSnapshot, RepoPath, SourceFile};
use crate::diagnosis::{
    Citation, DiagnoseRequest, Evidence, FixKind, Receipt, ReceiptKind, ReceiptVerdict, Summary,
};
use crate::id::SpanId;
use crate::redaction::{Redactor, visible};
use crate::run::{Note, RunContext};
use crate::sandbox::SandboxError;
use crate::trace::legible;

/// Submissions with something that does not hold that are handed back.
const CHANCES: u32 = 2;
/// Receipts in one submission.
const MAX_RECEIPTS: usize = 20;
/// Files that a fix may name.
const MAX_TARGET_FILES: usize = 10;
const MAX_EXPLANATION_CHARS: usize = 8_000;
const MAX_DESCRIPTION_CHARS: usize = 2_000;
const MAX_CATEGORY_CHARS: usize = 64;

/// Reads files of the failing commit where no agent can have written.
///
/// # Contract
/// What comes back is the content at the commit, whatever the agent did before: a session that the agent worked in is no
/// such source. A file that cannot be read is `None`.
///
/// # Errors
/// When the run was cancelled.
#[async_trait]
pub trait CleanSource: Debug + Send + Sync {
    /// The text of a file.
    async fn read(&self, path: &RepoPath, ctx: &RunContext) -> Result<Option<Arc<str>>, SandboxError>;
}

/// Takes a diagnosis and checks every citation of it. The only way for a diagnosing agent to end.
///
/// A submission with citations that do not hold is handed back with the reasons, twice at most; after that it is accepted
/// with what does not hold marked as rejected.
#[derive(Debug)]
pub struct SubmitDiagnosis<'a> {
    spec: ToolSpec,
    request: &'a DiagnoseRequest<'a>,
    redactor: &'a Redactor,
    source: Option<&'a dyn CleanSource>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refused: u32,
    code: Option<CodeSnapshot>,
    last: Option<Submission>,
}

/// A diagnosis as submitted: cleaned, with its citations checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The cause in one line.
    pub summary: Summary,
    /// The cause at length, in Markdown, ≤ 8,000 characters.
    pub explanation_md: String,
    /// The failure pattern: lower-case letters, digits and `_`.
    pub category: String,
    /// The step that is blamed; `None` when the trace has no such step.
    pub span_id: Option<SpanId>,
    /// What to change.
    pub fix: SubmittedFix,
    /// How sure the model says it is, from 0 to 1.
    pub confidence: f64,
    /// The evidence, for hypothesis `h1`.
    pub receipts: Vec<Receipt>,
}

/// What to change, as submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedFix {
    /// What kind of file the change is in; `None` when no change of the repository would help.
    pub kind: Option<FixKind>,
    /// What to do, or why nothing helps.
    pub description: String,
    /// Files that exist at the failing commit, best first, at most 10.
    pub target_files: Vec<RepoPath>,
}

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The cause in one line, at most 200 characters.
    #[schemars(length(max = 200))]
    summary: String,
    /// The cause at length, in Markdown, at most 8,000 characters.
    #[schemars(length(max = 8000))]
    explanation_md: String,
    /// Where it went wrong first.
    root_cause: RootCause,
    /// What to change in the repository.
    suggested_fix: Fix,
    /// How sure you are that this is the cause, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    confidence: f64,
    /// The evidence, at least one.
    #[schemars(length(min = 1, max = 20))]
    receipts: Vec<Citation>,
}

/// Where it went wrong first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RootCause {
    /// The failure pattern in snake_case, e.g. key_missing_in_tool_result.
    category: String,
    /// The id of the span where it went wrong first.
    step_span_id: String,
}

/// What to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fix {
    /// What kind of file the change is in; none when no change of the repository would help, e.g. because a provider was
    /// down.
    #[schemars(schema_with = "fix_types")]
    r#type: FixType,
    /// What to do; for none, why no change helps.
    description: String,
    /// Paths of the files to change, best first; empty for none.
    target_files: Vec<String>,
}

// The schema of the type explains each value, in a form that not every provider takes.
fn fix_types(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["prompt", "code", "config", "none"] })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FixType {
    Prompt,
    Code,
    Config,
    None,
}

impl FixType {
    const fn kind(self) -> Option<FixKind> {
        match self {
            Self::Prompt => Some(FixKind::Prompt),
            Self::Code => Some(FixKind::Code),
            Self::Config => Some(FixKind::Config),
            Self::None => None,
        }
    }
}

impl<'a> SubmitDiagnosis<'a> {
    /// The tool's name.
    pub const NAME: &'static str = "submit_diagnosis";

    /// For a diagnosis of this request.
    #[must_use]
    pub fn new(request: &'a DiagnoseRequest<'a>, redactor: &'a Redactor) -> Self {
        let spec = ToolSpec::of::<Arguments>(
            Self::NAME,
            "Ends your work with the diagnosis. Every receipt is checked by code: the quote must stand, word for word, in the \
             place it cites.",
        );
        let state = State { code: request.code.cloned(), ..State::default() };
        Self { spec, request, redactor, source: None, state: Mutex::new(state) }
    }

    /// Reads cited files that the request's code does not hold.
    #[must_use]
    pub const fn with_source(mut self, source: Option<&'a dyn CleanSource>) -> Self {
        self.source = source;
        self
    }

    /// The last submission, accepted or handed back, and the code that its citations were checked against.
    #[must_use]
    pub fn into_submission(self) -> Option<(Submission, Option<CodeSnapshot>)> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.last.map(|last| (last, state.code))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is cited and not read yet.
    async fn read_cited(&self, citations: &[Citation], ctx: &RunContext) -> Result<(), ToolError> {
        let (Some(source), Some(code)) = (self.source, self.state().code.clone()) else { return Ok(()) };
        let files = citations.iter().filter(|citation| citation.kind == ReceiptKind::File);
        for path in files.filter_map(|citation| RepoPath::new(citation.path.as_deref()?).ok()) {
            let known = self.state().code.as_ref().is_some_and(|code| code.file(&path).is_some());
            let Some(listed) = code.listed(&path).filter(|_| !known) else { continue };
            let Some(text) = source.read(&path, ctx).await? else { continue };
            ctx.note(Note::File(path.to_string()));
            let file = SourceFile { blob: listed.blob.clone(), text, executable: listed.executable };
            if let Some(code) = &mut self.state().code {
                code.insert(path, file);
            }
        }
        Ok(())
    }

    /// The submission with its citations checked, and what does not hold.
    fn settle(&self, arguments: &Arguments, shown: &Shown, ctx: &RunContext) -> (Submission, Vec<String>) {
        let state = self.state();
        let events = ctx.recorded_events();
        let evidence = Evidence::new(self.request.trace)
            .with_violations(self.request.violations)
            .with_code(state.code.as_ref())
            .with_events(&events)
            .of_run(ctx.run_id())
            .with_redactor(Some(self.redactor));
        let mut problems = Vec::new();
        let mut receipts = Vec::new();
        for (at, citation) in arguments.receipts.iter().enumerate() {
            let receipt = self.receipt(citation, format!("r{}", at + 1), &evidence, shown);
            if let ReceiptVerdict::Rejected { why } = &receipt.verdict {
                problems.push(format!("receipts[{at}]: {why}"));
            }
            receipts.push(receipt);
        }
        let span_id = arguments.root_cause.step_span_id.parse::<SpanId>().ok();
        let span_id = span_id.filter(|id| self.request.trace.span(*id).is_some());
        if span_id.is_none() {
            problems.push("root_cause.step_span_id: there is no span with this id in this trace".to_owned());
        }
        let target_files = target_files(&arguments.suggested_fix, state.code.as_ref(), &mut problems);
        let clean = |text: &str, limit: usize| -> String {
            legible(text, self.redactor).chars().take(limit).collect()
        };
        let submission = Submission {
            summary: Summary::new(&legible(&arguments.summary, self.redactor)),
            explanation_md: clean(&arguments.explanation_md, MAX_EXPLANATION_CHARS),
            category: category(&arguments.root_cause.category),
            span_id,
            fix: SubmittedFix {
                kind: arguments.suggested_fix.r#type.kind(),
                description: clean(&arguments.suggested_fix.description, MAX_DESCRIPTION_CHARS),
                target_files,
            },
            confidence: arguments.confidence,
            receipts,
        };
        (submission, problems)
    }

    fn receipt(&self, citation: &Citation, id: String, evidence: &Evidence<'_>, shown: &Shown) -> Receipt {
        let mut receipt = if self.redactor.finds(&citation.quote) {
            // What only the host knows to be a secret is taken out, so that the words cannot be found any more.
            let quote = self.redactor.clean(&citation.quote);
            let mut receipt = Citation { quote, ..citation.clone() }.resolve(id, "h1", evidence, shown);
            receipt.reject("the quote holds something that looks like a credential");
            receipt
        } else {
            citation.resolve(id, "h1", evidence, shown)
        };
        receipt.claim = self.redactor.clean(&receipt.claim);
        receipt
    }
}

#[async_trait]
impl Tool for SubmitDiagnosis<'_> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = self.spec.arguments(arguments)?;
        check_form(&arguments)?;
        self.read_cited(&arguments.receipts, ctx).await?;
        let (submission, problems) = self.settle(&arguments, scope.shown, ctx);
        let verified = submission.receipts.iter().filter(|receipt| receipt.is_verified()).count();
        let total = submission.receipts.len();
        let mut state = self.state();
        state.last = Some(submission);
        if !problems.is_empty() && state.refused < CHANCES {
            state.refused += 1;
            let left = CHANCES - state.refused;
            let message = format!("{verified} of {total} receipts hold. {}", problems.join("; "));
            let hint = format!(
                "copy quotes exactly from what you were shown, or drop what does not hold, and submit again; {left} more \
                 tries, then what does not hold counts against you"
            );
            return Err(ToolProblem::new(ToolProblemCode::NoMatch, message).with_hint(hint).into());
        }
        Ok(ToolReply::Accepted(format!("accepted; {verified} of {total} receipts hold")))
    }
}

fn check_form(arguments: &Arguments) -> Result<(), ToolProblem> {
    let bad = |message: String| Err(ToolProblem::new(ToolProblemCode::BadArgs, message));
    if visible(&arguments.summary).trim().is_empty() {
        return bad("summary: it is empty".to_owned());
    }
    let fix = &arguments.suggested_fix;
    if fix.r#type == FixType::None {
        if visible(&fix.description).trim().is_empty() {
            return bad(
                "suggested_fix.description: say why no change of the repository would help".to_owned()
            );
        }
        if !fix.target_files.is_empty() {
            return bad("suggested_fix.target_files: type none changes no file".to_owned());
        }
    }
    if !(0.0..=1.0).contains(&arguments.confidence) {
        return bad(format!("confidence: {} is not between 0 and 1", arguments.confidence));
    }
    match arguments.receipts.len() {
        0 => bad("receipts: at least one is needed; cite what you saw".to_owned()),
        1..=MAX_RECEIPTS => Ok(()),
        more => bad(format!("receipts: {more} are more than {MAX_RECEIPTS}; keep the best")),
    }
}

/// The files that exist. Without the list of files nothing can be said about any.
fn target_files(fix: &Fix, code: Option<&CodeSnapshot>, problems: &mut Vec<String>) -> Vec<RepoPath> {
    let mut found = Vec::new();
    let Some(code) = code else { return found };
    for (at, name) in fix.target_files.iter().take(MAX_TARGET_FILES).enumerate() {
        let path = RepoPath::new(name).ok().filter(|path| code.paths().binary_search(path).is_ok());
        match path {
            Some(path) if !found.contains(&path) => found.push(path),
            Some(_) => {}
            None => problems.push(format!(
                "suggested_fix.target_files[{at}]: there is no such file at the failing commit"
            )),
        }
    }
    found
}

/// Lower-case words joined by `_`.
fn category(text: &str) -> String {
    let plain = text.chars().take(MAX_CATEGORY_CHARS).map(|c| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() { c } else { ' ' }
    });
    let words: String = plain.collect();
    let name = words.split_whitespace().collect::<Vec<_>>().join("_");
    if name.is_empty() { "other".to_owned() } else { name }
}
