//! Panics of Rust, with or without a backtrace.

use super::{Frame, StackTrace, path_and_line};

pub(super) fn parse(lines: &[&str]) -> Vec<StackTrace> {
    let mut traces: Vec<StackTrace> = Vec::new();
    let mut function: Option<String> = None;
    let mut lines = lines.iter().peekable();
    while let Some(line) = lines.next() {
        if let Some((_, place)) = line.split_once("panicked at ") {
            let next = lines.peek().map(|next| next.trim().to_owned());
            traces.push(panic(place, next));
        } else if let Some(place) = line.trim().strip_prefix("at ").and_then(path_and_line) {
            if let Some(trace) = traces.last_mut()
                && let Some(name) = function.take()
            {
                push(trace, place, name);
            }
        } else if let Some(name) = numbered(line) {
            function = Some(name.to_owned());
        }
    }
    traces
}

/// `src/main.rs:4:5:` with the message on the next line, or before Rust 1.73 `'message', src/main.rs:4:5`.
fn panic(place: &str, next: Option<String>) -> StackTrace {
    let (message, place) = match place.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
        Some((message, place)) => (Some(message.to_owned()), place),
        None => (next.filter(|text| !text.is_empty() && !text.starts_with("stack backtrace")), place),
    };
    let frames = path_and_line(place.trim().trim_end_matches(':')).map(|(path, line)| Frame {
        path: path.to_owned(),
        line,
        function: None,
        text: None,
    });
    StackTrace { exception: Some("panic".to_owned()), message, frames: frames.into_iter().collect() }
}

/// The backtrace repeats the place of the panic; then it only adds the function's name.
fn push(trace: &mut StackTrace, (path, line): (&str, u32), name: String) {
    let same = |frame: &Frame| frame.line == line && path.ends_with(frame.path.trim_start_matches("./"));
    if let Some(frame) = trace.frames.iter_mut().find(|frame| same(frame)) {
        frame.function.get_or_insert(name);
    } else if trace.frames.len() < super::MAX_FRAMES {
        trace.frames.push(Frame { path: path.to_owned(), line, function: Some(name), text: None });
    }
}

/// `  12: crate::module::function`.
fn numbered(line: &str) -> Option<&str> {
    let (number, name) = line.trim_start().split_once(": ")?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.trim())
}
