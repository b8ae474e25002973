//! Settings in the files of a repository: `key: value`, `key = value`, `"key": value`, `key=value` in a call.

use super::pattern::pattern;
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::RepairHint;

/// Larger files hold data, not settings.
const MAX_FILE_BYTES: usize = 512 * 1024;
/// The most settings that are looked at in one repository.
const MAX_SETTINGS: usize = 5_000;

pattern!(
    SETTING = r#"["']?([A-Za-z_][\w.-]*)["']?\s*(?::\s*[A-Za-z_][\w.\[\]| ]*?\s*=|[:=])\s*("[^"]*"|'[^']*'|[^\s,;)#"'{\[(][^\s,;)#"'({\[]*)"#
);

/// A setting as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) path: RepoPath,
    /// From 1.
    pub(super) line: u32,
    /// As written.
    pub(super) key: String,
    /// As written, with quotes where there are any.
    pub(super) value: String,
}

impl Setting {
    /// The value without quotes.
    pub(super) fn bare(&self) -> &str {
        self.value.trim_matches(['"', '\''])
    }

    /// The value as a number; `_` between digits is allowed.
    pub(super) fn number(&self) -> Option<f64> {
        self.bare().replace('_', "").parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A value written as this one is, with its quotes.
    fn dressed(&self, value: &str) -> String {
        match self.value.chars().next() {
            Some(quote @ ('"' | '\'')) => format!("{quote}{value}{quote}"),
            _ => value.to_owned(),
        }
    }

    /// A hint that proposes other values.
    pub(super) fn hint(&self, proposed: impl IntoIterator<Item = String>) -> RepairHint {
        RepairHint::Setting {
            path: self.path.clone(),
            line: self.line,
            key: self.key.clone(),
            current: self.value.clone(),
            proposed: proposed.into_iter().map(|value| self.dressed(&value)).collect(),
        }
    }

    /// A hint that proposes multiples of the number, largest last.
    pub(super) fn multiplied(&self, factors: &[f64]) -> RepairHint {
        let number = self.number().unwrap_or_default();
        let whole = !self.bare().contains('.');
        self.hint(factors.iter().map(|factor| {
            let value = number * factor;
            if whole { format!("{:.0}", value.ceil()) } else { format!("{value}") }
        }))
    }
}

/// Settings whose line `wanted` accepts and that `matches` accepts: configuration files first, then code, tests and
/// documents last.
pub(super) fn find(
    code: &CodeSnapshot,
    wanted: impl Fn(&str) -> bool,
    matches: impl Fn(&Setting) -> bool,
) -> Vec<Setting> {
    let mut found = Vec::new();
    for (path, file) in code.files().filter(|(_, file)| file.text.len() <= MAX_FILE_BYTES) {
        if rank(path) > TEST_RANK || !wanted(&file.text) {
            continue;
        }
        for (line, text) in
            (1..).zip(file.text.lines()).filter(|(_, text)| text.len() <= 2_000 && wanted(text))
        {
            if found.len() < MAX_SETTINGS {
                found.extend(on_line(path, line, text).into_iter().filter(&matches));
            }
        }
    }
    found.sort_by_key(|setting| rank(&setting.path));
    // A test may repeat a value on purpose; it is no place to change it.
    if found.first().is_some_and(|first| rank(&first.path) < TEST_RANK) {
        found.retain(|setting| rank(&setting.path) < TEST_RANK);
    }
    found
}

fn on_line(path: &RepoPath, line: u32, text: &str) -> Vec<Setting> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('#') || trimmed.starts_with("//") {
        return Vec::new();
    }
    let setting = |found: regex::Captures<'_>| {
        Some(Setting {
            path: path.clone(),
            line,
            key: found.get(1)?.as_str().to_owned(),
            value: found.get(2)?.as_str().to_owned(),
        })
    };
    SETTING.all(text).filter_map(setting).collect()
}

/// The rank of tests.
const TEST_RANK: u8 = 3;

/// Where a setting is looked for first. Files above the rank of tests are no settings at all.
fn rank(path: &RepoPath) -> u8 {
    let is_test =
        path.components().any(|part| part == "tests" || part == "test" || part.starts_with("test_"));
    let base = match path.extension() {
        Some("yaml" | "yml" | "toml" | "json" | "ini" | "cfg" | "env" | "conf" | "properties") => 0,
        _ if path.file_name().starts_with(".env") => 0,
        Some("py" | "js" | "ts" | "mjs" | "cjs" | "tsx" | "go" | "rs" | "java" | "kt" | "rb" | "sh") => 1,
        None => 2,
        _ => 4,
    };
    if path.file_name().ends_with("lock.json") || path.file_name().ends_with(".lock") {
        4
    } else if is_test {
        base.max(TEST_RANK)
    } else {
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let path = RepoPath::new("x.py").unwrap();
        on_line(&path, 1, text).into_iter().map(|setting| (setting.key, setting.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn settings_of_all_common_spellings_are_read_as_written() {
        assert_eq!(values("  max_tokens: 256  # small"), [pair("max_tokens", "256")]);
        assert_eq!(values("\"model\": \"gpt-4-0613\","), [pair("model", "\"gpt-4-0613\"")]);
        assert_eq!(values("MODEL = 'x-1'"), [pair("MODEL", "'x-1'")]);
        assert_eq!(values("timeout: float = 2.5"), [pair("timeout", "2.5")]);
        assert_eq!(
            values("call(model=\"a\", max_tokens=1_024)"),
            [pair("model", "\"a\""), pair("max_tokens", "1_024")]
        );
        assert_eq!(values("# model: old"), []);
        assert!(SETTING.is_valid());
    }

    #[test]
    fn proposals_are_written_like_the_value() {
        let path = RepoPath::new("x.yaml").unwrap();
        let setting = Setting { path, line: 1, key: "limit".into(), value: "'2_000'".into() };
        let RepairHint::Setting { proposed, .. } = setting.multiplied(&[2.0, 4.0]) else {
            panic!("a setting")
        };
        assert_eq!(proposed, ["'4000'", "'8000'"]);
    }
}
