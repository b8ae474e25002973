//! Lines of the repository that took part in a failure: from a recorded stack, else read off the code.

use super::failure::Failure;
use super::functions::{Function, SourceCode, strip_comment};
use super::stack::{Frame, StackTrace, class_of};
use super::tree::outward;
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::FrameRef;
use crate::trace::{Span, TraceView};

/// The most frames that a diagnosis hands on.
const MAX_FRAMES: usize = 20;
/// How many calls deep the code is searched when no stack was recorded.
const MAX_DEPTH: usize = 3;
/// The most functions that are searched then.
const MAX_FUNCTIONS: usize = 40;

/// The frames of a stack that lie in the repository, innermost first.
pub(super) fn resolve(stack: &StackTrace, code: &CodeSnapshot) -> Vec<FrameRef> {
    stack.frames.iter().filter_map(|frame| resolve_frame(frame, code)).take(MAX_FRAMES).collect()
}

fn resolve_frame(frame: &Frame, code: &CodeSnapshot) -> Option<FrameRef> {
    if frame.path.starts_with('<') || frame.line == 0 {
        return None;
    }
    let path = code.resolve_recorded_path(&frame.path)?;
    // Another file may share the name. When its line is known and differs, this is not the one.
    if let (Some(printed), true) = (&frame.text, code.file(path).is_some()) {
        let line = code.line(path, frame.line)?.trim();
        if !line.contains(printed.as_str()) && !printed.contains(line) {
            return None;
        }
    }
    let function = frame.function.clone().filter(|name| name != "<module>");
    Some(FrameRef { path: path.clone(), line: frame.line, function })
}

/// The function that made a step.
pub(super) fn function_of<'c>(span: &Span, code: &'c SourceCode<'_>) -> Option<&'c Function> {
    let place = span.code.as_ref()?;
    let path = code.snapshot.resolve_recorded_path(&place.path)?;
    code.functions().at(path, place.function.as_deref(), place.line)
}

/// The place of a step in the repository, as a frame.
pub(super) fn frame_of(span: &Span, code: &SourceCode<'_>) -> Option<FrameRef> {
    if let Some(function) = function_of(span, code) {
        return Some(definition(function));
    }
    let place = span.code.as_ref()?;
    let path: &RepoPath = code.snapshot.resolve_recorded_path(&place.path)?;
    Some(FrameRef {
        path: path.clone(),
        line: place.line.unwrap_or(1).max(1),
        function: place.function.clone(),
    })
}

fn definition(function: &Function) -> FrameRef {
    at_line(function, function.first_line)
}

fn at_line(function: &Function, line: u32) -> FrameRef {
    FrameRef { path: function.path.clone(), line, function: Some(function.qualified.clone()) }
}

/// Without a stack: the step's function and what it calls is searched for lines that can raise this error. The
/// likely lines come first, then the functions themselves, then the enclosing steps.
pub(super) fn from_code(
    failure: &Failure<'_>,
    trace: &TraceView<'_>,
    code: &SourceCode<'_>,
) -> Vec<FrameRef> {
    let needles = Needles::of(failure.kind.as_deref().unwrap_or_default(), &failure.message);
    let mut found = Vec::new();
    if let Some(function) = function_of(failure.span, code) {
        let reached = reachable(function, code);
        for (function, _) in &reached {
            found.extend(
                needles.lines(function, code).into_iter().take(3).map(|line| at_line(function, line)),
            );
        }
        found.extend(reached.iter().map(|(function, _)| definition(function)));
    } else {
        found.extend(frame_of(failure.span, code));
    }
    found.extend(outward(trace, failure.span).take(MAX_FRAMES).filter_map(|outer| frame_of(outer, code)));
    unique(found)
}

/// The function and what it calls, breadth first, with the depth.
pub(super) fn reachable<'c>(function: &'c Function, code: &'c SourceCode<'_>) -> Vec<(&'c Function, usize)> {
    let mut found = vec![(function, 0)];
    let mut next = 0;
    while let Some((function, depth)) = found.get(next).copied() {
        next += 1;
        if depth >= MAX_DEPTH {
            continue;
        }
        for (callee, _) in code.callees(function) {
            if found.len() < MAX_FUNCTIONS && !found.iter().any(|(known, _)| *known == callee) {
                found.push((callee, depth + 1));
            }
        }
    }
    found
}

/// Each frame once, bounded.
pub(super) fn unique(frames: Vec<FrameRef>) -> Vec<FrameRef> {
    let mut kept: Vec<FrameRef> = Vec::new();
    for frame in frames {
        if kept.len() < MAX_FRAMES && !kept.contains(&frame) {
            kept.push(frame);
        }
    }
    kept
}

/// Texts that a line must hold to be able to raise an error; several for one error are alternatives.
struct Needles {
    raise: Option<String>,
    texts: Vec<String>,
}

impl Needles {
    fn of(kind: &str, message: &str) -> Self {
        let texts: Vec<String> = match class_of(kind) {
            "KeyError" => {
                quoted(message).map(|key| vec![format!("'{key}'"), format!("\"{key}\"")]).unwrap_or_default()
            }
            "AttributeError" => last_quoted(message).map(|name| vec![format!(".{name}")]).unwrap_or_default(),
            "NameError" | "UnboundLocalError" => {
                quoted(message).map(|name| vec![name.to_owned()]).unwrap_or_default()
            }
            "ZeroDivisionError" => owned(&["/", "%"]),
            "IndexError" => owned(&["[", ".pop("]),
            "AssertionError" => owned(&["assert "]),
            "StopIteration" => owned(&["next("]),
            "TypeError" => type_error(message),
            "ValueError" => value_error(message),
            "JSONDecodeError" => owned(&["json.loads(", "json.load("]),
            "FileNotFoundError" => owned(&["open(", ".read_text("]),
            _ => Vec::new(),
        };
        Self { raise: (!kind.is_empty()).then(|| format!("raise {kind}")), texts }
    }

    /// The lines of a function that can raise the error, an explicit `raise` of the class first.
    fn lines(&self, function: &Function, code: &SourceCode<'_>) -> Vec<u32> {
        let body = code.body(function);
        let held = |needle: &str| -> Vec<u32> {
            let code_lines = body.iter().skip(1).map(|(line, text)| (*line, strip_comment(text)));
            code_lines.filter(|(_, text)| text.contains(needle)).map(|(line, _)| line).collect()
        };
        let raised = self.raise.as_deref().map(held).unwrap_or_default();
        if !raised.is_empty() {
            return raised;
        }
        let mut lines: Vec<u32> = self.texts.iter().flat_map(|needle| held(needle)).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn type_error(message: &str) -> Vec<String> {
    if let Some(rest) = message.split("operand type(s) for ").nth(1) {
        return rest
            .split(':')
            .next()
            .map(|operator| vec![format!(" {} ", operator.trim())])
            .unwrap_or_default();
    }
    if message.contains("subscriptable") || message.contains("indices must be") {
        return owned(&["["]);
    }
    if message.contains("can only concatenate") || message.contains("must be str") {
        return owned(&["+"]);
    }
    if message.contains("not supported between") {
        return quoted(message).map(|operator| vec![format!(" {operator} ")]).unwrap_or_default();
    }
    if message.contains("unexpected keyword argument") {
        return last_quoted(message).map(|name| vec![format!("{name}=")]).unwrap_or_default();
    }
    if message.contains("not iterable") {
        return owned(&["for ", " in "]);
    }
    Vec::new()
}

fn value_error(message: &str) -> Vec<String> {
    if message.contains("invalid literal for int") {
        owned(&["int("])
    } else if message.contains("convert string to float") {
        owned(&["float("])
    } else if message.contains("to unpack") {
        owned(&[" = "])
    } else if message.contains("empty sequence")
        || message.contains("empty iterable")
        || message.contains("arg is an empty")
    {
        owned(&["max(", "min("])
    } else {
        Vec::new()
    }
}

/// The first text in single or double quotes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    quotes(text).next()
}

/// The last text in single or double quotes.
pub(super) fn last_quoted(text: &str) -> Option<&str> {
    quotes(text).last()
}

fn quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(['\'', '"'])?;
        let quote = rest.get(start..start + 1)?;
        let body = rest.get(start + 1..)?;
        let end = body.find(quote)?;
        rest = body.get(end + 1..)?;
        body.get(..end)
    })
}
