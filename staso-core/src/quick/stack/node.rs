//! Stacks of V8: Node.js, Deno, Chrome.

use super::{Frame, StackTrace, exception_line, path_and_line};

pub(super) fn parse(lines: &[&str]) -> Vec<StackTrace> {
    let mut traces = Vec::new();
    let mut current = StackTrace::default();
    let mut head: Option<(String, Option<String>)> = None;
    for line in lines {
        let text = line.trim();
        if let Some(frame) = text.strip_prefix("at ").and_then(frame) {
            if current.frames.is_empty()
                && let Some((exception, message)) = head.take()
            {
                (current.exception, current.message) = (Some(exception), message);
            }
            if current.frames.len() < super::MAX_FRAMES {
                current.frames.push(frame);
            }
            continue;
        }
        if !current.frames.is_empty() && !text.starts_with("at ") {
            traces.push(std::mem::take(&mut current));
        }
        let bare = text.trim_start_matches("Uncaught ").trim_start_matches("[cause]: ");
        if let Some(found) = exception_line(bare).filter(|(name, _)| is_error(name)) {
            head = Some(found);
        }
    }
    traces.extend(Some(current).filter(|trace| !trace.frames.is_empty()));
    traces
}

fn is_error(name: &str) -> bool {
    name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Warning")
}

/// `name (path:line:column)` or `path:line:column`, optionally after `async`.
fn frame(text: &str) -> Option<Frame> {
    let text = text.strip_prefix("async ").unwrap_or(text);
    let (function, place) = match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((function, place)) => (Some(function), place),
        None => (None, text),
    };
    let (path, line) = path_and_line(place)?;
    let function = function.map(|name| name.split(" [as ").next().unwrap_or(name).to_owned());
    Some(Frame { path: path.trim_start_matches("file://").to_owned(), line, function, text: None })
}
