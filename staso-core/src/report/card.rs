//! The diagnosis card: a run on one screen of a terminal.

use super::layout::{Style, Tone};
use super::neutralise::{cut, terminal};
use super::place::{place, short_commit, short_span};
use super::wording;
use crate::diagnosis::{Depth, Diagnosis, Receipt, ReceiptVerdict};
use crate::run::{OutcomeState, RunArtifact};

/// From this confidence on, with at least one verified receipt, the verdict is *Cause found*; below it is *Likely*.
const FOUND_FROM: f64 = 0.75;
/// Receipts, rivals and open points shown, each; the rest is counted.
const MAX_LISTED: usize = 8;
/// Longest text of an entry, in characters.
const MAX_ENTRY_CHARS: usize = 400;

/// How a card looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardStyle {
    /// Whether to use ANSI colours. Default no.
    pub color: bool,
    /// Columns of the terminal, taken as 40 to 160. Default 100.
    pub width: usize,
}

impl Default for CardStyle {
    fn default() -> Self {
        Self { color: false, width: 100 }
    }
}

impl CardStyle {
    /// Uses ANSI colours.
    #[must_use]
    pub const fn colored(mut self) -> Self {
        self.color = true;
        self
    }

    /// Sets the columns of the terminal.
    #[must_use]
    pub const fn with_width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }
}

/// The diagnosis card of a run. Holds no control character but line breaks and, when asked for, colours of its own.
#[must_use]
pub fn card(artifact: &RunArtifact, style: CardStyle) -> String {
    let card = Card { run: artifact, style: Style::new(style.color, style.width) };
    let mut out = card.header();
    if let Some(diagnosis) = &artifact.diagnosis {
        out.push_str(&card.cause(diagnosis));
        out.push_str(&card.chain(diagnosis));
        out.push_str(&card.receipts(diagnosis));
        out.push_str(&card.rivals(diagnosis));
        out.push_str(&card.missing(diagnosis));
    }
    out.push_str(&card.footer());
    out
}

struct Card<'a> {
    run: &'a RunArtifact,
    style: Style,
}

fn entry(text: &str) -> String {
    cut(&terminal(text), MAX_ENTRY_CHARS)
}

impl Card<'_> {
    fn header(&self) -> String {
        let (word, tone) = self.verdict();
        let mut facts = Vec::new();
        if let Some(diagnosis) = &self.run.diagnosis {
            facts.push(format!("confidence {} ({})", diagnosis.confidence, wording::support(diagnosis)));
            let kind = self.run.fix.as_ref().map(|fix| fix.kind);
            let kind = kind.or(diagnosis.suggested_fix.as_ref().map(|fix| fix.kind));
            facts.push(
                kind.map_or("no fix of ours", |kind| match kind {
                    crate::diagnosis::FixKind::Prompt => "prompt fix",
                    crate::diagnosis::FixKind::Code => "code fix",
                    crate::diagnosis::FixKind::Config => "configuration fix",
                })
                .to_owned(),
            );
            let depth = match diagnosis.depth {
                Depth::Quick => "quick",
                Depth::Deep => "deep",
            };
            facts.push(format!("{depth} diagnosis"));
        }
        let mut out = format!("{}\n", self.style.paint(tone, word));
        out.push_str(&self.style.paragraph("", &facts.join(" · ")));
        out.push_str(&self.style.paragraph("", &self.whereabouts()));
        out.push('\n');
        out
    }

    fn verdict(&self) -> (&'static str, Tone) {
        match self.run.outcome.state {
            OutcomeState::Cancelled => ("Cancelled", Tone::Strong),
            OutcomeState::Failed => ("Errored", Tone::Bad),
            OutcomeState::BudgetExhausted => ("Stopped at its budget", Tone::Strong),
            OutcomeState::NotEnoughEvidence => ("Not enough evidence", Tone::Strong),
            OutcomeState::NoCodeFix => ("No code fix", Tone::Strong),
            OutcomeState::Completed | OutcomeState::NotReproduced | OutcomeState::FixRejected => {
                match self.run.diagnosis.as_ref().filter(|diagnosis| diagnosis.root_cause.is_some()) {
                    Some(found) if is_certain(found) => ("Cause found", Tone::Good),
                    Some(_) => ("Likely", Tone::Strong),
                    None => ("Not enough evidence", Tone::Strong),
                }
            }
        }
    }

    /// Agent, subject, commit and time.
    fn whereabouts(&self) -> String {
        let mut parts = Vec::new();
        let root = self.run.diagnosis.as_ref().and_then(|diagnosis| diagnosis.root_cause.as_ref());
        if let Some(agent) = root.and_then(|root| root.agent.as_deref()) {
            parts.push(format!("agent {}", entry(agent)));
        }
        parts.push(wording::subject(self.run));
        parts.push(match (&self.run.source.commit, self.run.source.dirty) {
            (Some(commit), Some(true)) => format!("commit {} with uncommitted changes", short_commit(commit)),
            (Some(commit), _) => format!("commit {}", short_commit(commit)),
            (None, _) => "no commit recorded".to_owned(),
        });
        parts.push(format!("diagnosed {}", wording::to_the_second(self.run.started_at)));
        parts.join(" · ")
    }

    fn cause(&self, diagnosis: &Diagnosis) -> String {
        let mut out = self.style.labelled("Cause", &entry(diagnosis.summary.as_str()));
        if let Some(root) = &diagnosis.root_cause {
            let category = root.category.replace('_', " ");
            let text = format!("{} ({})", entry(&category), wording::causality(root.causality));
            out.push_str(&self.style.labelled("Pattern", &text));
        }
        if let Some(fix) = &diagnosis.suggested_fix {
            out.push_str(&self.style.labelled("Suggested", &entry(&fix.description)));
        }
        if let Some(reason) = &diagnosis.no_fix_reason {
            out.push_str(&self.style.labelled("No fix", &entry(reason)));
        }
        for cap in &diagnosis.caps {
            out.push_str(
                &self.style.labelled("Lowered", &format!("to {}: {}", cap.limit, entry(&cap.reason))),
            );
        }
        out
    }

    fn chain(&self, diagnosis: &Diagnosis) -> String {
        let entries = diagnosis.chain.iter().map(|step| {
            let mark = if step.origin { self.style.paint(Tone::Bad, "●") } else { "│".to_owned() };
            let origin = if step.origin { " (origin)" } else { "" };
            (mark, format!("{} [{}]{origin}", entry(&step.what), short_span(step.span_id)))
        });
        self.section("Chain", entries)
    }

    fn receipts(&self, diagnosis: &Diagnosis) -> String {
        let entries = diagnosis.receipts.iter().map(|receipt| {
            let mark = match receipt.verdict {
                ReceiptVerdict::Verified => self.style.paint(Tone::Good, "✓"),
                ReceiptVerdict::Rejected { .. } => self.style.paint(Tone::Bad, "✗"),
            };
            (mark, receipt_line(receipt))
        });
        let (verified, all) = diagnosis.verified_receipts();
        let summary = format!("{verified} of {all} receipts verified");
        self.style.labelled("Evidence", &summary) + &self.section("", entries)
    }

    fn rivals(&self, diagnosis: &Diagnosis) -> String {
        let entries = diagnosis.hypotheses.iter().skip(1);
        self.section("Rivals", entries.map(|rival| ("–".to_owned(), entry(&wording::rival(rival)))))
    }

    fn missing(&self, diagnosis: &Diagnosis) -> String {
        // Of two who miss the same, the later one knows more about this run.
        let said_later =
            |at: usize, what: &str| diagnosis.missing.iter().skip(at + 1).any(|m| m.what == what);
        let distinct = diagnosis.missing.iter().enumerate().filter(|(at, m)| !said_later(*at, &m.what));
        let entries = distinct.map(|(_, missing)| {
            let (what, how) = (entry(missing.what.trim_end_matches('.')), entry(&missing.how_to_get));
            ("?".to_owned(), format!("{what}. To get it: {how}"))
        });
        self.section("Missing", entries)
    }

    /// Entries, the first one beside the label.
    fn section(&self, label: &str, entries: impl Iterator<Item = (String, String)>) -> String {
        let mut out = String::new();
        let mut more = 0_usize;
        for (at, (mark, text)) in entries.enumerate() {
            if at < MAX_LISTED {
                out.push_str(&self.style.item(if at == 0 { label } else { "" }, &mark, &text));
            } else {
                more += 1;
            }
        }
        if more > 0 {
            out.push_str(&self.style.item("", "…", &format!("and {more} more in the artifact")));
        }
        out
    }

    fn footer(&self) -> String {
        let style = self.style;
        let mut out = String::new();
        if let Some(fix) = &self.run.fix {
            let text = format!(
                "{} ({}, +{} −{}, by {})",
                entry(&fix.title),
                entry(&fix.files.join(", ")),
                fix.added,
                fix.removed,
                entry(&fix.author)
            );
            out.push_str(&style.labelled("Fix", &text));
            out.push_str(&style.labelled("Proof", super::proof::verdict(self.run)));
            if let Some(text) = wording::also_passed(self.run) {
                out.push_str(&style.labelled("", &text));
            }
        }
        out.push_str(&style.labelled("Outcome", &self.outcome()));
        for warning in self.run.proposal.iter().flat_map(|proposal| &proposal.warnings).take(MAX_LISTED) {
            out.push_str(&style.labelled("", &format!("but {}", entry(warning))));
        }
        out.push_str(&style.labelled("Isolation", &wording::isolation(self.run)));
        out.push_str(&style.labelled("Next", &self.next_step()));
        out.push_str(&style.labelled("Cost", &wording::cost(&self.run.budget)));
        out
    }

    fn outcome(&self) -> String {
        let word = match self.run.outcome.state {
            OutcomeState::Completed => "Done",
            OutcomeState::NotEnoughEvidence => "Looked and found too little",
            OutcomeState::NoCodeFix => "Not a change of the repository",
            OutcomeState::NotReproduced => "Tried, but the failure did not happen again",
            OutcomeState::FixRejected => "Tried and could not",
            OutcomeState::Cancelled => "Cancelled",
            OutcomeState::BudgetExhausted => "Stopped at a limit",
            OutcomeState::Failed => "Errored",
        };
        format!("{word}: {}", entry(&self.run.outcome.reason))
    }

    fn next_step(&self) -> String {
        let verified = self.run.verification.as_ref().is_some_and(|record| record.verified);
        match (self.run.outcome.state, &self.run.proposal) {
            (_, Some(proposal)) => format!("review {}: {}", proposal.branch, entry(&proposal.url)),
            (OutcomeState::Completed, None) if verified => "publish the fix as a branch".to_owned(),
            (OutcomeState::Completed, None) if self.run.fix.is_some() => {
                "review the diff; verify it with a test command".to_owned()
            }
            (OutcomeState::Completed, None) => "propose a fix".to_owned(),
            (OutcomeState::NoCodeFix, None) => "act on the reason above; no branch was made".to_owned(),
            (OutcomeState::NotEnoughEvidence, None) => "record what is missing, or search deeper".to_owned(),
            (OutcomeState::NotReproduced, None) => {
                "record the inputs of the failing step; a change without proof is not proposed".to_owned()
            }
            (OutcomeState::FixRejected, None) => "fix it by hand from the evidence above".to_owned(),
            (OutcomeState::Cancelled, None) => "run it again".to_owned(),
            (OutcomeState::BudgetExhausted, None) => "run it again with a larger budget".to_owned(),
            (OutcomeState::Failed, None) => "remove the error above, then run it again".to_owned(),
        }
    }
}

fn is_certain(diagnosis: &Diagnosis) -> bool {
    diagnosis.confidence.value() >= FOUND_FROM && diagnosis.verified_receipts().0 > 0
}

fn receipt_line(receipt: &Receipt) -> String {
    let quote = cut(&terminal(&receipt.quote), 80);
    let mut line = format!("{} “{quote}” — {}", entry(&receipt.id), entry(&place(receipt)));
    if let ReceiptVerdict::Rejected { why } = &receipt.verdict {
        line.push_str(&format!("; rejected: {}", entry(why)));
    }
    line.push_str(&format!("; for {}: {}", entry(&receipt.for_hypothesis), entry(&receipt.claim)));
    line
}
