//! The check that an edit leaves a file as well-formed as it was.

use crate::code::RepoPath;
use crate::run::RunContext;

/// The line, from 1, of a syntax error that the text did not have before. `before` is `None` for a new file. Knows JSON
/// and, with the feature `template-repair`, Python; any other file has no errors.
pub(crate) fn new_syntax_error(
    path: &RepoPath,
    before: Option<&str>,
    after: &str,
    ctx: &RunContext,
) -> Option<usize> {
    if path.extension() == Some("json") {
        let was_broken = before.is_some_and(|text| json_error(text).is_some());
        return json_error(after).filter(|_| !was_broken);
    }
    program_error(path, before.unwrap_or_default(), after, ctx)
}

fn json_error(text: &str) -> Option<usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str::<serde::de::IgnoredAny>(text).err().map(|error| error.line().max(1))
}

#[cfg(feature = "template-repair")]
fn program_error(path: &RepoPath, before: &str, after: &str, ctx: &RunContext) -> Option<usize> {
    use crate::fix::template::syntax_errors;

    let (old, new) = (syntax_errors(path, before, ctx)?, syntax_errors(path, after, ctx)?);
    if new.len() <= old.len() {
        return None;
    }
    let known: Vec<&str> = old.iter().filter_map(|line| before.lines().nth(line - 1)).collect();
    let is_known = |line: &usize| after.lines().nth(line - 1).is_some_and(|text| known.contains(&text));
    new.iter().find(|line| !is_known(line)).or(new.first()).copied()
}

#[cfg(not(feature = "template-repair"))]
fn program_error(_path: &RepoPath, _before: &str, _after: &str, _ctx: &RunContext) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test_context;

    fn found(path: &str, before: Option<&str>, after: &str) -> Option<usize> {
        new_syntax_error(&RepoPath::new(path).unwrap(), before, after, &test_context())
    }

    #[test]
    fn only_new_errors_count() {
        assert_eq!(found("a.json", Some("{}"), "{\n\"a\": 1,\n}"), Some(3));
        assert_eq!(found("a.json", Some("{,}"), "{\"a\": 1,}"), None, "it was broken before");
        assert_eq!(found("a.json", None, "{"), Some(1));
        assert_eq!(found("a.json", Some("\u{feff}{}"), "\u{feff}{\"a\": 1}"), None);
        assert_eq!(found("a.txt", None, "{"), None);
    }

    #[cfg(feature = "template-repair")]
    #[test]
    fn python_is_parsed() {
        let good = "def f(x):\n    return x\n";
        assert_eq!(found("a.py", Some(good), "def f(x):\n    return (x\n"), Some(2));
        assert_eq!(found("a.py", Some(good), "def f(x):\n    return x + 1\n"), None);
        assert_eq!(found("a.py", None, "def f(:\n    pass\n"), Some(1));
        let broken = "print 'a' 'b' c\ndef f(x):\n    return x\n";
        assert_eq!(found("a.py", Some(broken), &broken.replace("return x", "return 2")), None);
    }
}
