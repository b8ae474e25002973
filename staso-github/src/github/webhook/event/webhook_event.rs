//! One event of any kind.

use super::{
    Account, InstallationEvent, InstallationRepositoriesEvent, InstallationTargetEvent, IssueCommentEvent,
    PullRequestEvent, PushEvent, RepositoryEvent, ReviewCommentEvent, ReviewEvent,
};

/// What happened. Kinds and actions that Staso has no use for are [`Other`](Self::Other).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookEvent {
    /// The webhook was set up or tried out.
    Ping,
    /// The app was installed or removed, suspended or re-activated, or given the permissions it asked for.
    Installation(Box<InstallationEvent>),
    /// Repositories were added to an installation or taken from it.
    InstallationRepositories(Box<InstallationRepositoriesEvent>),
    /// An account that the app is installed for was renamed.
    InstallationTarget(Box<InstallationTargetEvent>),
    /// A repository was renamed, moved, archived, …
    Repository(Box<RepositoryEvent>),
    /// A pull request was opened, closed, changed, …
    PullRequest(Box<PullRequestEvent>),
    /// Someone wrote a comment below an issue or pull request.
    IssueComment(Box<IssueCommentEvent>),
    /// Someone wrote a comment on lines of a pull request.
    ReviewComment(Box<ReviewCommentEvent>),
    /// Someone reviewed a pull request.
    Review(Box<ReviewEvent>),
    /// A branch or tag moved.
    Push(Box<PushEvent>),
    /// A user took back the authorization of the app.
    AuthorizationRevoked(Box<Account>),
    /// Anything else.
    Other {
        /// The name of the event.
        event: String,
        /// Its action, when it has one.
        action: Option<String>,
    },
}
