//! Where a template stands in the repository, and what the code passes to it.

use super::placeholder::Placeholder;
use crate::code::RepoPath;
use crate::diagnosis::FrameRef;
use crate::quick::input::RuleInput;
use crate::quick::pattern::pattern;

/// The most files that are named.
const MAX_TEMPLATES: usize = 5;

pattern!(KEYWORD = r#"(?:^|[(,{\s])["']?([A-Za-z_]\w*)["']?\s*[=:]"#);

/// A line of the repository that holds the variable.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) path: RepoPath,
    pub(super) line: u32,
    /// Whether it is part of a program.
    pub(super) is_code: bool,
    /// Whether the text before the variable is that of the rendered prompt.
    in_context: bool,
}

/// The lines that hold the variable: those with the right text before it first, prompt files before programs.
pub(super) fn templates(input: &RuleInput<'_>, placeholder: &Placeholder) -> Vec<Template> {
    let Some(code) = &input.code else { return Vec::new() };
    let mut found = Vec::new();
    for (path, file) in code
        .snapshot
        .files()
        .filter(|(path, file)| !is_prose(path) && file.text.contains(&placeholder.literal))
    {
        for (line, text) in (1..).zip(file.text.lines()) {
            if let Some(before) = before(text, &placeholder.literal) {
                let context = placeholder.context.trim();
                let in_context = !context.is_empty() && before.trim_end().ends_with(last_words(context));
                let is_code = matches!(
                    path.extension(),
                    Some("py" | "js" | "ts" | "mjs" | "tsx" | "rs" | "go" | "java" | "rb")
                );
                let at_start = context.is_empty() && before.trim().is_empty();
                found.push(Template {
                    path: path.clone(),
                    line,
                    is_code,
                    in_context: in_context || at_start,
                });
            }
        }
    }
    found.sort_by_key(|template| (!template.in_context, template.is_code));
    found.truncate(MAX_TEMPLATES);
    found
}

/// What stands before the variable on its line, unless it is escaped there.
fn before<'t>(line: &'t str, literal: &str) -> Option<&'t str> {
    line.match_indices(literal).find_map(|(at, _)| {
        let before = line.get(..at)?;
        let after = line.get(at + literal.len()..)?;
        let escaped = literal.starts_with('{') && (before.ends_with('{') || after.starts_with('}'));
        (!escaped).then_some(before)
    })
}

/// The end of the context: the beginning may come from other variables.
fn last_words(context: &str) -> &str {
    let start = context.char_indices().rev().take(8).last().map_or(0, |(at, _)| at);
    context.get(start..).unwrap_or(context)
}

/// How sure it is that the text is a variable that should have been filled; `None` when there is no sign of it.
pub(super) fn strength(
    input: &RuleInput<'_>,
    placeholder: &Placeholder,
    templates: &[Template],
) -> Option<f64> {
    match templates.first() {
        Some(template) if template.in_context && placeholder.is_plain() => Some(1.0),
        Some(template) if template.in_context => Some(0.8),
        Some(_) if placeholder.is_plain() => Some(0.75),
        Some(_) => None,
        None if !placeholder.is_plain() => None,
        None if input.code.is_none() => Some(0.75),
        None => Some(0.5),
    }
}

/// Whether a line fills templates.
pub(super) fn fills(line: &str) -> bool {
    formats(line) || [".replace(", ".sub(", "render("].iter().any(|word| line.contains(word))
}

/// Whether a line formats a text by name and so fails on a name that is not passed.
pub(super) fn formats(line: &str) -> bool {
    [".format(", ".format_map(", ".substitute(", "Template("].iter().any(|word| line.contains(word))
}

/// Names that are passed by keyword near the frames.
pub(super) fn names_in_code(input: &RuleInput<'_>, frames: &[FrameRef]) -> Vec<String> {
    let Some(code) = &input.code else { return Vec::new() };
    let mut names = Vec::new();
    for frame in frames.iter().take(4) {
        let from = frame.line.saturating_sub(1);
        for line in from..frame.line.saturating_add(8) {
            let text = code.snapshot.line(&frame.path, line).unwrap_or_default();
            names.extend(KEYWORD.all(text).filter_map(|found| Some(found.get(1)?.as_str().to_owned())));
        }
    }
    names.sort();
    names.dedup();
    names.truncate(20);
    names
}

/// Documents and tests also show variables, but nothing is rendered from them.
fn is_prose(path: &RepoPath) -> bool {
    let name = path.file_name().to_ascii_uppercase();
    let document =
        ["README", "CHANGELOG", "CONTRIBUTING", "LICENSE"].iter().any(|start| name.starts_with(start));
    document || path.components().any(|part| part == "tests" || part == "test" || part == "docs")
}
