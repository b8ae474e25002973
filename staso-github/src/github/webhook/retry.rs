//! People who ask for another try.

use staso_core::id::TraceId;

use super::command;
use super::event::{Account, AccountKind, AuthorAssociation, WebhookEvent, WebhookRepository};
use super::outcome::marked_diagnosis;

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

/// A comment of any kind, and what it is on.
struct Spoken<'a> {
    repository: &'a WebhookRepository,
    number: u64,
    opened_by: Option<&'a Account>,
    diagnosis: Option<TraceId>,
    author: Option<&'a Account>,
    association: AuthorAssociation,
    url: &'a str,
    body: &'a str,
}

impl WebhookEvent {
    /// The wish for another try, if the event is one: a new comment or review with the line `/staso retry`, by an owner,
    /// member or collaborator who is no bot, on a pull request that `proposer` opened and that bears the hidden mark.
    ///
    /// `proposer` is the login that proposals are made with: `<slug>[bot]` for an app. Anyone can write the mark into a
    /// pull request, but nobody else can open one as the app.
    #[must_use]
    pub fn retry_request(&self, proposer: &str) -> Option<RetryRequest> {
        let spoken = self.spoken()?;
        let author = spoken.author.filter(|author| author.kind == AccountKind::User)?;
        let is_proposal = spoken.opened_by.is_some_and(|opener| opener.login.eq_ignore_ascii_case(proposer));
        if !is_proposal || !spoken.association.is_insider() {
            return None;
        }
        Some(RetryRequest {
            diagnosis: spoken.diagnosis?,
            guidance: command::retry(spoken.body)?,
            repository: spoken.repository.clone(),
            number: spoken.number,
            by: author.login.clone(),
            comment_url: spoken.url.to_owned(),
        })
    }

    fn spoken(&self) -> Option<Spoken<'_>> {
        match self {
            Self::IssueComment(event) if event.issue.is_pull_request => Some(Spoken {
                repository: &event.repository,
                number: event.issue.number,
                opened_by: event.issue.author.as_ref(),
                diagnosis: marked_diagnosis(&event.issue.body),
                author: event.comment.author.as_ref(),
                association: event.comment.author_association,
                url: &event.comment.html_url,
                body: &event.comment.body,
            }),
            Self::ReviewComment(event) => Some(Spoken {
                repository: &event.repository,
                number: event.pull_request.number,
                opened_by: event.pull_request.author.as_ref(),
                diagnosis: event.pull_request.proposed_diagnosis(event.repository.id),
                author: event.comment.author.as_ref(),
                association: event.comment.author_association,
                url: &event.comment.html_url,
                body: &event.comment.body,
            }),
            Self::Review(event) => Some(Spoken {
                repository: &event.repository,
                number: event.pull_request.number,
                opened_by: event.pull_request.author.as_ref(),
                diagnosis: event.pull_request.proposed_diagnosis(event.repository.id),
                author: event.review.author.as_ref(),
                association: event.review.author_association,
                url: &event.review.html_url,
                body: &event.review.body,
            }),
            _ => None,
        }
    }
}
