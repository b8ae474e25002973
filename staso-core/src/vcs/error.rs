//! What went wrong with a repository or forge.

use std::fmt;

use crate::code::RepoPath;
use crate::id::{BranchName, CommitId};
use crate::trace::{RepositoryUrl, Timestamp};

/// What went wrong with a repository or forge. Messages never repeat credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VcsError {
    /// There is no repository at the address.
    #[error("{url} is not a git repository that can be read; check the path or address")]
    RepositoryNotFound {
        /// The address.
        url: RepositoryUrl,
    },
    /// The repository is there but cannot be read: damage, an unsupported format, missing objects.
    #[error("{url} cannot be read: {reason}")]
    Unreadable {
        /// The address.
        url: RepositoryUrl,
        /// What stands in the way, and what helps.
        reason: String,
    },
    /// Nobody answers at the address.
    #[error(
        "{url} cannot be reached: {reason}; check the address and the network, or give a local clone of it"
    )]
    Unreachable {
        /// The address.
        url: RepositoryUrl,
        /// What the transport said.
        reason: String,
    },
    /// Neither the trace nor the host names a repository.
    #[error(
        "the trace names no repository; call staso::init!() in the application so that runs record one, or name one"
    )]
    NoRepository,
    /// The provider does not serve this address.
    #[error("{url} is not served by {provider}; configure a provider for it")]
    Unsupported {
        /// The address.
        url: RepositoryUrl,
        /// The provider's name.
        provider: &'static str,
    },
    /// The repository has no commits.
    #[error("{url} has no commits yet")]
    Empty {
        /// The address.
        url: RepositoryUrl,
    },
    /// The trace names no commit.
    #[error("the trace names no commit; call staso::init!() in the application so that runs record one")]
    NoCommit,
    /// The commit is not in the repository.
    #[error("commit {commit} is not in {url}; push it, or fetch it into the local repository")]
    CommitNotFound {
        /// The commit.
        commit: CommitId,
        /// The address.
        url: RepositoryUrl,
    },
    /// The file is not in the commit.
    #[error("{path} is not in commit {commit}")]
    FileNotFound {
        /// The file.
        path: RepoPath,
        /// The commit.
        commit: CommitId,
    },
    /// The repository accepts no changes.
    #[error("{url} is archived; un-archive it to receive proposals")]
    Archived {
        /// The address.
        url: RepositoryUrl,
    },
    /// The credentials do not allow what is needed.
    #[error("no permission to {operation} at {url}; {remedy}")]
    PermissionDenied {
        /// What was tried.
        operation: &'static str,
        /// The address.
        url: RepositoryUrl,
        /// What the user can do.
        remedy: String,
    },
    /// The changes do not fit the newest commit of the branch.
    #[error("the change does not apply to {branch}: {}", paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(", "))]
    Conflict {
        /// The branch.
        branch: BranchName,
        /// The files that differ from what the change expects.
        paths: Vec<RepoPath>,
    },
    /// The change set changes nothing.
    #[error("there is nothing to propose: every file already has the wanted content")]
    NothingToPropose,
    /// The change set cannot be carried.
    #[error("cannot carry the change: {reason}")]
    InvalidChange {
        /// What is wrong with it.
        reason: String,
    },
    /// The app of the host is not installed where the repository belongs.
    #[error(
        "the app is not installed for {owner}; install it at {install_url} and choose the repository there"
    )]
    NotInstalled {
        /// The user or organisation.
        owner: String,
        /// Where it is installed.
        install_url: String,
    },
    /// The installation of the app is suspended.
    #[error(
        "the app's installation for {owner} is suspended; its administrator can lift that at {settings_url}"
    )]
    Suspended {
        /// The user or organisation.
        owner: String,
        /// Where that is changed.
        settings_url: String,
    },
    /// The app is installed for the owner, but not for this repository.
    #[error("the app may not see {url}; add the repository to its installation at {settings_url}")]
    RepositoryNotGranted {
        /// The address.
        url: RepositoryUrl,
        /// Where that is changed.
        settings_url: String,
    },
    /// One permission is missing.
    #[error("the credential lacks the permission `{permission}` for {url}; {remedy}")]
    MissingPermission {
        /// The permission as the forge names it, with its level, e.g. `contents: write`.
        permission: String,
        /// The address.
        url: RepositoryUrl,
        /// What the user can do.
        remedy: String,
    },
    /// The organisation wants a single sign-on for the credential.
    #[error("the organisation of {url} requires single sign-on; authorise the credential at {authorize_url}")]
    SsoRequired {
        /// The address.
        url: RepositoryUrl,
        /// Where the credential is authorised.
        authorize_url: String,
    },
    /// The forge does not give the repository out any more, e.g. for legal reasons.
    #[error("{url} is gone: {reason}; traces of it can only be diagnosed without code")]
    Gone {
        /// The address.
        url: RepositoryUrl,
        /// What the forge says.
        reason: String,
    },
    /// The credential was revoked, has expired or was never one.
    #[error("the forge does not accept the credential for {url} any more; make a new one and configure it")]
    CredentialRevoked {
        /// The address.
        url: RepositoryUrl,
    },
    /// The forge does not accept the private key of the app.
    #[error(
        "the app's key is not accepted: {reason}; give the id of the app and a private key made in its settings"
    )]
    BadAppKey {
        /// What is wrong with it. Never the key.
        reason: String,
    },
    /// The clock of this machine is too far off for signed requests.
    #[error("the clock of this machine is {seconds} s ahead of the forge's; set it, e.g. with NTP")]
    ClockSkew {
        /// Seconds that this machine is ahead; negative when it is behind.
        seconds: i64,
    },
    /// The forge wants fewer requests, for longer than the run may wait.
    #[error("the forge's {kind} rate limit is reached until {retry_at}; run again after that")]
    RateLimited {
        /// Which limit.
        kind: RateLimitKind,
        /// When the next request may be sent.
        retry_at: Timestamp,
    },
    /// Rules of the repository refuse the branch or commit.
    #[error(
        "the rules of the repository refuse {branch}: {rule}; allow the app to make branches below fix/staso-, or commit by API where signed commits are required"
    )]
    PolicyRejected {
        /// The branch.
        branch: BranchName,
        /// What the forge said.
        rule: String,
    },
    /// A change would publish what looks like a credential.
    #[error("{path} would publish {what}; take it out of the change")]
    SecretInChange {
        /// The file.
        path: RepoPath,
        /// The kind of credential. Never the credential.
        what: String,
    },
    /// The forge answered with something that cannot be its answer.
    #[error(
        "{operation}: the answer cannot be used: {reason}; if it comes again, look for a proxy that changes answers"
    )]
    BadAnswer {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This forge, or its version, does not have what is needed.
    #[error("{server} does not offer {feature}; update it, or configure the provider to do without")]
    FeatureUnavailable {
        /// What is missing.
        feature: String,
        /// The server.
        server: String,
    },
    /// No such proposal.
    #[error("there is no proposal {branch}")]
    ProposalNotFound {
        /// The branch.
        branch: BranchName,
    },
    /// A limit of the provider.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The provider was told to show what it would send, and to send nothing.
    #[error("nothing was sent: this is a dry run")]
    DryRun,
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The operation took too long.
    #[error("{operation} took longer than {limit_ms} ms")]
    Timeout {
        /// What.
        operation: &'static str,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The operating system, git or a third-party provider failed.
    #[error("{operation} failed in provider {provider}")]
    Backend {
        /// The provider's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Which limit of a forge was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateLimitKind {
    /// So many requests an hour.
    Primary,
    /// Too many requests at once, or too many changes.
    Secondary,
}

impl fmt::Display for RateLimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

impl VcsError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. }
                | Self::Unreachable { .. }
                | Self::RateLimited { .. }
                | Self::BadAnswer { .. }
                | Self::Backend { .. }
        )
    }

    /// When the same call may succeed, when the forge said so.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { retry_at, .. } => Some(*retry_at),
            _ => None,
        }
    }

    /// What the user can do about it: the part of the message after its last semicolon, as a sentence without its
    /// capital letter. `None` when the message names no next step.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = self.to_string();
        text.rsplit_once("; ").map(|(_, remedy)| remedy.to_owned())
    }
}
