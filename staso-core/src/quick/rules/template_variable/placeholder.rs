//! Variables in the common template languages.

use std::ops::ControlFlow;

use crate::quick::document::Document;
use crate::quick::pattern::pattern;
use crate::trace::JsonPointer;

/// The most variables that are read out of one text.
const MAX_PLACEHOLDERS: usize = 20;
/// How much of the line before a variable is kept, in characters.
const CONTEXT_CHARS: usize = 24;

pattern!(
    PLACEHOLDER = r"\{\{\s*([A-Za-z_][\w.]*)\s*\}\}|\$\{([A-Za-z_]\w*)\}|%\(([A-Za-z_]\w*)\)[sdf]|\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|<([A-Za-z_]\w*)>"
);

/// A variable as it stands in a rendered text.
#[derive(Debug, Clone)]
pub(super) struct Placeholder {
    /// The variable.
    pub(super) name: String,
    /// As written, e.g. `{{order_id}}`.
    pub(super) literal: String,
    /// What stands before it on its line.
    pub(super) context: String,
    /// The text that holds it.
    pub(super) pointer: JsonPointer,
}

impl Placeholder {
    /// A variable that is known by name only.
    pub(super) fn named(name: &str, literal: String, pointer: JsonPointer) -> Self {
        Self { name: name.to_owned(), literal, context: String::new(), pointer }
    }

    /// Whether the spelling alone says that it is a template variable.
    pub(super) fn is_plain(&self) -> bool {
        self.literal.starts_with('{') || self.literal.starts_with("${")
    }
}

/// A cheap test before the expensive one.
pub(super) fn may_hold(raw: &str) -> bool {
    raw.contains(['{', '$', '<', '%'])
}

/// The variables in a document, each once, in the order of reading.
pub(super) fn scan(document: &Document<'_>) -> Vec<Placeholder> {
    let mut found: Vec<Placeholder> = Vec::new();
    document.texts(|path, text| {
        for hit in PLACEHOLDER.all(text) {
            let (Some(whole), Some(name)) = (hit.get(0), hit.iter().skip(1).flatten().next()) else {
                continue;
            };
            if found.len() >= MAX_PLACEHOLDERS {
                return ControlFlow::Break(());
            }
            let before = text.get(..whole.start()).unwrap_or_default();
            let after = text.get(whole.end()..).unwrap_or_default();
            let known = found.iter().any(|known| known.literal == whole.as_str());
            if known || !stands_free(whole.as_str(), name.as_str(), before, after) {
                continue;
            }
            let line = before.rsplit('\n').next().unwrap_or_default();
            let start = line.char_indices().rev().take(CONTEXT_CHARS).last().map_or(line.len(), |(at, _)| at);
            found.push(Placeholder {
                name: name.as_str().to_owned(),
                literal: whole.as_str().to_owned(),
                context: line.get(start..).unwrap_or_default().to_owned(),
                pointer: document.pointer_to(path),
            });
        }
        ControlFlow::Continue(())
    });
    found
}

/// Leaves out program text and markup: `${{ x }}`, `f"{x}"`, `<a>…</a>`.
fn stands_free(literal: &str, name: &str, before: &str, after: &str) -> bool {
    if literal.starts_with('<') {
        return !after.contains(&format!("</{name}>"));
    }
    let in_format_string =
        ["f\"", "f'"].iter().any(|mark| before.rsplit('\n').next().unwrap_or_default().contains(mark));
    let wrapped = before.ends_with(['{', '\\']) || (literal.starts_with('{') && before.ends_with('$'));
    let in_code_block = before.matches("```").count() % 2 == 1;
    let escaped = literal.starts_with('{') && after.starts_with('}');
    !(in_format_string || in_code_block || wrapped || escaped)
}

#[cfg(test)]
mod tests {
    use crate::trace::{Captured, Payload};

    use super::*;

    fn names(text: &str) -> Vec<String> {
        let payload = Captured::Present(Payload::new(serde_json::to_string(text).unwrap()));
        scan(&Document::new("output", &payload, 10_000)).into_iter().map(|found| found.literal).collect()
    }

    #[test]
    fn variables_of_all_languages_are_seen_and_code_is_not() {
        assert_eq!(
            names("Hi {name}, {{ order_id }} ${total} $sum %(x)s"),
            ["{name}", "{{ order_id }}", "${total}", "$sum", "%(x)s"]
        );
        assert_eq!(names("{\"a\": 1} {1} $5 {} print(f\"{x}\") <b>x</b>"), Vec::<String>::new());
        assert!(PLACEHOLDER.is_valid());
    }
}
