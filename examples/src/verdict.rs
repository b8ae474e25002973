//! Whether a run came out as its scenario asks for.

use staso_core::run::{OutcomeState, RunArtifact};

use crate::scenario::FaultClass;

/// What is not as expected, in one line; `None` when all is well.
#[must_use]
pub fn complaint(class: FaultClass, artifact: &RunArtifact) -> Option<String> {
    let (expected, well) = match class {
        FaultClass::Outage => {
            let untouched = artifact.fix.is_none() && artifact.proposal.is_none();
            ("no code fix, and no branch", artifact.outcome.state == OutcomeState::NoCodeFix && untouched)
        }
        FaultClass::Code | FaultClass::Prompt | FaultClass::Config => {
            let verified = artifact.verification.as_ref().is_some_and(|proof| proof.verified);
            let published = artifact.proposal.is_some();
            let completed = artifact.outcome.state == OutcomeState::Completed;
            ("a proven fix on a branch", completed && verified && published)
        }
    };
    (!well).then(|| format!("expected {expected}, but: {}", artifact.outcome.reason))
}
