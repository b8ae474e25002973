//! [`SearchCode`]: where a pattern occurs.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::file_glob::FileGlob;
use super::list_files::below;
use super::problem::{of_sandbox, problem};
use super::search::{self, Candidate, Found, FoundFile, MAX_COUNTED, Query};
use super::visible::Visible;
use super::{MAX_REPLY_BYTES, checkout_path, clip, near_paths};
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::RepoPath;
use crate::run::{Interrupted, RunContext};
use crate::sandbox::{SandboxError, SessionNode, SessionTree, TreeLimits};

const MAX_PATTERN_CHARS: usize = 1_000;
const MAX_CONTEXT: usize = 3;
const MAX_MATCHES: usize = 100;
/// How long one search may take.
const SEARCH_LIMIT: Duration = Duration::from_secs(30);
/// Kept free for what stands around the matches.
const FRAME_BYTES: usize = 1_000;
/// Files named that were not searched.
const NAMED_FILES: usize = 3;

static SPEC: LazyLock<ToolSpec> = LazyLock::new(|| {
    ToolSpec::of::<Arguments>(
        "search_code",
        "Finds lines of the checkout's files that match a regular expression, sorted by path. Files that commands made \
         and .gitignore names are not searched.",
    )
});

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A regular expression in Rust's syntax, matched within one line; (?i) ignores case.
    pattern: String,
    /// The file or directory to search, relative to the root of the checkout.
    path: Option<String>,
    /// Which files, e.g. *.py or src/**/*.{ts,tsx}.
    glob: Option<String>,
    /// Lines to show around each match.
    #[schemars(range(max = 3), extend("default" = 0))]
    context: Option<u32>,
    /// How many matches at most.
    #[schemars(range(min = 1, max = 100), extend("default" = 50))]
    max: Option<u32>,
}

const USUAL_MATCHES: u32 = 50;

/// Searches the files of the session: `pattern` (Rust regex), `path`, `glob`, `context` (0 to 3), `max` (default 50, at most
/// 100).
///
/// The result is sorted by path and the same for the same files. Patterns are limited in size, and a search in time.
/// Committed files are always searched; of what commands made, those that `.gitignore` names are not. Binary files and
/// files of more than 1 MiB are not searched, the latter are named. The files come out of the session once; after that
/// only what the session changed does.
#[derive(Debug, Clone, Copy, Default)]
pub struct SearchCode;

#[async_trait]
impl Tool for SearchCode {
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
        check_pattern(&arguments.pattern)?;
        let glob = arguments.glob.as_deref().map(FileGlob::new).transpose()?;
        let place = match arguments.path.as_deref() {
            Some(path) => checkout_path::place(path, session, ctx).await?,
            None => None,
        };
        let tree = session.tree(&TreeLimits::default(), ctx).await.map_err(of_sandbox)?;
        let selection = Selection::new(&tree, place.as_ref(), glob.as_ref())?;
        let searched = selection.files.len();
        let wanted = |value: u32, most: usize| usize::try_from(value).unwrap_or(most).min(most);
        let context = wanted(arguments.context.unwrap_or(0), MAX_CONTEXT);
        let most = wanted(arguments.max.unwrap_or(USUAL_MATCHES), MAX_MATCHES).max(1);
        let limit = SEARCH_LIMIT.min(scope.time_left);
        let found = search(selection.files, arguments.pattern, context, most, limit, ctx).await?;
        Ok(ToolReply::Text(text(&found, searched, most, &selection.unread, &tree)))
    }
}

fn check_pattern(pattern: &str) -> Result<(), ToolError> {
    let bad = |message: &str, hint: &str| Err(problem(ToolProblemCode::BadArgs, message, hint));
    if pattern.is_empty() {
        return bad("the pattern is empty", "say what to look for");
    }
    if pattern.chars().count() > MAX_PATTERN_CHARS {
        return bad("the pattern is longer than 1,000 characters", "look for a part of it");
    }
    Ok(())
}

/// What is searched, and what would be if it were smaller.
struct Selection {
    files: Vec<Candidate>,
    unread: Vec<RepoPath>,
}

impl Selection {
    fn new(tree: &SessionTree, place: Option<&RepoPath>, glob: Option<&FileGlob>) -> Result<Self, ToolError> {
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        let visible = Visible::new(tree);
        let mut is_there = place.is_none();
        for (path, entry) in visible.below(place) {
            is_there = true;
            if glob.is_some_and(|glob| !glob.matches(path.as_str(), below(path, place))) {
                continue;
            }
            match &entry.node {
                SessionNode::File(content) => files.push((path.clone(), Arc::clone(content))),
                SessionNode::Unread { .. } => unread.push(path.clone()),
                SessionNode::Symlink { .. } | SessionNode::Special => {}
            }
        }
        if let Some(place) = place.filter(|_| !is_there) {
            let hint = near_paths::hint(place, tree, false);
            return Err(problem(ToolProblemCode::NoMatch, format!("no file or directory {place}"), hint));
        }
        Ok(Self { files, unread })
    }
}

/// Searches on a thread for such work. It is told to stop when nobody waits any more.
async fn search(
    files: Vec<Candidate>,
    pattern: String,
    context: usize,
    most: usize,
    limit: Duration,
    ctx: &RunContext,
) -> Result<Found, ToolError> {
    let stop = Arc::new(AtomicBool::new(false));
    let _stops = StopOnDrop(Arc::clone(&stop));
    let work = tokio::task::spawn_blocking(move || {
        let matcher = search::compile(&pattern)?;
        Ok::<_, String>(search::run(&files, &Query { matcher, context, most }, &stop))
    });
    match ctx.bounded(limit, work).await {
        Ok(Ok(found)) => found.map_err(|why| bad_pattern(&why)),
        Ok(Err(source)) => Err(ToolError::Sandbox(SandboxError::Backend {
            provider: "core",
            operation: "searching",
            source: source.into(),
        })),
        Err(Interrupted::Cancelled) => Err(ToolError::Cancelled),
        Err(Interrupted::TimedOut { limit_ms }) => Err(problem(
            ToolProblemCode::Timeout,
            format!("the search took longer than {limit_ms} ms"),
            "search a smaller path, or for a simpler pattern",
        )),
    }
}

fn bad_pattern(why: &str) -> ToolError {
    let why = clip::head(why, 1_500, 3_000);
    ToolProblem::new(ToolProblemCode::BadArgs, format!("the pattern cannot be used: {why}"))
        .with_hint(
            "patterns match within one line, in the syntax of Rust's regex crate: no look-around, no back-references; \
             escape ( ) [ ] { } . * + ? ^ $ | with \\ to find them literally",
        )
        .into()
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn text(found: &Found, searched: usize, most: usize, unread: &[RepoPath], tree: &SessionTree) -> String {
    let mut text = heading(found, searched, most);
    let frame = MAX_REPLY_BYTES - FRAME_BYTES;
    let mut files = found.files.iter();
    let shown_all = files.all(|file| append_file(file, &mut text, frame));
    if !shown_all {
        text.push_str("[… the rest does not fit: give a path, a glob or a smaller context]\n");
    }
    if !unread.is_empty() {
        let named: Vec<&str> = unread.iter().take(NAMED_FILES).map(RepoPath::as_str).collect();
        let named = clip::line(&named.join(", "), 300);
        writeln!(text, "[not searched: {} too large, such as {named}; use grep through bash]", unread.len())
            .unwrap_or_default();
    }
    if tree.unnamed > 0 {
        writeln!(text, "[not searched: {} with unusual characters in their names]", tree.unnamed)
            .unwrap_or_default();
    }
    if tree.cut {
        text.push_str("[there are more files than can be searched: use grep through bash]\n");
    }
    text.truncate(text.trim_end().len());
    text
}

fn heading(found: &Found, searched: usize, most: usize) -> String {
    let searched = format!("{searched} {} searched", if searched == 1 { "file" } else { "files" });
    let matches = match found.matches {
        0 => return format!("no match; {searched}\n"),
        1 => "1 match".to_owned(),
        count if count > MAX_COUNTED => format!("more than {MAX_COUNTED} matches"),
        count => format!("{count} matches"),
    };
    if found.matches > most {
        return format!("{matches}, the first {most} by path:\n");
    }
    format!("{matches}; {searched}:\n")
}

/// Adds the lines of a file; whether all of them fit.
fn append_file(file: &FoundFile, text: &mut String, most_bytes: usize) -> bool {
    let has_context = file.lines.iter().any(|line| !line.is_match);
    let mut last = None;
    for line in &file.lines {
        let before = match last {
            None => format!("\n{}\n", file.path),
            Some(last) if has_context && last + 1 < line.number => "--\n".to_owned(),
            Some(_) => String::new(),
        };
        let sign = if line.is_match { ':' } else { '-' };
        let gap = if line.text.is_empty() { "" } else { " " };
        let piece = format!("{before}{}{sign}{gap}{}\n", line.number, line.text);
        if text.len() + piece.len() > most_bytes {
            return false;
        }
        text.push_str(&piece);
        last = Some(line.number);
    }
    true
}
