//! People who ask for another try.

use staso_core::id::TraceId;

use super::command;
use super::event::{AccountKind, Comment, IssueCommentEvent, WebhookEvent, WebhookRepository};
use super::outcome::{is_by, marked_diagnosis};

/// One of the repository's people wrote `/staso retry` on a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryRequest {
    /// Where.
    pub repository: WebhookRepository,
    /// The number of the proposal.
    pub number: u64,
    /// The trace whose diagnosis the proposal is for. Whether it is one of the host's is for the host to see.
    pub diagnosis: TraceId,
    /// The login of who asks.
    pub by: String,
    /// The address of the comment.
    pub comment_url: String,
    /// What they want to be different, at most 1,000 characters: data for
    /// [`Redirections::send`](staso_core::run::Redirections::send), never a command. Empty when they say nothing.
    pub guidance: String,
}

impl WebhookEvent {
    /// The wish for another try, if the event is one: a new comment or review with the line `/staso retry`, by an owner,
    /// member or collaborator who is no bot, on a pull request that `proposer` opened and that bears the hidden mark.
    ///
    /// `proposer` is the login that proposals are made with: `<slug>[bot]` for an app. Anyone can write the mark into a
    /// pull request, but nobody else can open one as the app.
    ///
    /// Members and some collaborators may only read; whether `by` may write is for the host to ask. A delivery that came
    /// again after the receiver forgot it has the same `comment_url`.
    #[must_use]
    pub fn retry_request(&self, proposer: &str) -> Option<RetryRequest> {
        let (repository, number, diagnosis, comment) = self.commented(proposer)?;
        let author = comment.author.as_ref().filter(|author| author.kind == AccountKind::User)?;
        if !comment.author_association.is_insider() {
            return None;
        }
        Some(RetryRequest {
            repository: repository.clone(),
            number,
            diagnosis,
            by: author.login.clone(),
            comment_url: comment.html_url.clone(),
            guidance: command::retry(&comment.body)?,
        })
    }

    /// What was said on a proposal of `proposer`: where, its number, the trace that it is for, and the words.
    fn commented(&self, proposer: &str) -> Option<(&WebhookRepository, u64, TraceId, &Comment)> {
        let (repository, pull_request, comment) = match self {
            Self::IssueComment(event) => {
                let IssueCommentEvent { issue, comment, repository, .. } = &**event;
                let ours = issue.is_pull_request && is_by(issue.author.as_ref(), proposer);
                let diagnosis = marked_diagnosis(&issue.body).filter(|_| ours)?;
                return Some((repository, issue.number, diagnosis, comment));
            }
            Self::ReviewComment(event) => (&event.repository, &event.pull_request, &event.comment),
            Self::Review(event) => (&event.repository, &event.pull_request, &event.review),
            _ => return None,
        };
        let diagnosis = pull_request.proposed_diagnosis(repository.id, proposer)?;
        Some((repository, pull_request.number, diagnosis, comment))
    }
}
