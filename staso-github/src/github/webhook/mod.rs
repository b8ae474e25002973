//! Webhooks: what GitHub tells the host, checked and typed.
//!
//! [`WebhookReceiver`] takes the headers and the raw body of a request that any web server received, and gives the event
//! or the status to answer with. What an event means follows from the event alone: the knowledge it makes stale
//! ([`Invalidation`]), what became of a proposal ([`ProposalOutcome`], [`FixWatch`]), and who asks for another try
//! ([`RetryRequest`]). Nothing here sends a request, reads a clock or starts a run.
//!
//! ```
//! use secrecy::SecretString;
//! use staso_core::trace::Timestamp;
//! use staso_github::webhook::{Delivery, WebhookHeaders, WebhookReceiver};
//!
//! fn answer(receiver: &WebhookReceiver, headers: &[(&str, &str)], body: &[u8], now: Timestamp) -> u16 {
//!     match receiver.receive(&WebhookHeaders::from_pairs(headers.iter().copied()), body, now) {
//!         Ok(Delivery::Event { event, .. }) => {
//!             if let Some(request) = event.retry_request("acme-staso[bot]") {
//!                 println!("{} asks for another try of {}", request.by, request.diagnosis);
//!             }
//!             200
//!         }
//!         Ok(_) => 200,
//!         Err(error) => error.status(),
//!     }
//! }
//!
//! let secret = SecretString::from("It's a Secret to Everybody");
//! let receiver = WebhookReceiver::new([secret])?;
//! assert_eq!(answer(&receiver, &[("X-GitHub-Event", "ping")], b"{}", Timestamp::default()), 401);
//! # Ok::<(), staso_github::webhook::WebhookSecretError>(())
//! ```

mod apply;
mod command;
mod error;
mod event;
mod fix_watch;
mod headers;
mod invalidation;
mod outcome;
mod receiver;
mod replay;
mod retry;
mod secrets;

pub use error::WebhookError;
pub use event::{
    Account, AccountChanges, AccountKind, AuthorAssociation, Comment, CommentedIssue, Installation,
    InstallationAction, InstallationEvent, InstallationRepositoriesAction, InstallationRepositoriesEvent,
    InstallationTargetEvent, IssueCommentEvent, Label, ListedRepository, PullRequest, PullRequestAction,
    PullRequestBranch, PullRequestEvent, PushEvent, RepositoryAction, RepositoryChanges, RepositoryEvent,
    ReviewCommentEvent, ReviewEvent, WebhookEvent, WebhookRepository,
};
pub use fix_watch::{FixStatus, FixWatch};
pub use headers::WebhookHeaders;
pub use invalidation::Invalidation;
pub use outcome::{ProposalFate, ProposalOutcome};
pub use receiver::{Delivery, WebhookReceiver};
pub use retry::RetryRequest;
pub use secrets::WebhookSecretError;
