//! Whether a merged fix held.

use std::time::Duration;

use staso_core::diagnosis::CaseLabel;
use staso_core::trace::Timestamp;

use super::{ProposalFate, ProposalOutcome};

/// Watches one merged proposal until it is known whether the fix held.
///
/// It only holds what it was told: keep the outcomes and failures, and tell them again after a restart. The order does not
/// matter, only the times in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixWatch {
    repository: u64,
    number: u64,
    fingerprint: String,
    merged_at: Timestamp,
    window: Duration,
    broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken {
    at: Timestamp,
    reverted_by: Option<u64>,
}

impl Broken {
    fn order(&self) -> (Timestamp, bool, Option<u64>) {
        (self.at, self.reverted_by.is_none(), self.reverted_by)
    }
}

/// Whether a merged fix held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixStatus {
    /// Not known before then.
    Watching {
        /// The end of the window.
        until: Timestamp,
    },
    /// Nothing spoke against it until the window ended.
    Held,
    /// People took it back.
    Reverted {
        /// When.
        at: Timestamp,
        /// The number of the pull request that did.
        by: u64,
    },
    /// The failure it was for came again.
    FailedAgain {
        /// When.
        at: Timestamp,
    },
}

impl FixStatus {
    /// What it says of the diagnosis behind the fix, for [`Calibrator::observe`](staso_core::diagnosis::Calibrator::observe).
    /// `None` while it is not known.
    #[must_use]
    pub const fn label(&self) -> Option<CaseLabel> {
        match self {
            Self::Watching { .. } => None,
            Self::Held => Some(CaseLabel::Right),
            Self::Reverted { .. } | Self::FailedAgain { .. } => Some(CaseLabel::Wrong),
        }
    }
}

impl FixWatch {
    /// How long a fix is watched by default.
    pub const DEFAULT_WINDOW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

    /// Watches a proposal from the moment it was merged. `None` for any other outcome, or a branch that names no failure.
    #[must_use]
    pub fn begin(outcome: &ProposalOutcome) -> Option<Self> {
        let ProposalFate::Merged { at, .. } = outcome.fate else { return None };
        Some(Self {
            repository: outcome.repository,
            number: outcome.number,
            fingerprint: outcome.fingerprint()?.to_owned(),
            merged_at: at,
            window: Self::DEFAULT_WINDOW,
            broken: None,
        })
    }

    /// Sets how long it is watched after it was merged. Call it before anything is told.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Tells of an outcome; those of other proposals do not count.
    pub fn tell_outcome(&mut self, outcome: &ProposalOutcome) {
        if let ProposalFate::Reverted { at, by } = outcome.fate
            && (outcome.repository, outcome.number) == (self.repository, self.number)
        {
            self.break_at(Broken { at, reverted_by: Some(by) });
        }
    }

    /// Tells of a failure; those with other fingerprints (see [`ProposalOutcome::fingerprint`]) do not count.
    ///
    /// Leave out failures of code without the fix: deployments may lag behind a merge.
    pub fn tell_failure(&mut self, fingerprint: &str, at: Timestamp) {
        if fingerprint == self.fingerprint {
            self.break_at(Broken { at, reverted_by: None });
        }
    }

    /// Whether the fix held, as far as is known at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> FixStatus {
        match self.broken {
            Some(Broken { at, reverted_by: Some(by) }) => FixStatus::Reverted { at, by },
            Some(Broken { at, reverted_by: None }) => FixStatus::FailedAgain { at },
            None if now < self.until() => FixStatus::Watching { until: self.until() },
            None => FixStatus::Held,
        }
    }

    fn until(&self) -> Timestamp {
        self.merged_at.saturating_add(self.window)
    }

    /// The first that happened inside of the window counts; of a revert and a failure at one time the revert.
    fn break_at(&mut self, broken: Broken) {
        let counts = (self.merged_at..self.until()).contains(&broken.at);
        if counts && self.broken.is_none_or(|known| broken.order() < known.order()) {
            self.broken = Some(broken);
        }
    }
}
