//! Defaults of environment variables that a repository documents.

use crate::code::{CodeSnapshot, RepoPath};

/// The documented value of a variable. Secrets and fill-in texts such as `<your key>` are no defaults.
pub(crate) fn default_of(name: &str, code: &CodeSnapshot) -> Option<String> {
    const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];
    let upper = name.to_uppercase();
    if name.is_empty() || SECRET.iter().any(|word| upper.contains(word)) {
        return None;
    }
    let documents = code.files().filter(|(path, _)| is_document(path));
    documents.flat_map(|(_, file)| file.text.lines().take(MAX_LINES)).find_map(|line| value_in(line, name))
}

const MAX_LINES: usize = 5_000;
const MAX_VALUE_BYTES: usize = 200;

fn is_document(path: &RepoPath) -> bool {
    let name = path.file_name().to_lowercase();
    let example = ["example", "sample", "template", "dist"].iter().any(|word| name.contains(word));
    (name.contains("env") && example)
        || name.starts_with("readme")
        || matches!(path.extension(), Some("md" | "rst" | "ini" | "toml" | "cfg"))
}

/// `NAME=value`, also behind `export`, in a list or in code marks; or a sentence with `NAME` and `default`.
fn value_in(line: &str, name: &str) -> Option<String> {
    let at = line.find(name)?;
    let before = line.get(..at)?;
    let after = line.get(at + name.len()..)?;
    let whole = |c: Option<char>| c.is_none_or(|c| c != '_' && !c.is_alphanumeric());
    if !whole(before.chars().next_back()) || !whole(after.chars().next()) {
        return None;
    }
    let value = match after.trim_start().strip_prefix('=') {
        Some(value) => value.trim().split(['`', '#']).next()?.trim().trim_matches(['"', '\'']),
        None => {
            let lower = after.to_ascii_lowercase();
            let behind = after.get(lower.find("default")? + "default".len()..)?;
            behind.split('`').nth(1)?
        }
    };
    is_usable(value).then(|| value.to_owned())
}

fn is_usable(value: &str) -> bool {
    let lower = value.to_lowercase();
    let fill_in = ["your", "changeme", "change-me", "xxx", "todo", "...", "…", "<", "$"];
    !value.is_empty()
        && value.len() <= MAX_VALUE_BYTES
        && !value.chars().any(char::is_control)
        && !fill_in.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_lines() {
        assert_eq!(value_in("export REGION=eu-1 # where", "REGION").as_deref(), Some("eu-1"));
        assert_eq!(value_in("- `REGION` the place (default `eu-1`)", "REGION").as_deref(), Some("eu-1"));
        assert_eq!(value_in("MY_REGION=eu-1", "REGION"), None);
        assert_eq!(value_in("REGION=<your region>", "REGION"), None);
        assert_eq!(value_in("REGION", "REGION"), None);
    }
}
