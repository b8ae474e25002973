//! What kind of change a patch is, by its files: whatever the model calls it.

use crate::code::{RepoPath, is_test_file};
use crate::diagnosis::FixKind;
use crate::fix::Patch;

/// Code when program text changes, else a prompt when one changes, else configuration. Tests count when nothing else
/// changes.
pub(crate) fn kind_of(patch: &Patch) -> FixKind {
    let kinds = |tests: bool| {
        let files = patch.files().map(|(path, _)| path).filter(move |path| is_test_file(path) == tests);
        files.map(kind_of_file)
    };
    let rank = |kind: &FixKind| match kind {
        FixKind::Code => 2,
        FixKind::Prompt => 1,
        FixKind::Config => 0,
    };
    kinds(false).max_by_key(rank).or_else(|| kinds(true).max_by_key(rank)).unwrap_or(FixKind::Code)
}

/// Whether program text changes anywhere, tests included.
pub(crate) fn writes_code(patch: &Patch) -> bool {
    patch.files().any(|(path, _)| kind_of_file(path) == FixKind::Code)
}

/// Whether nothing but tests changes.
#[cfg(feature = "agent-tools")]
pub(crate) fn changes_only_tests(patch: &Patch) -> bool {
    patch.files().all(|(path, _)| is_test_file(path))
}

fn kind_of_file(path: &RepoPath) -> FixKind {
    let in_prompts =
        path.components().rev().skip(1).any(|part| part.eq_ignore_ascii_case("prompts") || part == "prompt");
    match path.extension().map(str::to_ascii_lowercase).as_deref() {
        Some("json" | "toml" | "yaml" | "yml" | "ini" | "cfg" | "conf" | "properties" | "env" | "xml") => {
            if in_prompts {
                FixKind::Prompt
            } else {
                FixKind::Config
            }
        }
        Some(
            "md" | "txt" | "prompt" | "j2" | "jinja" | "jinja2" | "tmpl" | "mustache" | "hbs" | "liquid",
        ) => FixKind::Prompt,
        _ => FixKind::Code,
    }
}
