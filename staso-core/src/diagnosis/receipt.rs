//! Cited evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::RepoPath;
use crate::id::{BlobId, CommitId, Digest, SpanId};
use crate::trace::JsonPointer;

/// One cited piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Unique within the diagnosis: `r1`, `r2` …
    pub id: String,
    /// What is cited.
    pub kind: ReceiptKind,
    /// Where it stands.
    pub locator: Locator,
    /// The words, ≤ 200 characters.
    pub quote: String,
    /// The digest of the quote with white space folded.
    pub digest: Digest,
    /// What the words show.
    pub claim: String,
    /// For which hypothesis.
    pub for_hypothesis: String,
    /// Whether the citation holds.
    pub verdict: ReceiptVerdict,
    /// Which text the words were found in.
    #[serde(default)]
    pub matched: ReceiptMatch,
}

impl Receipt {
    /// Longest quote, in characters.
    pub const MAX_QUOTE_CHARS: usize = 200;

    /// Whether the citation was checked and holds.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        matches!(self.verdict, ReceiptVerdict::Verified)
    }

    /// Rejects the citation for good: checking it again gives the same answer.
    pub fn reject(&mut self, why: impl Into<String>) {
        let why = why.into();
        let cited = match std::mem::replace(&mut self.locator, Locator::Tool { event: 0 }) {
            Locator::Nowhere { cited, .. } => cited,
            Locator::Span { span_id, .. } => format!("span {span_id}"),
            Locator::Violation { id } => format!("violation {id}"),
            Locator::File { path, first_line, last_line, .. } => {
                format!("file {path}:{first_line}-{last_line}")
            }
            Locator::Tool { event } => format!("event {event}"),
        };
        self.locator = Locator::Nowhere { cited, why: why.clone() };
        self.verdict = ReceiptVerdict::Rejected { why };
        self.matched = ReceiptMatch::default();
    }
}

/// Which text holds the words of a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptMatch {
    /// The text as recorded.
    pub raw: bool,
    /// The text as a model was shown it: laid out, cut and without credentials.
    pub shown: bool,
}

/// What a receipt cites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// A field of a span.
    Span,
    /// A guard violation.
    Violation,
    /// Lines of a file at a commit.
    File,
    /// A tool call of this run.
    Tool,
}

/// Where a quote stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "in", rename_all = "snake_case")]
pub enum Locator {
    /// In a span of the trace.
    Span {
        /// The span.
        span_id: SpanId,
        /// The field, as [`TraceView::text_at`](crate::trace::TraceView::text_at) reads it.
        pointer: JsonPointer,
    },
    /// In a guard violation.
    Violation {
        /// Its id.
        id: String,
    },
    /// In a file at a commit.
    File {
        /// The commit.
        commit: CommitId,
        /// The file.
        path: RepoPath,
        /// First line, from 1.
        first_line: u32,
        /// Last line, included.
        last_line: u32,
        /// The content of the whole file as git names it.
        blob: BlobId,
    },
    /// In the result of a tool call of this run.
    Tool {
        /// The number of the event that recorded the call.
        event: u64,
    },
    /// Nowhere: the citation of a model that names nothing that holds the words. Never verified.
    Nowhere {
        /// The place as the model named it.
        cited: String,
        /// What is wrong.
        why: String,
    },
}

/// Whether a citation holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReceiptVerdict {
    /// The words stand where the receipt says.
    Verified,
    /// They do not.
    Rejected {
        /// What is wrong.
        why: String,
    },
}
