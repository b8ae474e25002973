//! Reads the code that rules may need, before they run.

use std::collections::BTreeSet;

use super::PreloadLimits;
use super::stop::Flow;
use crate::code::{CodeSnapshot, ListedFile, RepoPath, SourceFile};
use crate::id::CommitId;
use crate::run::RunContext;
use crate::trace::TraceView;
use crate::vcs::{FileContent, RepositoryRef, TreeEntryKind, VcsError, VcsProvider};

/// Text of a trace that is searched for file names, in bytes.
const MAX_HAYSTACK_BYTES: usize = 1 << 20;

/// Lists the tree and reads text files: those the trace names first, then settings and prompts, then program text.
pub(super) async fn preload(
    vcs: &dyn VcsProvider,
    repository: &RepositoryRef,
    commit: &CommitId,
    trace: &TraceView<'_>,
    limits: &PreloadLimits,
    ctx: &RunContext,
) -> Flow<CodeSnapshot> {
    let tree = vcs.list_tree(repository, commit, limits.max_paths, ctx).await?;
    let paths = tree.entries.iter().map(|entry| entry.path.clone()).collect();
    let mut code = CodeSnapshot::new(commit.clone(), paths, tree.truncated);
    for entry in &tree.entries {
        if matches!(entry.kind, TreeEntryKind::File | TreeEntryKind::Executable) {
            let executable = entry.kind == TreeEntryKind::Executable;
            code.list(entry.path.clone(), ListedFile { blob: entry.blob.clone(), executable });
        }
    }
    let named = named_files(trace, &code);
    let mut wanted: Vec<_> = tree
        .entries
        .iter()
        .filter(|entry| matches!(entry.kind, TreeEntryKind::File | TreeEntryKind::Executable))
        .filter_map(|entry| Some((rank(&entry.path, &named)?, entry)))
        .collect();
    wanted.sort_by(|(a, x), (b, y)| (a, &x.path).cmp(&(b, &y.path)));
    let mut left = limits.max_total_bytes;
    for (at, (_, entry)) in wanted.iter().enumerate() {
        let size = entry.size_bytes.unwrap_or(0);
        if at >= limits.max_files || size > limits.max_file_bytes || size > left {
            code.skip(entry.path.clone(), "over the limits of what is read before rules run");
            continue;
        }
        let content = vcs.read_file(repository, commit, &entry.path, limits.max_file_bytes, ctx).await?;
        if let FileContent::Text { text, .. } = &content {
            left = left.saturating_sub(u64::try_from(text.len()).unwrap_or(u64::MAX));
        }
        add(&mut code, &entry.path, content);
    }
    Ok(code)
}

/// Reads only these files. One that is not there is left out.
pub(super) async fn preload_paths(
    vcs: &dyn VcsProvider,
    repository: &RepositoryRef,
    commit: &CommitId,
    paths: &[RepoPath],
    max_file_bytes: u64,
    ctx: &RunContext,
) -> Flow<CodeSnapshot> {
    let mut code = CodeSnapshot::new(commit.clone(), Vec::new(), true);
    for path in paths {
        match vcs.read_file(repository, commit, path, max_file_bytes, ctx).await {
            Ok(content) => add(&mut code, path, content),
            Err(VcsError::FileNotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(code)
}

/// Adds what was read, or why it is no text.
pub(super) fn add(code: &mut CodeSnapshot, path: &RepoPath, content: FileContent) {
    let path = path.clone();
    match content {
        FileContent::Text { text, blob, executable } => {
            code.insert(path, SourceFile { blob, text, executable });
        }
        FileContent::Binary { .. } => code.skip(path, "not text"),
        FileContent::TooLarge { size_bytes } => code.skip(path, format!("{size_bytes} bytes")),
        _ => code.skip(path, "no regular file with its content here"),
    }
}

/// The files whose name stands in a stack trace or code place.
fn named_files(trace: &TraceView<'_>, code: &CodeSnapshot) -> BTreeSet<RepoPath> {
    let mut haystack = String::new();
    for span in trace.spans() {
        let stack = span.error.as_ref().and_then(|error| error.stack.value());
        let message = span.error.as_ref().and_then(|error| error.message.value());
        for text in span.code.iter().map(|place| &place.path).chain(stack).chain(message) {
            if haystack.len() + text.len() <= MAX_HAYSTACK_BYTES {
                haystack.push_str(text);
                haystack.push('\n');
            }
        }
    }
    let words: BTreeSet<&str> =
        haystack.split(|c: char| c.is_control() || "/\\\"'<>|:,;()".contains(c)).collect();
    code.paths().iter().filter(|path| words.contains(path.file_name())).cloned().collect()
}

/// Smaller is read first; `None` is not read.
fn rank(path: &RepoPath, named: &BTreeSet<RepoPath>) -> Option<u8> {
    if named.contains(path) {
        return Some(0);
    }
    if path
        .components()
        .any(|part| matches!(part, "node_modules" | "vendor" | ".venv" | "dist" | "third_party"))
    {
        return None;
    }
    let in_prompts = path.components().any(|part| part.to_ascii_lowercase().contains("prompt"));
    match path.extension().map(str::to_ascii_lowercase).as_deref() {
        Some("toml" | "yaml" | "yml" | "ini" | "cfg" | "env" | "properties") => Some(1),
        Some("txt" | "md" | "j2" | "jinja" | "jinja2" | "prompt" | "tmpl" | "mustache") if in_prompts => {
            Some(1)
        }
        Some("json") => Some(2),
        Some("py") => Some(3),
        Some("js" | "mjs" | "cjs" | "ts" | "tsx" | "jsx" | "rs" | "go" | "java") => Some(4),
        Some("txt" | "md" | "j2" | "jinja" | "jinja2" | "prompt" | "tmpl" | "mustache") => Some(5),
        _ if path.file_name().starts_with(".env") => Some(1),
        _ => None,
    }
}
