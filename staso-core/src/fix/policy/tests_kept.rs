//! Tests stay, run, and say what they said.

use super::PolicyViolation;
use super::lines::{Balance, code, indent};
use super::markers;
use crate::code::{RepoPath, is_test_file};
use crate::fix::PatchFile;

pub(super) fn check(path: &RepoPath, file: &PatchFile) -> Result<(), PolicyViolation> {
    let is_test = is_test_file(path);
    let (before, after) = (markers::squeezed(file.before()), markers::squeezed(file.after()));
    let refuse = |rule, what: &str| Err(PolicyViolation::new(rule, format!("{path}: it adds {what}")));
    if let Some(mark) = markers::added_skip(&before, &after, is_test) {
        return refuse("skipped-tests", &format!("`{mark}`"));
    }
    if !is_test {
        return Ok(());
    }
    if let Some(exit) = markers::added_exit(&before, &after) {
        return refuse("disabled-tests", &format!("`{exit}`"));
    }
    let appended = appended(file);
    let runs = appended.map_or_else(|| file.added_runs(), |lines| vec![lines.to_owned()]);
    if let Some(line) = runs.iter().flat_map(|run| run.lines()).find(|line| markers::is_vacuous(line)) {
        return refuse("vacuous-tests", &format!("an assertion that cannot fail: {}", line.trim()));
    }
    if file.is_new() {
        return Ok(());
    }
    let (_, removed) = file.line_counts();
    if removed > 0 && appended.is_none() {
        let reason = format!("{path} is an existing test file; it may gain lines, but none may change");
        return Err(PolicyViolation::new("changed-tests", reason));
    }
    match runs.iter().find_map(|run| disables(run)) {
        Some(what) => refuse("disabled-tests", what),
        None => Ok(()),
    }
}

/// The lines put after a last line that had no end.
fn appended(file: &PatchFile) -> Option<&str> {
    let rest = file.after().strip_prefix(file.before())?;
    if file.before().ends_with('\n') { None } else { rest.strip_prefix('\n') }
}

/// What a run of added lines does to the lines around it.
fn disables(run: &str) -> Option<&'static str> {
    let lines: Vec<(&str, String)> = run
        .lines()
        .map(|line| (line, code(line).trim().to_owned()))
        .filter(|(line, code)| !line.trim().is_empty() && (!code.is_empty() || line.contains(['"', '\''])))
        .collect();
    let (Some((first, head)), Some((_, last))) = (lines.first(), lines.last()) else {
        return (!Balance::of(run).is_even()).then_some(OPEN);
    };
    if !Balance::of(run).is_even() {
        return Some(OPEN);
    }
    let opens = last.ends_with([':', '\\', ',', '=', '+', '&', '|', '?']) && !last.ends_with("::");
    let words = ["if ", "if(", "while ", "while(", "for ", "for(", "else", "elif ", "@", "#[", "return"];
    let dangling = words.iter().any(|word| last.starts_with(word)) && !last.ends_with([';', '}']);
    if opens || dangling {
        return Some("a condition, decorator or statement that takes in the lines after it");
    }
    // In a function of its own a return is no early end; what stands at its own depth is not in it.
    let own = defines(head);
    let depth = indent(first);
    let leaves = lines.iter().any(|(line, code)| is_leaving(code) && !(own && indent(line) > depth));
    leaves.then_some("an early end of a test")
}

const OPEN: &str = "a bracket, string or comment that does not end in the same place";

fn defines(head: &str) -> bool {
    let starts = [
        "def ",
        "async def ",
        "class ",
        "fn ",
        "pub fn ",
        "async fn ",
        "func ",
        "function ",
        "it(",
        "test(",
        "describe(",
        "context(",
        "public ",
        "private ",
        "void ",
        "@",
        "#[",
        "const ",
        "let ",
        "mod ",
        "impl ",
        "export ",
    ];
    starts.iter().any(|start| head.starts_with(start))
}

fn is_leaving(code: &str) -> bool {
    let word = code.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let leaves = ["return", "break", "continue", "raise", "throw", "goto", "exit", "quit", "panic", "del"];
    leaves.contains(&word) || code.contains("; return") || code.contains(": return")
}
