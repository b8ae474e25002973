//! What the code asserts stays as it is, in whatever file: a fix must meet it.

use std::collections::BTreeMap;

use super::PolicyViolation;
use super::lines::Balance;
use super::markers;
use crate::code::RepoPath;
use crate::fix::PatchFile;

/// Most lines of one assertion.
const MAX_LINES: usize = 40;

pub(super) fn check(path: &RepoPath, file: &PatchFile) -> Result<(), PolicyViolation> {
    let after = assertions(file.after());
    for (text, before) in assertions(file.before()) {
        if after.get(&text).copied().unwrap_or(0) < before {
            let shown: String = text.chars().take(80).collect();
            let reason = format!("it removes or alters an assertion in {path}: {shown}");
            return Err(PolicyViolation::new("weakened-tests", reason));
        }
    }
    let after = markers::tests(file.after());
    for (name, before) in markers::tests(file.before()) {
        let now = after.get(&name).copied().unwrap_or(0);
        if now != before {
            let verb = if now < before { "removes or renames" } else { "defines again" };
            return Err(PolicyViolation::new(
                "removed-tests",
                format!("it {verb} the test {name} in {path}"),
            ));
        }
    }
    Ok(())
}

/// What is asserted or documented by example, each to its last bracket, with how often it stands there.
fn assertions(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let rest = lines.get(at..).unwrap_or_default();
        let statement = if line.starts_with(">>>") {
            example(rest)
        } else if asserts(line) {
            statement(rest)
        } else {
            continue;
        };
        *found.entry(statement).or_insert(0) += 1;
    }
    found
}

fn asserts(line: &str) -> bool {
    let starts = [
        "assert ",
        "assert(",
        "assert!",
        "assert_",
        "debug_assert",
        "raise AssertionError",
        "with pytest.raises",
        "pytest.raises",
        "with self.assert",
        "with raises",
        "expect(",
        "await expect(",
        "t.Error",
        "t.Fatal",
        "require.",
        "prop_assert",
    ];
    starts.iter().any(|word| line.starts_with(word))
        || line.contains(".assert")
        || line.contains("pytest.raises(")
}

/// The lines to the one that closes the last bracket.
fn statement(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().take(MAX_LINES) {
        text.push_str(line);
        let open = Balance::of(&text).open.iter().any(|count| *count > 0);
        if !open && !line.ends_with('\\') {
            break;
        }
        text.push('\n');
    }
    text
}

/// An example of a docstring with what it prints, to an empty line or the end of the docstring.
fn example(lines: &[&str]) -> String {
    let ends = |line: &&&str| !line.is_empty() && !line.starts_with("\"\"\"") && !line.starts_with("'''");
    let first = lines.first().copied().unwrap_or_default();
    let rest =
        lines.iter().skip(1).take(MAX_LINES).take_while(ends).take_while(|line| !line.starts_with(">>>"));
    std::iter::once(first).chain(rest.copied()).collect::<Vec<_>>().join("\n")
}
