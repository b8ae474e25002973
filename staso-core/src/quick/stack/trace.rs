//! What a stack trace is, and which parser reads it.

use super::{go, java, node, python, rust};

/// The most frames that are kept of one trace; deep recursion repeats itself.
pub(super) const MAX_FRAMES: usize = 200;
/// The most traces that are read out of one text.
pub(super) const MAX_TRACES: usize = 32;
/// The longest line that is looked at, in bytes.
const MAX_LINE_BYTES: usize = 4_096;

/// One printed stack trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StackTrace {
    /// Class of the exception, as printed, e.g. `json.decoder.JSONDecodeError`.
    pub(crate) exception: Option<String>,
    /// Its message; the first line where there are several.
    pub(crate) message: Option<String>,
    /// Innermost first.
    pub(crate) frames: Vec<Frame>,
}

/// One line of a stack trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The file, as printed.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The function.
    pub(crate) function: Option<String>,
    /// The source line that was printed with it.
    pub(crate) text: Option<String>,
}

impl StackTrace {
    /// Class of the exception without its module.
    pub(crate) fn class(&self) -> Option<&str> {
        self.exception.as_deref().map(class_of)
    }
}

/// The last part of a qualified class name.
pub(crate) fn class_of(qualified: &str) -> &str {
    let tail = qualified.rsplit("::").next().unwrap_or(qualified);
    tail.rsplit(['.', '$']).next().unwrap_or(tail)
}

/// Every stack trace in the text, in the order of printing: for chained exceptions the cause stands first, except
/// in Java, which prints it last.
pub(crate) fn parse(text: &str) -> Vec<StackTrace> {
    let lines: Vec<&str> = text.lines().map(|line| bounded(line.trim_end_matches('\r'))).collect();
    let parsers: [(&str, Parser); 5] = [
        ("File \"", python::parse),
        ("panicked at", rust::parse),
        ("goroutine ", go::parse),
        (".java:", java::parse),
        ("    at ", node::parse),
    ];
    let mut found = Vec::new();
    for (mark, parser) in parsers {
        if text.contains(mark) {
            found = parser(&lines);
        }
        if !found.is_empty() {
            break;
        }
    }
    found.truncate(MAX_TRACES);
    for trace in &mut found {
        trace.frames.truncate(MAX_FRAMES);
    }
    found
}

type Parser = fn(&[&str]) -> Vec<StackTrace>;

fn bounded(line: &str) -> &str {
    let mut end = line.len().min(MAX_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.get(..end).unwrap_or_default()
}

/// `Class: message` or a lone `Class`, where the class looks like an exception's name.
pub(super) fn exception_line(line: &str) -> Option<(String, Option<String>)> {
    let (name, message) = match line.split_once(':') {
        Some((name, message)) => (name.trim(), Some(message.trim().to_owned())),
        None => (line.trim(), None),
    };
    is_class_name(name).then(|| (name.to_owned(), message.filter(|text| !text.is_empty())))
}

fn is_class_name(name: &str) -> bool {
    let class = class_of(name);
    !name.is_empty()
        && name.len() <= 200
        && class.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':'))
}

/// Splits `path:line` or `path:line:column`.
pub(super) fn path_and_line(place: &str) -> Option<(&str, u32)> {
    let (rest, last) = place.rsplit_once(':')?;
    let last: u32 = last.parse().ok()?;
    match rest.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?))) {
        Some((path, line)) if !path.is_empty() => Some((path, line)),
        _ => (!rest.is_empty()).then_some((rest, last)),
    }
}
