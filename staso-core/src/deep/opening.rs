//! The first message to a diagnosing agent.

use super::data::{Block, delimited, token};
use super::findings;
use crate::agent::fill;
use crate::code::CodeSnapshot;
use crate::diagnosis::DiagnoseRequest;
use crate::id::RunId;
use crate::redaction::Redactor;
use crate::trace::{Span, TextLimits, TraceText, cut_middle};

pub(super) const TEMPLATE: &str = include_str!("prompts/opening.md");

/// Lines of the index that the message holds.
const INDEX_LINES: usize = 150;
/// Steps shown whole.
const SPANS: usize = 4;
const SPAN_LIMITS: TextLimits = TextLimits::new(1_500, 500);
/// One block, in bytes: cut in its middle beyond that.
const MAX_BLOCK_BYTES: usize = 24 * 1024;

/// What differs between openings.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    /// A line about the place of work.
    pub(super) note: &'a str,
    pub(super) excerpts: &'a str,
    pub(super) instructions: &'a str,
    pub(super) turns: u64,
}

impl Opening<'_> {
    /// The message. Everything from outside stands in blocks whose ends nobody outside can write.
    pub(super) fn text(&self, request: &DiagnoseRequest<'_>, redactor: &Redactor, run_id: RunId) -> String {
        let trace = TraceText::new(request.trace, redactor);
        let blocks = [
            Block::new("index of the trace", trace.index(INDEX_LINES)),
            Block::new("steps that failed, and the root", steps(request, trace)),
            Block::new("findings of the rules", findings::findings(request.prior, redactor)),
            Block::new("guard violations", findings::violations(request.violations, redactor)),
            Block::new("excerpts of the code", self.excerpts),
            Block::new("what the repository says to agents; of lower trust", self.instructions),
        ]
        .map(|block| Block::new(block.title, cut_middle(&block.text, MAX_BLOCK_BYTES)));
        let token = token(run_id, &blocks);
        let commit = request.code.map(CodeSnapshot::commit).or(request.checkout.map(|it| &it.commit));
        let values = [
            ("token", token.as_str()),
            ("trace", &request.trace.trace().trace_id.to_string()),
            ("commit", commit.map_or("unknown", |commit| commit.as_str())),
            ("turns", &self.turns.to_string()),
            ("note", self.note),
            ("data", &delimited(&token, &blocks)),
        ];
        fill(TEMPLATE, &values)
    }
}

/// The innermost failed steps, then the root.
fn steps(request: &DiagnoseRequest<'_>, text: TraceText<'_>) -> String {
    let view = request.trace;
    let innermost = |span: &&Span| span.is_failed() && !view.children(span.span_id).any(Span::is_failed);
    let mut chosen: Vec<&Span> = view.spans().iter().filter(innermost).take(SPANS).collect();
    if let Some(root) = view.root().filter(|root| chosen.iter().all(|span| span.span_id != root.span_id)) {
        chosen.push(root);
    }
    chosen.iter().filter_map(|span| text.span(span.span_id, SPAN_LIMITS)).collect::<Vec<_>>().join("\n")
}
