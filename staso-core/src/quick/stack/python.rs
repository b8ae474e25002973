//! Tracebacks of CPython: plain, chained, of exception groups, with the markers of 3.11 and later.

use super::{Frame, StackTrace, exception_line};

/// Reads every traceback. A block begins with `Traceback (most recent call last):`; a lone `File "…"` line, as a
/// `SyntaxError` prints it, begins one too.
pub(super) fn parse(lines: &[&str]) -> Vec<StackTrace> {
    let mut traces = Vec::new();
    let mut current: Option<StackTrace> = None;
    let mut lines = lines.iter().map(|line| unframed(line)).peekable();
    while let Some(line) = lines.next() {
        let text = line.trim();
        if text.contains("Traceback (most recent call last)") {
            traces.extend(current.replace(StackTrace::default()).filter(|trace| !trace.frames.is_empty()));
        } else if let Some(mut frame) = frame(text) {
            frame.text = lines.next_if(|next| is_source(next)).map(|next| next.trim().to_owned());
            while lines.next_if(|next| is_marker(next)).is_some() {}
            current.get_or_insert_default().frames.insert(0, frame);
        } else if let Some(trace) = &mut current
            && !trace.frames.is_empty()
            && !is_marker(line)
            && let Some((exception, message)) = exception_line(text)
        {
            trace.exception = Some(exception);
            trace.message = message;
            traces.extend(current.take());
        }
        if traces.len() >= super::MAX_TRACES {
            break;
        }
        if let Some(trace) = &mut current {
            // Innermost frames stand last in a traceback, so the outermost are the ones to forget.
            trace.frames.truncate(super::MAX_FRAMES);
        }
    }
    traces.extend(current.filter(|trace| !trace.frames.is_empty()));
    traces
}

/// Removes the `|` frame that exception groups draw around their members.
fn unframed(line: &str) -> &str {
    let bare = line.trim_start_matches([' ', '+', '-']);
    bare.strip_prefix('|').unwrap_or(line)
}

fn frame(text: &str) -> Option<Frame> {
    let rest = text.strip_prefix("File \"")?;
    let (path, rest) = rest.split_once("\", line ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let line = rest.get(..digits)?.parse().ok()?;
    let function = rest.get(digits..)?.strip_prefix(", in ").map(|name| name.trim().to_owned());
    Some(Frame { path: path.to_owned(), line, function, text: None })
}

fn is_source(line: &str) -> bool {
    let text = line.trim();
    line.starts_with("    ") && !text.is_empty() && !text.starts_with("File \"") && !is_marker(line)
}

fn is_marker(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && text.chars().all(|c| matches!(c, '^' | '~' | ' '))
        || text.starts_with("[Previous line repeated")
}
