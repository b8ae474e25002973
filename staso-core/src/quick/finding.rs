//! What a rule reports.

use crate::code::RepoPath;
use crate::diagnosis::{FailureOracle, FixKind, RepairHint, SuggestedFix};
use crate::id::SpanId;
use crate::trace::JsonPointer;

/// One explanation of the failure by one rule.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// The step that is blamed.
    pub(super) span: SpanId,
    /// The failure it explains, by its number in the input.
    pub(super) failure: Option<usize>,
    /// How clear the signs are, from 0 to 1.
    pub(super) strength: f64,
    /// The cause in one line.
    pub(super) cause: String,
    /// More about it, in Markdown.
    pub(super) detail: Option<String>,
    /// What shows it.
    pub(super) evidence: Vec<Evidence>,
    /// What to do.
    pub(super) remedy: Remedy,
    /// What would decide between it and a rival.
    pub(super) deciding_test: Option<String>,
    /// The most that its confidence may be, and why.
    pub(super) limit: Option<(f64, &'static str)>,
}

/// What to do about a cause.
#[derive(Debug, Clone)]
pub(super) enum Remedy {
    /// Change something in the repository.
    Change(Box<SuggestedFix>),
    /// Nothing in the repository would help, and why.
    Nothing(String),
}

/// Words that stand somewhere, and what they show.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) place: Place,
    /// Words that the quote must hold; the quote is cut around them.
    pub(super) needle: String,
    pub(super) claim: String,
}

/// Where evidence stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A field of a span.
    Span(SpanId, JsonPointer),
    /// A line of a file, from 1.
    Line(RepoPath, u32),
    /// A guard violation.
    Violation(String),
}

impl Finding {
    /// A clear finding without evidence yet.
    pub(super) fn new(span: SpanId, cause: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            span,
            failure: None,
            strength: 1.0,
            cause: cause.into(),
            detail: None,
            evidence: Vec::new(),
            remedy,
            deciding_test: None,
            limit: None,
        }
    }

    /// The confidence may not be higher than this, however well the pattern fits.
    pub(super) const fn limited_to(mut self, limit: f64, why: &'static str) -> Self {
        self.limit = Some((limit, why));
        self
    }

    pub(super) const fn of_failure(mut self, failure: usize) -> Self {
        self.failure = Some(failure);
        self
    }

    pub(super) const fn with_strength(mut self, strength: f64) -> Self {
        self.strength = strength;
        self
    }

    pub(super) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn decided_by(mut self, test: impl Into<String>) -> Self {
        self.deciding_test = Some(test.into());
        self
    }

    pub(super) fn with_evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Cites a field of a span.
    pub(super) fn cite(
        self,
        span: SpanId,
        pointer: impl Into<JsonPointer>,
        needle: impl Into<String>,
        claim: impl Into<String>,
    ) -> Self {
        self.with_evidence([Evidence {
            place: Place::Span(span, pointer.into()),
            needle: needle.into(),
            claim: claim.into(),
        }])
    }

    /// Cites a line of the code.
    pub(super) fn cite_line(self, path: &RepoPath, line: u32, claim: impl Into<String>) -> Self {
        self.with_evidence([Evidence {
            place: Place::Line(path.clone(), line),
            needle: String::new(),
            claim: claim.into(),
        }])
    }
}

impl Remedy {
    /// A change in files, best first.
    pub(super) fn change(kind: FixKind, description: impl Into<String>, files: Vec<RepoPath>) -> Self {
        let mut target_files: Vec<String> = Vec::new();
        for file in files {
            if !target_files.iter().any(|known| known == file.as_str()) {
                target_files.push(file.into());
            }
        }
        target_files.truncate(10);
        let description = description.into();
        Self::Change(Box::new(SuggestedFix {
            kind,
            description,
            target_files,
            hints: Vec::new(),
            oracle: None,
        }))
    }

    pub(super) fn with_hint(mut self, hint: RepairHint) -> Self {
        if let Self::Change(fix) = &mut self {
            fix.hints.push(hint);
        }
        self
    }

    pub(super) fn with_hints(self, hints: impl IntoIterator<Item = RepairHint>) -> Self {
        hints.into_iter().fold(self, Self::with_hint)
    }

    pub(super) fn with_oracle(mut self, found: Option<FailureOracle>) -> Self {
        if let Self::Change(fix) = &mut self {
            fix.oracle = found;
        }
        self
    }
}
