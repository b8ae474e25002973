//! The live progress of a run, as lines.

use std::collections::BTreeSet;

use staso_core::run::{EventKind, Phase};

use crate::terminal::{Look, Tone, printable};

/// Passing lines of one phase that are shown where they cannot be redrawn. Each is shown once.
const MAX_PASSING_LINES: usize = 6;

/// The id of the first receipt of every diagnosis.
const FIRST_RECEIPT: &str = "r1";

/// Turns events into lines.
#[derive(Debug)]
pub struct Progress {
    look: Look,
    receipts: (usize, usize),
    phase: Phase,
    passing: BTreeSet<String>,
}

/// What an event changes on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// A line that stays.
    Line(String),
    /// What is going on right now.
    Status(String),
    /// Nothing.
    Nothing,
}

impl Progress {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new(look: Look) -> Self {
        Self { look, receipts: (0, 0), phase: Phase::Load, passing: BTreeSet::new() }
    }

    /// What the event changes.
    pub fn update(&mut self, event: &EventKind) -> Update {
        match event {
            EventKind::PhaseChanged { phase } => self.phase(*phase),
            EventKind::ReceiptChecked { receipt, verified } => {
                // Each diagnoser's evidence is counted for itself.
                if receipt == FIRST_RECEIPT {
                    self.receipts = (0, 0);
                }
                self.receipts.0 += usize::from(*verified);
                self.receipts.1 += 1;
                Update::Nothing
            }
            EventKind::DiagnosisReady { summary, confidence } => self.diagnosis(summary, *confidence),
            EventKind::CheckCompleted { name, at, ok, result } => {
                self.outcome(*ok, &format!("{name} at {at}: {result}"))
            }
            EventKind::ProposalOpened { branch, .. } => self.outcome(true, &format!("branch {branch}")),
            EventKind::Warning { message } => {
                Update::Line(self.look.paint(Tone::Bad, &format!("    ! {}", printable(message))))
            }
            EventKind::ModelRequested { agent, turn, model, .. } => {
                self.passing(&format!("{agent}: turn {turn} of {model}"))
            }
            EventKind::Redirected { text } => Update::Line(format!("    > {}", printable(text))),
            EventKind::ToolCalled { tool, summary, .. } => self.passing(&format!("{tool}: {summary}")),
            // Where nothing can be redrawn, the line with the result says the same.
            EventKind::CheckStarted { name, at } if self.look.redraw => {
                self.passing(&format!("{name} at {at}"))
            }
            EventKind::PatchUpdated { files, why } => {
                let verb = if self.phase == Phase::Verify { "trying" } else { "first candidate:" };
                self.passing(&format!("{verb} {}: {why}", files.join(", ")))
            }
            _ => Update::Nothing,
        }
    }

    fn phase(&mut self, phase: Phase) -> Update {
        self.phase = phase;
        self.passing.clear();
        let what = match phase {
            Phase::Load => "reading the trace",
            Phase::Resolve => "finding the code that ran",
            Phase::Quick => "looking for the cause",
            Phase::Deep => "asking a model for the cause",
            Phase::Reproduce => "making the failure happen again in a sandbox",
            Phase::Fix => "writing candidates for a fix",
            Phase::Verify => "proving a fix in a sandbox",
            Phase::Publish => "putting the fix on a branch",
            _ => "",
        };
        Update::Line(format!("  {}  {what}", self.look.paint(Tone::Strong, &format!("{:<9}", phase.name()))))
    }

    fn diagnosis(&self, summary: &str, confidence: f64) -> Update {
        let (verified, all) = self.receipts;
        let text = format!("{summary} (confidence {confidence:.2}, {verified} of {all} receipts hold)");
        self.outcome(verified > 0, &text)
    }

    fn outcome(&self, ok: bool, text: &str) -> Update {
        let (mark, tone) = if ok { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        Update::Line(format!("    {} {}", self.look.paint(tone, mark), printable(text)))
    }

    fn passing(&mut self, text: &str) -> Update {
        if self.look.redraw {
            return Update::Status(format!("    … {text}"));
        }
        if self.passing.len() >= MAX_PASSING_LINES || !self.passing.insert(text.to_owned()) {
            return Update::Nothing;
        }
        let last = self.passing.len() == MAX_PASSING_LINES;
        Update::Status(if last { "    … and so on".to_owned() } else { format!("    … {text}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_of_candidates_are_a_few_lines_in_a_file() {
        let mut progress = Progress::new(Look::plain());
        progress.update(&EventKind::PhaseChanged { phase: Phase::Verify });
        let event =
            |key: u32| EventKind::PatchUpdated { files: vec!["a.py".to_owned()], why: format!("key {key}") };
        let updates: Vec<_> = (0..300).map(|number| progress.update(&event(number / 2))).collect();
        assert_eq!(updates[0], Update::Status("    … trying a.py: key 0".to_owned()));
        assert_eq!(updates[1], Update::Nothing);
        assert_eq!(updates.iter().filter(|update| **update != Update::Nothing).count(), MAX_PASSING_LINES);
    }

    #[test]
    fn the_diagnosis_says_how_much_of_its_evidence_holds() {
        let mut progress = Progress::new(Look::plain());
        for verified in [true, false, true] {
            progress.update(&EventKind::ReceiptChecked { receipt: "r".to_owned(), verified });
        }
        let ready = EventKind::DiagnosisReady { summary: "a key\nis wrong".to_owned(), confidence: 0.861 };
        let expected = "    ✓ a key is wrong (confidence 0.86, 2 of 3 receipts hold)";
        assert_eq!(progress.update(&ready), Update::Line(expected.to_owned()));
    }
}
