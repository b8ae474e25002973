//! Edits of one setting in a JSON, TOML, YAML, INI or env file, or of a constant in a program.
//!
//! Only the value changes: quotes, commas, comments, spaces and line ends stay.

use std::ops::Range;

use super::family::Family;
use super::mutation::{Mutation, code};
use crate::code::RepoPath;
use crate::diagnosis::FixKind;
use crate::fix::Replacement;

/// A hint about a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The file.
    pub(crate) path: &'a RepoPath,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The key, as written; with dots where the format nests.
    pub(crate) key: &'a str,
    /// The value, as written.
    pub(crate) current: &'a str,
    /// Values to try, best first.
    pub(crate) proposed: &'a [String],
}

/// Values that are tried.
const MAX_VALUES: usize = 24;
/// Longer values are not written, in bytes.
const MAX_VALUE_BYTES: usize = 256;

/// What kind of change a change of the file is.
pub(crate) fn kind_of(path: &RepoPath) -> FixKind {
    match path.extension() {
        Some("py" | "pyi" | "js" | "ts" | "mjs" | "rs" | "go" | "java") => FixKind::Code,
        _ => FixKind::Config,
    }
}

/// Proposes an edit for each value.
pub(crate) fn propose(text: &str, setting: Setting<'_>) -> Vec<Mutation> {
    let places = find_values(text, setting);
    let mut mutations = Vec::new();
    for (rank, value) in setting.proposed.iter().take(MAX_VALUES).enumerate() {
        for (nearness, place) in &places {
            let Some(new) = written(text, place, value, setting.path) else { continue };
            let position = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 4.0);
            let (key, old) = (code(setting.key), code(setting.current));
            mutations.push(Mutation {
                family: Family::Setting,
                is_backed: false,
                parts: vec![Replacement { range: place.range.clone(), text: new }],
                line: place.line,
                closeness: position * nearness,
                title: format!("Set {key} to {}", code(value)),
                why: Some(format!("{key} is {old}, with which the run failed; {} may work.", code(value))),
            });
        }
    }
    mutations
}

/// Where a value stands, without its quotes.
#[derive(Debug)]
struct Place {
    range: Range<usize>,
    line: u32,
    quote: Option<char>,
}

/// The value at the line of the hint; failing that, every line of the file with that key and value.
fn find_values(text: &str, setting: Setting<'_>) -> Vec<(f64, Place)> {
    let mut exact = Vec::new();
    let mut others = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        let place = value_on(line, setting).map(|(range, quote)| Place {
            range: start + range.start..start + range.end,
            line: number,
            quote,
        });
        match place {
            Some(place) if number == setting.line => exact.push((1.0, place)),
            Some(place) if others.len() < MAX_OTHER_PLACES => others.push((0.5, place)),
            _ => {}
        }
        start += line.len();
    }
    if exact.is_empty() { others } else { exact }
}

const MAX_OTHER_PLACES: usize = 4;

fn value_on(line: &str, setting: Setting<'_>) -> Option<(Range<usize>, Option<char>)> {
    let key = setting.key.rsplit('.').next().unwrap_or(setting.key).trim_matches(['"', '\'']);
    let bare = setting.current.trim().trim_matches(['"', '\'']);
    if key.is_empty() || bare.is_empty() {
        return None;
    }
    let key_end =
        line.match_indices(key).map(|(at, _)| at..at + key.len()).find(|range| is_whole(line, range))?.end;
    let separator = line.get(key_end..)?.find(['=', ':'])? + key_end;
    let found = line
        .get(separator..)?
        .match_indices(bare)
        .map(|(at, _)| separator + at..separator + at + bare.len())
        .find(|range| is_whole(line, range))?;
    if is_comment(line.get(separator..found.start)?) {
        return None;
    }
    let before = line.get(..found.start)?.chars().next_back();
    let after = line.get(found.end..)?.chars().next();
    let quote = before.filter(|c| matches!(c, '"' | '\'') && before == after);
    Some((found, quote))
}

fn is_comment(text: &str) -> bool {
    text.contains(" #") || text.contains("//") || text.contains(" ;")
}

fn is_whole(line: &str, range: &Range<usize>) -> bool {
    let part = |c: char| c == '_' || c == '-' || c == '.' || c.is_alphanumeric();
    let before = line.get(..range.start).and_then(|head| head.chars().next_back());
    let after = line.get(range.end..).and_then(|tail| tail.chars().next());
    !before.is_some_and(part) && !after.is_some_and(part)
}

/// The value as it is written at the place; `None` when it could change more than the value.
fn written(text: &str, place: &Place, value: &str, path: &RepoPath) -> Option<String> {
    let value = value.trim();
    let bare = match value.chars().next() {
        Some(quote @ ('"' | '\'')) if value.len() > 1 => value.strip_prefix(quote)?.strip_suffix(quote)?,
        _ => value,
    };
    if bare.is_empty() || bare.len() > MAX_VALUE_BYTES || bare.chars().any(|c| c.is_control() || c == '\\') {
        return None;
    }
    let new = match place.quote {
        Some(quote) => (!bare.contains(['"', '\'', '\u{2028}', '\u{2029}']) || !bare.contains(quote))
            .then(|| bare.to_owned())?,
        None if is_bare_scalar(bare) && (is_loose(path) || is_literal(bare)) => bare.to_owned(),
        None if !is_loose(path) && bare != value && !bare.contains(['"', '\'']) => format!("\"{bare}\""),
        None => return None,
    };
    (text.get(place.range.clone()) != Some(new.as_str())).then_some(new)
}

/// Formats in which a text needs no quotes.
fn is_loose(path: &RepoPath) -> bool {
    matches!(
        path.extension(),
        Some("yaml" | "yml" | "ini" | "cfg" | "conf" | "env" | "properties" | "txt") | None
    )
}

/// Text that no format reads as anything but one value.
fn is_bare_scalar(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._/@+-:".contains(c))
        && !text.starts_with(['-', '@', ':']) | text.parse::<f64>().is_ok()
        && !text.ends_with(':')
}

fn is_literal(text: &str) -> bool {
    text.replace('_', "").parse::<f64>().is_ok_and(f64::is_finite)
        || matches!(text, "true" | "false" | "null" | "True" | "False" | "None")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(path: &str, text: &str, key: &str, current: &str, proposed: &str) -> Option<String> {
        let path = RepoPath::new(path).unwrap();
        let proposed = [proposed.to_owned()];
        let setting = Setting { path: &path, line: 1, key, current, proposed: &proposed };
        let mutation = propose(text, setting).into_iter().next()?;
        let mut text = text.to_owned();
        for part in &mutation.parts {
            text.replace_range(part.range.clone(), &part.text);
        }
        Some(text)
    }

    #[test]
    fn only_the_value_changes() {
        for (path, text, key, current, proposed, expected) in [
            (
                "a.json",
                "  \"model\": \"old-1\", \n",
                "model",
                "\"old-1\"",
                "new-2",
                "  \"model\": \"new-2\", \n",
            ),
            (
                "a.toml",
                "model = 'old-1' # old-1\r\n",
                "llm.model",
                "old-1",
                "new-2",
                "model = 'new-2' # old-1\r\n",
            ),
            ("a.yaml", "model: old-1  # keep\n", "model", "old-1", "new-2", "model: new-2  # keep\n"),
            ("a.ini", "max_tokens=256", "max_tokens", "256", "4096", "max_tokens=4096"),
            ("a.py", "MODEL: str = \"old-1\"\n", "MODEL", "old-1", "\"new-2\"", "MODEL: str = \"new-2\"\n"),
            ("a.json", "{\"max_tokens\":256}", "max_tokens", "256", "4096", "{\"max_tokens\":4096}"),
        ] {
            assert_eq!(after(path, text, key, current, proposed).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn values_that_would_change_more_are_not_written() {
        for (path, text, proposed) in [
            ("a.json", "\"model\": \"old\"", "x\", \"y\": \"z"),
            ("a.yaml", "model: old", "x\ny: z"),
            ("a.yaml", "model: old", "x # y"),
            ("a.py", "model = old", "__import__('os')"),
            ("a.ini", "model = old", ""),
            ("a.json", "\"model\": \"old\"", "x\\"),
        ] {
            assert_eq!(after(path, text, "model", "old", proposed), None, "{path}: {proposed:?}");
        }
        assert_eq!(after("a.yaml", "my_model: old", "model", "old", "new"), None);
        assert_eq!(after("a.yaml", "model: older", "model", "old", "new"), None);
    }
}
