//! [`ReadFile`]: lines of a file.

use std::fmt::Write as _;
use std::sync::LazyLock;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::problem::{of_sandbox, problem};
use super::{MAX_REPLY_BYTES, checkout_path, clip, near_paths};
use crate::agent::{Tool, ToolError, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::RepoPath;
use crate::run::{Note, RunContext};
use crate::sandbox::{SandboxError, SandboxSession, SessionNode, TreeLimits};

/// Largest file that is opened, in bytes.
const MAX_FILE_BYTES: u64 = 10 << 20;
const MAX_LINES: usize = 400;
const MAX_LINE_CHARS: usize = 500;
/// Kept free for what stands around the lines.
const FRAME_BYTES: usize = 600;
/// A null byte up to here makes a file binary, as for git.
const SNIFFED_BYTES: usize = 8_000;

static SPEC: LazyLock<ToolSpec> = LazyLock::new(|| {
    ToolSpec::of::<Arguments>(
        "read_file",
        "Reads lines of a text file of the checkout, with their numbers. The end says how many lines the file has and \
         where to go on.",
    )
});

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The file, relative to the root of the checkout.
    path: String,
    /// The first line to read, from 1.
    #[schemars(range(min = 1), extend("default" = 1))]
    start_line: Option<u32>,
    /// How many lines.
    #[schemars(range(min = 1, max = 400), extend("default" = 200))]
    lines: Option<u32>,
}

const USUAL_LINES: u32 = 200;

/// Reads lines of a file of the session: `path`, `start_line` (default 1), `lines` (default 200, at most 400).
///
/// The answer is at most 16 KB and a line at most 500 characters; what was cut is said. Files of more than 10 MiB, binary
/// files and anything that is no regular file of the checkout are refused. Links are not followed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadFile;

#[async_trait]
impl Tool for ReadFile {
    fn spec(&self) -> &ToolSpec {
        &SPEC
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = SPEC.arguments(arguments)?;
        let session = scope.session()?;
        let path = checkout_path::file(&arguments.path, session, ctx).await?;
        let content = match session.read_file(&path, MAX_FILE_BYTES, ctx).await {
            Ok(content) => content,
            Err(error) => return Err(explain(error, &path, session, ctx).await),
        };
        let first = usize::try_from(arguments.start_line.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
        let most =
            usize::try_from(arguments.lines.unwrap_or(USUAL_LINES)).unwrap_or(MAX_LINES).clamp(1, MAX_LINES);
        let text = numbered(&path, &content, first, most)?;
        ctx.note(Note::File(path.into()));
        Ok(ToolReply::Text(text))
    }
}

/// Says what is there instead of a file that can be read.
async fn explain(
    error: SandboxError,
    path: &RepoPath,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> ToolError {
    let (code, hint) = match &error {
        SandboxError::TooLarge { .. } => {
            let hint = format!("look at parts of it with bash, e.g. sed -n '1,100p' {path}");
            return problem(ToolProblemCode::TooLarge, error.to_string(), hint);
        }
        SandboxError::NotFound { .. } => (ToolProblemCode::NoMatch, None),
        SandboxError::Denied { .. } => (ToolProblemCode::Denied, Some("links are not followed")),
        _ => return of_sandbox(error),
    };
    let tree = match session.tree(&TreeLimits::default(), ctx).await {
        Ok(tree) => tree,
        Err(error) => return of_sandbox(error),
    };
    let inside = format!("{path}/");
    if tree.entries.keys().any(|entry| entry.as_str().starts_with(&inside)) {
        let hint = "list it with list_files";
        return problem(ToolProblemCode::BadArgs, format!("{path} is a directory"), hint);
    }
    if let Some(SessionNode::Symlink { target }) = tree.entries.get(path).map(|entry| &entry.node) {
        let target: String = String::from_utf8_lossy(target).escape_debug().take(200).collect();
        let message = format!("{path} is a symbolic link to {target}");
        return problem(code, message, "read the file that it points to, if that is in the checkout");
    }
    let hint = hint.map_or_else(|| near_paths::hint(path, &tree, false), str::to_owned);
    problem(code, error.to_string(), hint)
}

/// The lines with their numbers, and what is not shown.
fn numbered(path: &RepoPath, content: &[u8], first: usize, most: usize) -> Result<String, ToolError> {
    if content.iter().take(SNIFFED_BYTES).any(|byte| *byte == 0) {
        let message = format!("{path} is a binary file of {} bytes", content.len());
        return Err(problem(ToolProblemCode::Denied, message, "look at it with a program through bash"));
    }
    if content.is_empty() {
        return Ok(format!("{path}\n[the file is empty]"));
    }
    let body = content.strip_suffix(b"\n").unwrap_or(content);
    let total = 1 + body.iter().filter(|byte| **byte == b'\n').count();
    if first > total {
        let message = format!("{path} has {total} lines; start_line {first} is beyond the end");
        let hint = format!("the last lines begin at start_line={}", total.saturating_sub(most - 1).max(1));
        return Err(problem(ToolProblemCode::BadArgs, message, hint));
    }
    let mut text = format!("{path}\n");
    let (mut shown, mut cut) = (0, 0);
    let wanted = body.split(|byte| *byte == b'\n').skip(first - 1).take(most);
    for (line, number) in wanted.zip(first..) {
        let decoded = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let clipped = clip::line(&decoded, MAX_LINE_CHARS);
        if text.len() + clipped.len() > MAX_REPLY_BYTES - FRAME_BYTES {
            break;
        }
        cut += usize::from(clipped != decoded);
        writeln!(text, "{number:>6}\t{clipped}").unwrap_or_default();
        shown += 1;
    }
    text.push_str(&notes(first, shown, total, cut, content));
    Ok(text)
}

fn notes(first: usize, shown: usize, total: usize, cut: usize, content: &[u8]) -> String {
    let last = first + shown - 1;
    let mut notes = format!("[lines {first}-{last} of {total}");
    if last < total {
        write!(notes, "; go on with start_line={}", last + 1).unwrap_or_default();
    }
    if cut > 0 {
        write!(notes, "; {cut} cut after {MAX_LINE_CHARS} characters: read them with bash, e.g. cut -c501-")
            .unwrap_or_default();
    }
    if content.windows(2).any(|two| two == b"\r\n") {
        notes.push_str("; lines end with CRLF");
    }
    if !content.ends_with(b"\n") && last == total {
        notes.push_str("; no line end at the end of the file");
    }
    if std::str::from_utf8(content).is_err() {
        notes.push_str("; bytes that are no UTF-8 are shown as \u{fffd}");
    }
    notes.push(']');
    notes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path() -> RepoPath {
        RepoPath::new("a.txt").unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn following_start_line_shows_every_line_once(
            lines in proptest::collection::vec("[a-zé\t ]{0,600}", 1..80),
            most in 1_usize..40,
        ) {
            let content = lines.join("\n") + "\n";
            let (mut next, mut seen) = (Some(1), Vec::new());
            while let Some(first) = next {
                let text = numbered(&path(), content.as_bytes(), first, most).unwrap();
                prop_assert!(text.len() <= MAX_REPLY_BYTES);
                seen.extend(text.lines().filter_map(|line| {
                    let (number, text) = line.split_once('\t')?;
                    Some((number.trim().parse::<usize>().ok()?, text.to_owned()))
                }));
                next = text.rsplit_once("start_line=").and_then(|(_, rest)| {
                    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
                });
            }
            let expected: Vec<(usize, String)> =
                (1..).zip(lines.iter().map(|line| clip::line(line, MAX_LINE_CHARS))).collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn bytes_of_any_kind_are_shown_or_refused(
            content in proptest::collection::vec(any::<u8>(), 0..2_000),
            first in 1_usize..20,
            most in 1_usize..400,
        ) {
            if let Ok(text) = numbered(&path(), &content, first, most) {
                prop_assert!(text.len() <= MAX_REPLY_BYTES && text.ends_with(']'));
            }
        }
    }
}
