//! A module or a name in it cannot be imported (catalogue 35).

use super::exception;
use crate::code::RepoPath;
use crate::diagnosis::FixKind;
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::frames::quoted;
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};

const MANIFESTS: [&str; 6] =
    ["requirements.txt", "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "package.json"];

pub(super) const RULE: Rule = Rule {
    id: "missing_import",
    version: 1,
    number: Some(35),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::Everything,
    detect: |input| {
        exception::candidates(input).filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    let message = failure.root_message.as_str();
    let module = ["No module named", "Cannot find module", "Cannot find package"]
        .iter()
        .any(|words| message.contains(words));
    if !module && !message.contains("cannot import name") {
        return None;
    }
    let name = quoted(message)?;
    let shown = clip(name, 60);
    let place = exception::place(failure);
    let own = module && is_own_module(input, name);
    let (kind, description) = match (module, own) {
        (true, false) => (
            FixKind::Config,
            format!("Add the package that provides `{shown}` to the dependencies, with a version."),
        ),
        (true, true) => (
            FixKind::Code,
            format!("Correct the import of `{shown}` {place}: the repository has a module of a like name."),
        ),
        (false, _) => (
            FixKind::Code,
            format!(
                "Import a name that exists instead of `{shown}` {place}, or pin the version that has it."
            ),
        ),
    };
    let remedy = match kind {
        FixKind::Config => {
            Remedy::change(kind, description, manifests(input)).with_oracle(oracle::raises(input, failure))
        }
        _ => exception::change(input, failure, kind, description),
    };
    exception::finding(input, number, format!("`{shown}` cannot be imported {place}"), remedy)
}

fn is_own_module(input: &RuleInput<'_>, name: &str) -> bool {
    let top = name.split(['.', '/']).find(|part| !part.is_empty()).unwrap_or(name);
    let Some(code) = &input.code else { return false };
    code.snapshot.paths().iter().any(|path| {
        path.components()
            .any(|part| part == top || part.strip_suffix(".py").is_some_and(|module| module == top))
    })
}

fn manifests(input: &RuleInput<'_>) -> Vec<RepoPath> {
    let paths = input.code.as_ref().map(|code| code.snapshot.paths()).unwrap_or_default();
    paths.iter().filter(|path| MANIFESTS.contains(&path.file_name())).cloned().collect()
}
