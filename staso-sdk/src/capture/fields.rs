//! The fields of a span as they are recorded: few allocations, bounded size.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};

/// Longest recorded text value, in bytes; longer ones are cut.
pub const MAX_VALUE_BYTES: usize = 128 << 10;
/// Longest text of all values of one span together, in bytes; what comes after is cut.
pub const MAX_SPAN_BYTES: usize = 1 << 20;
/// Most values recorded on one span; later ones are left out.
pub const MAX_FIELDS: usize = 128;

/// The fields of one span. All text lies in one buffer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    name: &'static str,
    value: Scalar,
}

#[derive(Debug, Clone, Copy)]
enum Scalar {
    /// Offsets into the buffer, which [`MAX_SPAN_BYTES`] keeps small.
    Text {
        start: u32,
        end: u32,
        cut: bool,
    },
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Fields {
    pub(crate) fn with_capacity(fields: usize) -> Self {
        Self { text: String::with_capacity(fields * 16), entries: Vec::with_capacity(fields.min(MAX_FIELDS)) }
    }

    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The last text value of a field.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.entries.iter().rev().find(|entry| entry.name == name).and_then(|entry| match entry.value {
            Scalar::Text { start, end, .. } => self.slice(start, end).filter(|text| !text.is_empty()),
            _ => None,
        })
    }

    fn slice(&self, start: u32, end: u32) -> Option<&str> {
        self.text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    pub(crate) fn push_text(&mut self, name: &'static str, text: &str) {
        self.push_display(name, format_args!("{text}"));
    }

    fn push_display(&mut self, name: &'static str, value: fmt::Arguments<'_>) {
        if self.entries.len() >= MAX_FIELDS {
            return;
        }
        let start = self.text.len();
        let limit = (start + MAX_VALUE_BYTES).min(MAX_SPAN_BYTES.max(start));
        // An error means that the limit was reached or that a `Display` gave up; what was written stays.
        let cut = Bounded { text: &mut self.text, limit }.write_fmt(value).is_err();
        let (start, end) = (offset(start), offset(self.text.len()));
        self.entries.push(Entry { name, value: Scalar::Text { start, end, cut } });
    }

    fn push(&mut self, name: &'static str, value: Scalar) {
        if self.entries.len() < MAX_FIELDS {
            self.entries.push(Entry { name, value });
        }
    }

    /// The values by name, the last of a name winning, and the names of those that were cut.
    pub(crate) fn into_values(self) -> (BTreeMap<String, Value>, Vec<&'static str>) {
        let mut values = BTreeMap::new();
        let mut cut_names = Vec::new();
        for &Entry { name, value } in &self.entries {
            let value = match value {
                Scalar::Text { start, end, cut } => {
                    if cut {
                        cut_names.push(name);
                    }
                    Value::from(self.slice(start, end).unwrap_or_default())
                }
                Scalar::Bool(value) => Value::from(value),
                Scalar::Signed(value) => Value::from(value),
                Scalar::Unsigned(value) => Value::from(value),
                Scalar::Float(value) => Value::from(value),
            };
            values.insert(name.to_owned(), value);
        }
        (values, cut_names)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_display(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field.name(), Scalar::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field.name(), Scalar::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field.name(), Scalar::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field.name(), Scalar::Float(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.push_display(field.name(), format_args!("{}", Chain(value)));
    }
}

/// An error with its causes, outermost first, separated by colons. A cause that its wrapper already quotes is left out.
pub(crate) struct Chain<'e>(pub(crate) &'e (dyn Error + 'static));

/// A chain of causes may be a cycle.
const MAX_CAUSES: usize = 16;

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let causes = std::iter::successors(self.0.source(), |&cause| cause.source());
        for cause in causes.take(MAX_CAUSES) {
            let text = cause.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
        }
        Ok(())
    }
}

/// Writes up to a limit, then cuts at a character and fails.
struct Bounded<'t> {
    text: &'t mut String,
    limit: usize,
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.text.len());
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&at| part.is_char_boundary(at)).unwrap_or(0);
        self.text.push_str(part.get(..end).unwrap_or_default());
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_at_a_character_and_named() {
        let mut fields = Fields::with_capacity(2);
        fields.push_text("long", &"ä".repeat(MAX_VALUE_BYTES));
        fields.push_text("short", "x");
        fields.push_text("short", "y");
        let (values, cut) = fields.into_values();
        assert_eq!(cut, ["long"]);
        assert_eq!(values["long"].as_str().unwrap().len(), MAX_VALUE_BYTES);
        assert_eq!(values["short"], "y");
    }

    #[test]
    fn a_span_has_a_limit_over_all_values() {
        let mut fields = Fields::default();
        for _ in 0..20 {
            fields.push_text("f", &"x".repeat(MAX_VALUE_BYTES));
        }
        assert!(fields.text.len() <= MAX_SPAN_BYTES);
    }

    #[test]
    fn causes_are_joined_once() {
        let inner = std::io::Error::other("disk is full");
        let outer = std::io::Error::other(inner);
        assert_eq!(Chain(&outer).to_string(), "disk is full");
    }
}
