//! Stacks of the Java virtual machine, which prints the cause last.

use super::{Frame, StackTrace, exception_line};

/// Traces in causal order: the last `Caused by:` first.
pub(super) fn parse(lines: &[&str]) -> Vec<StackTrace> {
    let mut traces: Vec<StackTrace> = Vec::new();
    let mut head: Option<(String, Option<String>)> = None;
    for line in lines {
        let text = line.trim();
        if let Some(frame) = text.strip_prefix("at ").and_then(frame) {
            if let Some((exception, message)) = head.take() {
                traces.push(StackTrace { exception: Some(exception), message, frames: Vec::new() });
            }
            if traces.is_empty() {
                traces.push(StackTrace::default());
            }
            if let Some(trace) = traces.last_mut()
                && trace.frames.len() < super::MAX_FRAMES
            {
                trace.frames.push(frame);
            }
        } else {
            let bare = text.trim_start_matches("Caused by: ");
            let bare = bare
                .strip_prefix("Exception in thread ")
                .and_then(|rest| rest.split_once("\" "))
                .map_or(bare, |(_, rest)| rest);
            head = exception_line(bare).filter(|(name, _)| name.contains('.')).or(head);
        }
    }
    traces.reverse();
    traces
}

/// `com.acme.Tools.refund(Tools.java:42)`: the package gives the directory.
fn frame(text: &str) -> Option<Frame> {
    let (call, place) = text.strip_suffix(')')?.rsplit_once('(')?;
    let (file, line) = place.rsplit_once(':')?;
    let call = call.rsplit('/').next().unwrap_or(call);
    let mut parts: Vec<&str> = call.split('.').collect();
    let function = parts.pop()?;
    let class = parts.pop().unwrap_or_default();
    let path = parts.iter().chain([&file]).copied().collect::<Vec<_>>().join("/");
    let function = if class.is_empty() { function.to_owned() } else { format!("{class}.{function}") };
    Some(Frame { path, line: line.parse().ok()?, function: Some(function), text: None })
}
