//! The events, with the fields that Staso needs of each.

mod account;
mod comment;
mod installation;
mod parse;
mod pull_request;
mod push;
mod repository;
mod text;
mod webhook_event;

pub use account::{Account, AccountKind, AuthorAssociation};
pub use comment::{Comment, CommentedIssue, IssueCommentEvent, ReviewCommentEvent, ReviewEvent};
pub use installation::{
    AccountChanges, Installation, InstallationAction, InstallationEvent, InstallationRepositoriesAction,
    InstallationRepositoriesEvent, InstallationTargetEvent,
};
pub(super) use parse::parse;
pub use pull_request::{Label, PullRequest, PullRequestAction, PullRequestBranch, PullRequestEvent};
pub use push::PushEvent;
pub use repository::{
    ListedRepository, RepositoryAction, RepositoryChanges, RepositoryEvent, WebhookRepository,
};
pub use webhook_event::WebhookEvent;
