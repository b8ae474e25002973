//! Panics of Go.

use super::{Frame, StackTrace, path_and_line};

pub(super) fn parse(lines: &[&str]) -> Vec<StackTrace> {
    let mut trace = StackTrace::default();
    let mut function: Option<&str> = None;
    for line in lines {
        if let Some(message) = line.trim().strip_prefix("panic: ") {
            if trace.exception.is_none() {
                trace.exception = Some("panic".to_owned());
                trace.message = Some(message.to_owned());
            }
        } else if line.starts_with('\t') || line.starts_with("        ") {
            let place = line.trim().split(" +0x").next().unwrap_or_default();
            if let Some((path, number)) = path_and_line(place)
                && trace.frames.len() < super::MAX_FRAMES
                && path.contains(".go")
                && !function.is_some_and(|name| name.starts_with("runtime.") || name.starts_with("panic("))
            {
                let function = function.take().map(function_name);
                trace.frames.push(Frame { path: path.to_owned(), line: number, function, text: None });
            }
        } else if line.ends_with(')') || line.starts_with("created by ") {
            function = Some(line.trim().trim_start_matches("created by "));
        }
    }
    if trace.frames.is_empty() { Vec::new() } else { vec![trace] }
}

/// `main.(*Server).handle(0xc000, 0x1)` → `(*Server).handle`.
fn function_name(call: &str) -> String {
    let name = call.rsplit_once('(').filter(|(name, _)| !name.is_empty()).map_or(call, |(name, _)| name);
    let local = name.rsplit('/').next().unwrap_or(name);
    local.split_once('.').map_or(local, |(_, function)| function).to_owned()
}
