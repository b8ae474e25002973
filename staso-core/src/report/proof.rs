//! The proof table: each check before and after the change.

use super::layout::Style;
use super::neutralise;
use crate::run::{CheckRecord, CheckSubject, RunArtifact};

/// Longest text of a cell, in characters.
const MAX_CELL_CHARS: usize = 90;
/// Most rows of the table in Markdown: it stands on the first screen; the folded part lists every check.
const MAX_MARKDOWN_ROWS: usize = 4;
/// What a cell says when there is nothing to say.
const NOT_RUN: &str = "not run";
/// What stands for the base tip when it is the failing commit.
const SAME_COMMIT: &str = "same commit";

/// The result of one check at the trees that matter. Texts are not yet neutralised.
#[derive(Debug)]
pub(super) struct ProofRow {
    pub(super) check: String,
    pub(super) failing_commit: String,
    pub(super) base_tip: String,
    pub(super) patched: String,
}

/// The column titles.
pub(super) const HEADER: [&str; 4] = ["check", "failing commit", "base tip", "patched"];

/// One row a check name. The two that every fix is asked for come first, even when nothing ran.
pub(super) fn rows(run: &RunArtifact) -> Vec<ProofRow> {
    let checks = run.verification.as_ref().map(|record| record.checks.as_slice()).unwrap_or_default();
    let mut names = vec!["reproduction", "tests"];
    for check in checks {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    let same = run.source.commit.is_some() && run.source.commit == run.source.base_tip;
    names.into_iter().map(|name| row(name, checks, if same { SAME_COMMIT } else { NOT_RUN })).collect()
}

fn row(name: &str, checks: &[CheckRecord], without_base: &str) -> ProofRow {
    let of = |at: CheckSubject, patched: bool| -> Option<String> {
        let ran = |check: &&CheckRecord| check.name == name && check.at == at && check.patched == patched;
        // A check that ran several times counts by its last run.
        checks.iter().rev().find(ran).map(cell)
    };
    let patched = match (of(CheckSubject::FailingCommit, true), of(CheckSubject::BaseTip, true)) {
        (Some(failing), Some(base)) => format!("at failing commit {failing}; at base tip {base}"),
        (None, Some(base)) => format!("at base tip {base}"),
        (Some(failing), None) => failing,
        (None, None) => NOT_RUN.to_owned(),
    };
    ProofRow {
        check: label(name),
        failing_commit: of(CheckSubject::FailingCommit, false).unwrap_or_else(|| NOT_RUN.to_owned()),
        base_tip: of(CheckSubject::BaseTip, false).unwrap_or_else(|| without_base.to_owned()),
        patched,
    }
}

fn label(name: &str) -> String {
    match name {
        "reproduction" => "The recorded failure".to_owned(),
        "tests" => "The project's own tests".to_owned(),
        "base" => "Base branch".to_owned(),
        other => neutralise::cut(&neutralise::terminal(other), MAX_CELL_CHARS),
    }
}

fn cell(check: &CheckRecord) -> String {
    let Some(ok) = check.ok else {
        let why = neutralise::terminal(&check.detail);
        let text = if why.is_empty() { NOT_RUN.to_owned() } else { format!("{NOT_RUN}: {why}") };
        return neutralise::cut(&text, MAX_CELL_CHARS);
    };
    let found = match check.counts {
        Some(counts) if counts.skipped > 0 => {
            format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped)
        }
        Some(counts) => format!("{} passed, {} failed", counts.passed, counts.failed),
        None => neutralise::cut(&neutralise::terminal(&check.detail), MAX_CELL_CHARS),
    };
    let exit = match check.exit_code {
        Some(code) => format!("exit {code}, "),
        None if check.name == "reproduction" => String::new(),
        None => "no exit code, ".to_owned(),
    };
    format!("{} {found} ({exit}{})", if ok { "✓" } else { "✗" }, seconds(check.duration_ms))
}

/// Milliseconds as a reader takes them in.
pub(super) fn seconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// The table in Markdown, of the first rows, without a line break at the end.
pub(super) fn markdown(rows: &[ProofRow]) -> String {
    let mut lines = vec![format!("| {} |", HEADER.join(" | ")), "|---|---|---|---|".to_owned()];
    lines.extend(rows.iter().take(MAX_MARKDOWN_ROWS).map(|row| {
        let cells = [&row.check, &row.failing_commit, &row.base_tip, &row.patched];
        format!("| {} |", cells.map(|cell| neutralise::cell(cell)).join(" | "))
    }));
    lines.join("\n")
}

/// The proof table for terminals: what each check said at the failing commit, at the base tip and with the change.
/// `not run` is written out. Plain text, one line a cell, ends in a line break.
#[must_use]
pub fn proof_table(artifact: &RunArtifact) -> String {
    let mut out = String::new();
    for row in rows(artifact) {
        out.push_str(&neutralise::terminal(&row.check));
        out.push('\n');
        let cells = [&row.failing_commit, &row.base_tip, &row.patched];
        for (title, cell) in HEADER.iter().skip(1).zip(cells) {
            out.push_str(&format!("  {title:<14}  {}\n", neutralise::terminal(cell)));
        }
    }
    let style = Style::plain();
    out.push_str(&style.paragraph("", verdict(artifact)));
    out
}

/// What the checks amount to, in one sentence.
pub(super) const fn verdict(run: &RunArtifact) -> &'static str {
    match (&run.fix, &run.verification) {
        (None, _) => "There is no change to verify.",
        (_, Some(record)) if record.verified => {
            "Verified: the failure was reproduced, is gone with the change, and the project's own tests still pass."
        }
        (_, Some(record)) if record.verify_passed => {
            "Not verified: every check that ran passed, but not every check that a proof needs ran."
        }
        (_, Some(_)) => "Not verified: a check failed or could not run; this is a suggestion.",
        (_, None) => "Not verified: nothing was run; this is a suggestion.",
    }
}
