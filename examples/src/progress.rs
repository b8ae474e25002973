//! The live progress of a run, as lines.

use staso_core::run::{EventKind, Phase};

use crate::terminal::{Look, Tone, printable};

/// Passing lines of one phase that are shown where they cannot be redrawn.
const MAX_PASSING_LINES: usize = 6;

/// Turns events into lines.
#[derive(Debug)]
pub struct Progress {
    look: Look,
    receipts: (usize, usize),
    passing: usize,
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
        Self { look, receipts: (0, 0), passing: 0 }
    }

    /// What the event changes.
    pub fn update(&mut self, event: &EventKind) -> Update {
        match event {
            EventKind::PhaseChanged { phase } => self.phase(*phase),
            EventKind::ReceiptChecked { verified, .. } => {
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
            EventKind::ToolCalled { tool, summary } => self.passing(&format!("{tool}: {summary}")),
            EventKind::CheckStarted { name, at } => self.passing(&format!("{name} at {at}")),
            EventKind::PatchUpdated { files, why } => {
                self.passing(&format!("trying {}: {why}", files.join(", ")))
            }
            _ => Update::Nothing,
        }
    }

    fn phase(&mut self, phase: Phase) -> Update {
        self.passing = 0;
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
        self.passing += 1;
        if self.look.redraw || self.passing < MAX_PASSING_LINES {
            Update::Status(format!("    … {text}"))
        } else if self.passing == MAX_PASSING_LINES {
            Update::Status("    … and so on".to_owned())
        } else {
            Update::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_of_candidates_are_a_few_lines_in_a_file() {
        let mut progress = Progress::new(Look::plain());
        let event = EventKind::PatchUpdated { files: vec!["a.py".to_owned()], why: "another key".to_owned() };
        let updates: Vec<_> = (0..300).map(|_| progress.update(&event)).collect();
        assert_eq!(updates[0], Update::Status("    … trying a.py: another key".to_owned()));
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
