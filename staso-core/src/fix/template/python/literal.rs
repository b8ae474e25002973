//! Python string literals.

use super::super::mutation::is_invisible;
use super::super::syntax::Node;

/// The value of a plain string literal without escapes; `None` for everything else.
pub(super) fn plain_value(node: Node<'_>) -> Option<&str> {
    if node.kind() != "string" || node.children().any(|part| part.kind() == "interpolation") {
        return None;
    }
    let (opening, closing) = delimiters(node)?;
    let inside = node.text().strip_prefix(opening)?.strip_suffix(closing)?;
    (!inside.contains('\\')).then_some(inside)
}

fn delimiters(node: Node<'_>) -> Option<(&str, &str)> {
    Some((node.token("string_start")?.text(), node.token("string_end")?.text()))
}

/// A literal in the manner of another one. `None` when the value cannot be written there.
pub(super) fn like(node: Node<'_>, value: &str) -> Option<String> {
    let (opening, closing) = delimiters(node)?;
    let quote = closing.chars().next()?;
    let prefix = opening.trim_end_matches(quote).to_ascii_lowercase();
    let escaped = escape(value, quote);
    let nested = node.ancestors().any(|ancestor| ancestor.kind() == "interpolation");
    let fits = match prefix.as_str() {
        "" | "u" => !nested || escaped == value,
        "r" => escaped == value,
        "f" | "fr" | "rf" => escaped == value && !value.contains(['{', '}']),
        _ => false,
    };
    fits.then(|| format!("{opening}{escaped}{closing}"))
}

/// A literal in double quotes.
pub(crate) fn quoted(value: &str) -> String {
    format!("\"{}\"", escape(value, '"'))
}

fn escape(value: &str, quote: char) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ if c == quote => text.extend(['\\', c]),
            _ if c.is_control() || is_invisible(c) => {
                let code = u32::from(c);
                let escaped = if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") };
                text.push_str(&escaped);
            }
            _ => text.push(c),
        }
    }
    text
}

/// Whether Python reads the text as one name that is no keyword.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
        && text.len() <= 128
        && !KEYWORDS.contains(&text)
}

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_values_become_one_literal() {
        assert_eq!(quoted("a\"b\\c\nd\u{202e}"), r#""a\"b\\c\nd\u202e""#);
        assert_eq!(quoted("\u{e0001}"), "\"\\U000e0001\"");
        assert!(!is_identifier("a-b") && !is_identifier("class") && !is_identifier(""));
        assert!(is_identifier("_a1"));
    }
}
