//! Why a run ends where it ends.

use crate::diagnosis::{DiagnoseError, redact};
use crate::fix::FixError;
use crate::run::{Interrupted, Outcome, OutcomeState, StoreError};
use crate::sandbox::SandboxError;
use crate::vcs::VcsError;

/// The end of a run. Every way out of a phase is one of these, the good ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop(pub(super) Outcome);

/// A phase either hands on a value or ends the run.
pub(super) type Flow<T> = Result<T, Stop>;

impl Stop {
    pub(super) fn new(state: OutcomeState, code: &str, reason: impl Into<String>) -> Self {
        Self(Outcome { state, code: code.to_owned(), reason: reason.into() })
    }

    pub(super) fn completed(code: &str, reason: impl Into<String>) -> Self {
        Self::new(OutcomeState::Completed, code, reason)
    }

    pub(super) fn rejected(code: &str, reason: impl Into<String>) -> Self {
        Self::new(OutcomeState::FixRejected, code, reason)
    }

    pub(super) fn cancelled() -> Self {
        Self::new(OutcomeState::Cancelled, "cancelled", "the run was cancelled from outside")
    }

    /// Whether another fixer may still come to a better end.
    pub(super) const fn allows_another_fixer(&self) -> bool {
        matches!(self.0.state, OutcomeState::FixRejected | OutcomeState::NotReproduced)
    }

    fn failed(code: &str, error: &dyn std::error::Error) -> Self {
        Self::new(OutcomeState::Failed, code, with_causes(error))
    }
}

/// An error with what caused it, without credentials.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    redact(&text)
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cancelled => Self::cancelled(),
            StoreError::NotFound { .. } => Self::failed("trace_not_found", &error),
            StoreError::Invalid { .. } => Self::failed("trace_not_usable", &error),
            _ => Self::failed("store_failed", &error),
        }
    }
}

impl From<VcsError> for Stop {
    fn from(error: VcsError) -> Self {
        let code = match &error {
            VcsError::Cancelled => return Self::cancelled(),
            VcsError::Conflict { .. } => {
                let reason = format!(
                    "{error}: these lines changed since the failing commit; record a run at the tip to get a fix for it"
                );
                return Self::new(OutcomeState::FixRejected, "base_conflict", reason);
            }
            VcsError::DryRun => {
                return Self::completed(
                    "dry_run",
                    "the fix is proven; it was shown and not sent, as this is a dry run",
                );
            }
            VcsError::NothingToPropose => {
                return Self::new(OutcomeState::NoCodeFix, "already_fixed", error.to_string());
            }
            VcsError::RepositoryNotFound { .. } | VcsError::NoRepository => "no_repository",
            VcsError::Unreadable { .. } => "unreadable_repository",
            VcsError::Unreachable { .. } => "repository_unreachable",
            VcsError::Unsupported { .. } => "repository_not_supported",
            VcsError::Empty { .. } => "empty_repository",
            VcsError::NoCommit => "no_commit",
            VcsError::CommitNotFound { .. } => "unknown_commit",
            VcsError::Archived { .. } => "archived_repository",
            VcsError::PermissionDenied { .. } => "permission_denied",
            VcsError::NotInstalled { .. } => "app_not_installed",
            VcsError::Suspended { .. } => "app_suspended",
            VcsError::RepositoryNotGranted { .. } => "repository_not_granted",
            VcsError::MissingPermission { .. } => "missing_permission",
            VcsError::SsoRequired { .. } => "sso_required",
            VcsError::Gone { .. } => "repository_gone",
            VcsError::CredentialRevoked { .. } => "credential_revoked",
            VcsError::BadAppKey { .. } => "bad_app_key",
            VcsError::ClockSkew { .. } => "clock_skew",
            VcsError::RateLimited { .. } => "rate_limited",
            VcsError::PolicyRejected { .. } => "refused_by_repository_rules",
            VcsError::SecretInChange { .. } => "secret_in_change",
            VcsError::BadAnswer { .. } => "bad_answer",
            VcsError::FeatureUnavailable { .. } => "feature_unavailable",
            VcsError::TooLarge { .. } => "repository_too_large",
            VcsError::Timeout { .. } => "repository_timeout",
            _ => "repository_failed",
        };
        Self::failed(code, &error)
    }
}

impl From<SandboxError> for Stop {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Cancelled => Self::cancelled(),
            SandboxError::Unavailable { .. } => Self::rejected("sandbox_unavailable", with_causes(&error)),
            SandboxError::Disabled { .. } => Self::rejected("sandbox_disabled", with_causes(&error)),
            _ => Self::failed("sandbox_failed", &error),
        }
    }
}

impl From<DiagnoseError> for Stop {
    fn from(error: DiagnoseError) -> Self {
        match error {
            DiagnoseError::Cancelled => Self::cancelled(),
            DiagnoseError::Budget(_) => {
                Self::new(OutcomeState::BudgetExhausted, "budget_exhausted", with_causes(&error))
            }
            _ => Self::failed("diagnosis_failed", &error),
        }
    }
}

impl From<FixError> for Stop {
    fn from(error: FixError) -> Self {
        match error {
            FixError::Cancelled => Self::cancelled(),
            FixError::UnsupportedLanguage { .. } => {
                Self::rejected("unsupported_language", with_causes(&error))
            }
            FixError::NothingMade { .. } => Self::rejected("nothing_made", with_causes(&error)),
            _ => Self::rejected("fixer_failed", with_causes(&error)),
        }
    }
}

impl From<Interrupted> for Stop {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled => Self::cancelled(),
            Interrupted::TimedOut { limit_ms } => Self::new(
                OutcomeState::BudgetExhausted,
                "wall_time_exhausted",
                format!("the run did not end within its {limit_ms} ms"),
            ),
        }
    }
}
