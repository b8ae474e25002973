//! An environment variable is not set (catalogue 34).

use super::exception;
use crate::code::RepoPath;
use crate::diagnosis::{FixKind, FrameRef, RepairHint};
use crate::quick::failure::Failure;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::frames::{quoted, unique};
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::pattern::pattern;
use crate::quick::rule::{Explains, Reads, Rule};

pattern!(
    NAMED_AFTER =
        r#"(?i:environment variables?|env var(?:iable)?s?|os\.environ)[ :=\[(]*['"`]?([A-Z][A-Z0-9_]{2,})"#
);
pattern!(
    NAMED_BEFORE = r#"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]{4,})\b['"`]?\s+(?i:environment variable|env(?:ironment)? var|(?:is |was |must be |has )?(?:not (?:been )?set|unset|missing|required|undefined|not defined))"#
);

pub(super) const RULE: Rule = Rule {
    id: "missing_environment_variable",
    version: 1,
    number: Some(34),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::Everything,
    detect: |input| {
        input.failures().filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    let (name, certain) = variable(failure)?;
    let readers = readers(input, &name);
    let through_environ =
        failure.stacks.iter().flat_map(|stack| &stack.frames).any(|frame| frame.path.ends_with("os.py"));
    if !certain && readers.is_empty() && !through_environ {
        return None;
    }
    let place =
        readers.first().map(|frame| format!(" (read at {})", exception::spot(frame))).unwrap_or_default();
    let cause = format!("The environment variable `{name}` is not set where the agent runs{place}");
    let description = format!(
        "Set `{name}` where the agent runs. In the repository: name it in the example environment and give it a \
         default, or fail at the start with a sentence that names it."
    );
    let mut files: Vec<RepoPath> = readers.iter().map(|frame| frame.path.clone()).collect();
    files.extend(examples(input));
    let mut frames = readers.clone();
    frames.extend(failure.frames.iter().cloned());
    let hint = RepairHint::EnvironmentVariable { name: name.clone(), frames: unique(frames) };
    let remedy = Remedy::change(FixKind::Config, description, files)
        .with_hint(hint)
        .with_hints(exception::hint(failure))
        .with_oracle(oracle::raises(input, failure));
    let mut finding = exception::finding(input, number, cause, remedy)?;
    if let Some(reader) = readers.first() {
        finding = finding.cite_line(&reader.path, reader.line, "The variable is read here");
    }
    let known = if readers.is_empty() && !through_environ { 0.9 } else { 1.0 };
    Some(finding.with_strength(known).decided_by(format!("Set `{name}` and run again: this error is gone.")))
}

/// The variable, and whether the message itself speaks of the environment.
fn variable(failure: &Failure<'_>) -> Option<(String, bool)> {
    let message = failure.root_message.as_str();
    if let Some(name) = NAMED_AFTER.first(message).or_else(|| NAMED_BEFORE.first(message)) {
        return Some((name.to_owned(), true));
    }
    if !failure.is_kind(&["KeyError"]) {
        return None;
    }
    let name = quoted(message)?;
    let upper =
        name.len() >= 3 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    upper.then(|| (name.to_owned(), false))
}

/// Lines of the code that read the variable.
fn readers(input: &RuleInput<'_>, name: &str) -> Vec<FrameRef> {
    let Some(code) = &input.code else { return Vec::new() };
    let mut found = Vec::new();
    for (path, file) in code.snapshot.files().filter(|(_, file)| file.text.contains(name)) {
        for (line, text) in (1..).zip(file.text.lines()) {
            let reads = ["environ", "getenv", "process.env", "env::var", "Getenv"]
                .iter()
                .any(|word| text.contains(word));
            if reads && text.contains(name) && found.len() < 10 {
                let function =
                    code.functions().at(path, None, Some(line)).map(|function| function.qualified.clone());
                found.push(FrameRef { path: path.clone(), line, function });
            }
        }
    }
    found
}

fn examples(input: &RuleInput<'_>) -> Vec<RepoPath> {
    let paths = input.code.as_ref().map(|code| code.snapshot.paths()).unwrap_or_default();
    paths
        .iter()
        .filter(|path| path.file_name().starts_with(".env") || path.file_name() == "README.md")
        .take(3)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_about_the_environment_name_their_variable() {
        for text in [
            "environment variable ORDER_API_KEY is not set",
            "ORDER_API_KEY environment variable is missing",
            "Missing environment variable: ORDER_API_KEY",
            "'ORDER_API_KEY' is required",
            "set the env var `ORDER_API_KEY`",
        ] {
            let found = NAMED_AFTER.first(text).or_else(|| NAMED_BEFORE.first(text));
            assert_eq!(found, Some("ORDER_API_KEY"), "{text}");
        }
        assert_eq!(NAMED_BEFORE.first("The ORDER is missing"), Some("ORDER"));
        assert_eq!(NAMED_BEFORE.first("id is missing"), None);
        assert!(NAMED_AFTER.is_valid() && NAMED_BEFORE.is_valid());
    }
}
