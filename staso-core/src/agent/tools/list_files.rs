//! [`ListFiles`]: what a directory holds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::file_glob::FileGlob;
use super::problem::{of_sandbox, problem};
use super::visible::Visible;
use super::{MAX_REPLY_BYTES, checkout_path, near_paths};
use crate::agent::{Tool, ToolError, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{SessionEntry, SessionNode, SessionTree, TreeLimits};

const MAX_ENTRIES: usize = 500;
/// Kept free for what stands around the entries.
const FRAME_BYTES: usize = 400;

static SPEC: LazyLock<ToolSpec> = LazyLock::new(|| {
    ToolSpec::of::<Arguments>(
        "list_files",
        "Lists a directory of the checkout, directories first. With glob it lists all files below that match. Files that \
         commands made and .gitignore names are left out.",
    )
});

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The directory, relative to the root of the checkout.
    #[schemars(extend("default" = "."))]
    path: Option<String>,
    /// Which files below the directory, e.g. *.py or src/**/*.{ts,tsx}.
    glob: Option<String>,
    /// How many entries at most.
    #[schemars(range(min = 1, max = 500), extend("default" = 200))]
    max: Option<u32>,
}

const USUAL_ENTRIES: u32 = 200;

/// Lists a directory of the session: `path` (default the root), `glob`, `max` (default 200, at most 500).
///
/// Without `glob` it lists one level, directories first, each with the number of files below; with `glob` all files below
/// that match, sorted by path. Committed files are always listed; of what commands made, those that `.gitignore` names
/// are left out. As in git, an empty directory is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListFiles;

#[async_trait]
impl Tool for ListFiles {
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
        let glob = arguments.glob.as_deref().map(FileGlob::new).transpose()?;
        let place = checkout_path::place(arguments.path.as_deref().unwrap_or("."), session, ctx).await?;
        let tree = session.tree(&TreeLimits::default(), ctx).await.map_err(of_sandbox)?;
        let visible = Visible::new(&tree);
        if let Some(place) = &place {
            check_directory(place, &visible, &tree)?;
        }
        let lines = match &glob {
            Some(glob) => matching(&visible, place.as_ref(), glob),
            None => level(&visible, place.as_ref()),
        };
        let most = usize::try_from(arguments.max.unwrap_or(USUAL_ENTRIES))
            .unwrap_or(MAX_ENTRIES)
            .clamp(1, MAX_ENTRIES);
        Ok(ToolReply::Text(bounded(&lines, most, &tree)))
    }
}

fn check_directory(place: &RepoPath, visible: &Visible<'_>, tree: &SessionTree) -> Result<(), ToolError> {
    if tree.entries.contains_key(place) {
        let message = format!("{place} is no directory");
        return Err(problem(ToolProblemCode::BadArgs, message, "read it with read_file"));
    }
    if visible.below(Some(place)).next().is_none() {
        let message = format!("no directory {place} with files in it");
        return Err(problem(ToolProblemCode::NoMatch, message, near_paths::hint(place, tree, true)));
    }
    Ok(())
}

/// The part of a path below a directory.
pub(super) fn below<'a>(path: &'a RepoPath, place: Option<&RepoPath>) -> &'a str {
    let rest = place.and_then(|place| path.as_str().strip_prefix(place.as_str()));
    rest.map_or(path.as_str(), |rest| rest.trim_start_matches('/'))
}

fn matching(visible: &Visible<'_>, place: Option<&RepoPath>, glob: &FileGlob) -> Vec<String> {
    let found = visible.below(place).filter(|(path, _)| glob.matches(path.as_str(), below(path, place)));
    found.map(|(path, entry)| described(path.as_str(), entry)).collect()
}

fn level(visible: &Visible<'_>, place: Option<&RepoPath>) -> Vec<String> {
    let (mut directories, mut files) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for (path, entry) in visible.below(place) {
        match below(path, place).split_once('/') {
            Some((directory, _)) => *directories.entry(directory).or_default() += 1,
            None => files.push(described(below(path, place), entry)),
        }
    }
    let counted = |(name, count): (&str, usize)| {
        format!("{name}/  ({count} {})", if count == 1 { "file" } else { "files" })
    };
    directories.into_iter().map(counted).chain(files).collect()
}

fn described(name: &str, entry: &SessionEntry) -> String {
    match &entry.node {
        SessionNode::File(content) => format!("{name}  ({} bytes)", content.len()),
        SessionNode::Unread { size_bytes: Some(size) } => format!("{name}  ({size} bytes)"),
        SessionNode::Unread { size_bytes: None } => name.to_owned(),
        SessionNode::Symlink { target } => {
            let target: String = String::from_utf8_lossy(target).escape_debug().take(200).collect();
            format!("{name} -> {target}")
        }
        SessionNode::Special => format!("{name}  (a device, a pipe or a socket)"),
    }
}

fn bounded(lines: &[String], most: usize, tree: &SessionTree) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for line in lines.iter().take(most) {
        if text.len() + line.len() > MAX_REPLY_BYTES - FRAME_BYTES {
            break;
        }
        text.push_str(line);
        text.push('\n');
        shown += 1;
    }
    match lines.len() - shown {
        0 if lines.is_empty() => text.push_str("[no files]"),
        0 => text.push_str("[that is all]"),
        more => text.push_str(&format!("[… {more} more: give a path or a glob]")),
    }
    if tree.unnamed > 0 {
        text.push_str(&format!("\n[{} with unusual characters in their names are left out]", tree.unnamed));
    }
    if tree.cut {
        text.push_str("\n[there are more files than can be listed: look for the rest with bash]");
    }
    text
}
