//! The trace as files of a session.

use super::findings;
use crate::code::RepoPath;
use crate::diagnosis::DiagnoseRequest;
use crate::redaction::Redactor;
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};
use crate::trace::{TextLimits, TraceText};

/// Largest `spans.jsonl`, in bytes, about.
const MAX_SPANS_BYTES: usize = 8 * 1024 * 1024;
/// What is kept of each field there.
const LIMITS: TextLimits = TextLimits::new(16 * 1024, 2 * 1024);
/// What is kept of each field when the file is full.
const SHORT: TextLimits = TextLimits::new(200, 100);
/// Lines of the index.
const MAX_INDEX_LINES: usize = 10_000;

/// Where things are, for the opening.
pub(super) const LISTING: &str = "Files of ours: `.staso/trace/spans.jsonl` (one JSON object a span), `.staso/trace/index.md` \
                                  (the tree of spans), `.staso/quick.md` (what the rules found).";

/// Writes the trace and what the rules found into the host's own directory of the session.
///
/// # Errors
/// Those of the session.
pub(super) async fn write(
    request: &DiagnoseRequest<'_>,
    excerpts: &str,
    session: &dyn SandboxSession,
    redactor: &Redactor,
    ctx: &RunContext,
) -> Result<(), SandboxError> {
    let text = TraceText::new(request.trace, redactor);
    let mut quick = findings::findings(request.prior, redactor);
    let violations = findings::violations(request.violations, redactor);
    for (title, part) in [("Guard violations", violations.as_str()), ("Places in the code", excerpts)] {
        if !part.is_empty() {
            quick.push_str(&format!("\n# {title}\n\n{part}"));
        }
    }
    let files = [
        (".staso/trace/spans.jsonl", spans(request, text)),
        (".staso/trace/index.md", text.index(MAX_INDEX_LINES)),
        (".staso/quick.md", quick),
    ];
    for (path, content) in files {
        let path = RepoPath::new(path).map_err(|error| SandboxError::InvalidRequest {
            operation: "write the trace",
            reason: error.to_string(),
        })?;
        session.write_file(&path, content.as_bytes(), false, ctx).await?;
    }
    Ok(())
}

fn spans(request: &DiagnoseRequest<'_>, text: TraceText<'_>) -> String {
    let mut lines = String::new();
    for span in request.trace.spans() {
        let limits = if lines.len() < MAX_SPANS_BYTES { LIMITS } else { SHORT };
        lines.push_str(&text.json(span, limits).to_string());
        lines.push('\n');
    }
    lines
}
