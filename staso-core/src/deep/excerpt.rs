//! Lines of the code that the rules point at.

use std::collections::BTreeSet;

use super::findings::numbered;
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::{DiagnoseRequest, Diagnosis, Locator, RepairHint};
use crate::quick;
use crate::redaction::Redactor;
use crate::trace::legible;

/// Lines shown before and after the one that is pointed at.
const AROUND: u32 = 15;
const MAX_EXCERPTS: usize = 10;
/// All excerpts together, in bytes.
const MAX_BYTES: usize = 24 * 1024;
/// Longer lines are cut, in characters.
const MAX_LINE_CHARS: usize = 300;

/// Excerpts around the places that the rules cite and that failed steps name, best first.
pub(super) fn excerpts(request: &DiagnoseRequest<'_>, redactor: &Redactor) -> String {
    let Some(code) = request.code else { return String::new() };
    let mut text = String::new();
    let mut shown: BTreeSet<(RepoPath, u32)> = BTreeSet::new();
    let mut count = 0;
    for (path, line) in places(request) {
        let Some(file) = code.file(&path) else { continue };
        let (first, last) = (line.saturating_sub(AROUND).max(1), line.saturating_add(AROUND));
        let covered = shown.contains(&(path.clone(), line));
        if covered || count == MAX_EXCERPTS {
            continue;
        }
        let excerpt = lines(code, &path, first, last, redactor);
        if excerpt.is_empty() || text.len() + excerpt.len() > MAX_BYTES {
            continue;
        }
        count += 1;
        shown.extend((first..=last).map(|line| (path.clone(), line)));
        text.push_str(&format!("{path} ({} lines)\n{excerpt}\n", file.text.lines().count()));
    }
    text
}

fn places(request: &DiagnoseRequest<'_>) -> Vec<(RepoPath, u32)> {
    let mut found: Vec<(RepoPath, u32)> = request.prior.map(cited).unwrap_or_default();
    found.extend(quick::failing_frames(request).into_iter().map(|frame| (frame.path, frame.line)));
    let Some(code) = request.code else { return found };
    let placed =
        request.trace.spans().iter().filter_map(|span| Some((span.is_failed(), span.code.as_ref()?)));
    let mut steps: Vec<_> = placed.collect();
    steps.sort_by_key(|(failed, _)| !failed);
    for (_, place) in steps {
        if let Some(path) = code.resolve_recorded_path(&place.path)
            && found.len() < 4 * MAX_EXCERPTS
        {
            found.push((path.clone(), place.line.unwrap_or(1).max(1)));
        }
    }
    found
}

fn cited(prior: &Diagnosis) -> Vec<(RepoPath, u32)> {
    let mut found = Vec::new();
    for receipt in prior.receipts.iter().filter(|receipt| receipt.is_verified()) {
        if let Locator::File { path, first_line, .. } = &receipt.locator {
            found.push((path.clone(), *first_line));
        }
    }
    let fix = prior.suggested_fix.as_ref();
    let frames = fix.iter().flat_map(|fix| &fix.hints).flat_map(RepairHint::frames);
    found.extend(frames.map(|frame| (frame.path.clone(), frame.line)));
    let files = fix.iter().flat_map(|fix| &fix.target_files);
    found.extend(files.filter_map(|file| Some((RepoPath::new(file).ok()?, 1))));
    found
}

fn lines(code: &CodeSnapshot, path: &RepoPath, first: u32, last: u32, redactor: &Redactor) -> String {
    let Some(file) = code.file(path) else { return String::new() };
    let clean = legible(&file.text, redactor);
    let wanted =
        (1..).zip(clean.lines()).skip_while(|(line, _)| *line < first).take_while(|(line, _)| *line <= last);
    wanted
        .map(|(line, text)| numbered(line, &text.chars().take(MAX_LINE_CHARS).collect::<String>()))
        .collect()
}
