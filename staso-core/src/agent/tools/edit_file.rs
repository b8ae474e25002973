//! [`EditFile`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::WrittenFiles;
use super::problem::{of_sandbox, problem};
use super::writable_path::writable;
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::RepoPath;
use crate::fix::edit::{EditProblem, EditedText, Rung, TextEdit, Window, new_syntax_error};
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};

/// Replaces a quoted stretch of a text file.
///
/// The quote is compared as it is first, then without blanks at line ends, then moved in or out, then with typographic
/// signs as plain ones; it must stand there exactly as often as the model says. Line ends, a byte order mark and a
/// missing line end at the end of the file stay. An edit that leaves a syntax error which was not there before is not
/// made. Files that are not UTF-8 or longer than 1 MiB are refused.
#[derive(Debug)]
pub struct EditFile {
    spec: ToolSpec,
    written: WrittenFiles,
    executables: BTreeSet<RepoPath>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The file, relative to the root of the checkout.
    path: String,
    /// The text to replace, as it stands in the file without line numbers, with enough around it to be unique.
    old_str: String,
    /// What to put in its place.
    new_str: String,
    /// How often `old_str` stands in the file; every place is replaced. Default 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    expected_count: Option<usize>,
}

impl Arguments {
    fn expected_count(&self) -> usize {
        self.expected_count.unwrap_or(1)
    }
}

const DESCRIPTION: &str = "Replaces text in an existing file. Quote the text to replace word for word, without line \
                           numbers, and with enough lines around it that it stands there only once.";

impl EditFile {
    /// Longest quote and replacement, in bytes.
    pub const MAX_TEXT_BYTES: usize = 64 << 10;
    /// Longest file, in bytes.
    pub const MAX_FILE_BYTES: usize = 1 << 20;
    /// Most places that one edit replaces.
    pub const MAX_COUNT: usize = 100;
    /// Lines of the result that the model is shown.
    const MAX_SHOWN_LINES: usize = 40;

    /// Notes in `written` what it writes. `executables` are the files that are executable and stay so.
    #[must_use]
    pub fn new(written: WrittenFiles, executables: BTreeSet<RepoPath>) -> Self {
        Self { spec: ToolSpec::of::<Arguments>("edit_file", DESCRIPTION), written, executables }
    }
}

#[async_trait]
impl Tool for EditFile {
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
        check_size(&arguments)?;
        let session = scope.session()?;
        let path = writable(&arguments.path, session, ctx).await?;
        let before = read_text(session, &path, ctx).await?;
        let edit = TextEdit {
            old: &arguments.old_str,
            new: &arguments.new_str,
            expected_count: arguments.expected_count(),
        };
        let edited = edit.apply(&before).map_err(|problem| explain(problem, &path, &arguments))?;
        check_result(&path, &before, &edited, ctx)?;
        let executable = self.executables.contains(&path);
        session.write_file(&path, edited.text.as_bytes(), executable, ctx).await.map_err(of_sandbox)?;
        self.written.add(path.clone());
        Ok(ToolReply::Text(show(&path, &edited)))
    }
}

fn check_size(arguments: &Arguments) -> Result<(), ToolProblem> {
    if arguments.old_str.len().max(arguments.new_str.len()) > EditFile::MAX_TEXT_BYTES {
        let message = format!("old_str and new_str have at most {} bytes", EditFile::MAX_TEXT_BYTES);
        return Err(
            ToolProblem::new(ToolProblemCode::TooLarge, message).with_hint("make several small edits")
        );
    }
    if !(1..=EditFile::MAX_COUNT).contains(&arguments.expected_count()) {
        let message = format!("expected_count is from 1 to {}", EditFile::MAX_COUNT);
        return Err(ToolProblem::new(ToolProblemCode::BadArgs, message));
    }
    Ok(())
}

async fn read_text(
    session: &dyn SandboxSession,
    path: &RepoPath,
    ctx: &RunContext,
) -> Result<String, ToolError> {
    let limit = u64::try_from(EditFile::MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let bytes = match session.read_file(path, limit, ctx).await {
        Err(error @ SandboxError::NotFound { .. }) => {
            let hint = "look for it with list_files or search_code; write_file makes new files";
            return Err(problem(ToolProblemCode::NoMatch, error.to_string(), hint));
        }
        read => read.map_err(of_sandbox)?,
    };
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| ToolProblem::new(ToolProblemCode::Denied, format!("{path} is not UTF-8 text")).into())
}

fn check_result(
    path: &RepoPath,
    before: &str,
    edited: &EditedText,
    ctx: &RunContext,
) -> Result<(), ToolProblem> {
    if edited.text.len() > EditFile::MAX_FILE_BYTES {
        let message = format!("{path} would have more than {} bytes", EditFile::MAX_FILE_BYTES);
        return Err(ToolProblem::new(ToolProblemCode::TooLarge, message));
    }
    let Some(line) = new_syntax_error(path, Some(before), &edited.text, ctx) else { return Ok(()) };
    let text: String =
        edited.text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(160).collect();
    let message = format!(
        "the edit was not made: it would leave a syntax error at line {line} of {path}, which would read: {text}"
    );
    // The call was well formed: only calls that are not count as malformed.
    Err(ToolProblem::new(ToolProblemCode::Denied, message)
        .with_hint("make the whole change in one edit; check indentation, brackets and quotes"))
}

fn explain(problem: EditProblem, path: &RepoPath, arguments: &Arguments) -> ToolProblem {
    match problem {
        EditProblem::NothingQuoted => {
            ToolProblem::new(ToolProblemCode::BadArgs, "old_str is empty; it quotes what is to be replaced")
                .with_hint("write_file makes new files")
        }
        EditProblem::NoChange => ToolProblem::new(
            ToolProblemCode::BadArgs,
            format!("{path} would stay as it is: new_str says what stands there"),
        ),
        EditProblem::NoMatch { nearest } => {
            ToolProblem::new(ToolProblemCode::NoMatch, format!("old_str does not stand in {path}"))
                .with_hint(hint_at(&nearest))
        }
        EditProblem::WrongCount { lines, rung } => {
            let expected = arguments.expected_count();
            let many = if lines.len() > expected + 9 { " or more" } else { "" };
            let places = list(&lines);
            let message = format!(
                "old_str stands in {path} {}{many} times{}, expected_count is {expected}; at lines {places}",
                lines.len(),
                loosely(rung),
            );
            ToolProblem::new(ToolProblemCode::Ambiguous, message)
                .with_hint("quote more lines around the place, or set expected_count to replace all of them")
        }
    }
}

fn list(lines: &[usize]) -> String {
    lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

const fn loosely(rung: Rung) -> &'static str {
    match rung {
        Rung::Exact => "",
        Rung::TrailingBlanks => " (but for blanks at line ends)",
        Rung::IndentShift => " (but for the indentation)",
        Rung::Punctuation => " (but for indentation and typographic signs)",
    }
}

fn hint_at(nearest: &[Window]) -> String {
    if nearest.is_empty() {
        return "nothing there is like it; read the file first".to_owned();
    }
    let mut text = "quote it as it stands there; most like it are:".to_owned();
    for window in nearest {
        for (line, number) in window.lines.iter().zip(window.first_line..) {
            text.push_str(&format!("\n{number:>5}  {line}"));
        }
        text.push_str("\n    --");
    }
    text
}

/// What was done, and how the places look now.
fn show(path: &RepoPath, edited: &EditedText) -> String {
    let places = edited.lines.len();
    let plural = if places == 1 { "" } else { "s" };
    let mut text = format!("edited {path}: {places} place{plural} replaced{}", loosely(edited.rung));
    let mut left = EditFile::MAX_SHOWN_LINES;
    let mut shown_to = 0;
    for range in &edited.lines {
        let from = range.start.saturating_sub(3).max(shown_to);
        let lines: Vec<&str> =
            edited.text.lines().skip(from).take((range.end + 2).saturating_sub(from + 1)).collect();
        for (line, number) in lines.iter().zip(from + 1..) {
            if left == 0 {
                text.push_str("\n…");
                return text;
            }
            left -= 1;
            let line: String = line.chars().take(200).collect();
            text.push_str(&format!("\n{number:>5}  {line}"));
        }
        shown_to = from + lines.len();
    }
    text
}
