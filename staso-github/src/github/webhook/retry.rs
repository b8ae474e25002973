//! People who ask for another try.

use staso_core::id::TraceId;

use super::command;
use super::event::{Account, AccountKind, Comment, PullRequest, WebhookEvent, WebhookRepository};
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

/// A pull request that was commented on.
struct Place<'a> {
    number: u64,
    opened_by: Option<&'a Account>,
    diagnosis: Option<TraceId>,
}

impl<'a> Place<'a> {
    fn of(pull_request: &'a PullRequest, repository: &WebhookRepository) -> Self {
        Self {
            number: pull_request.number,
            opened_by: pull_request.author.as_ref(),
            diagnosis: pull_request.proposed_diagnosis(repository.id),
        }
    }
}

impl WebhookEvent {
    /// The wish for another try, if the event is one: a new comment or review with the line `/staso retry`, by an owner,
    /// member or collaborator who is no bot, on a pull request that `proposer` opened and that bears the hidden mark.
    ///
    /// `proposer` is the login that proposals are made with: `<slug>[bot]` for an app. Anyone can write the mark into a
    /// pull request, but nobody else can open one as the app.
    #[must_use]
    pub fn retry_request(&self, proposer: &str) -> Option<RetryRequest> {
        let (repository, place, comment) = self.commented()?;
        let author = comment.author.as_ref().filter(|author| author.kind == AccountKind::User)?;
        let is_proposal = place.opened_by.is_some_and(|opener| opener.login.eq_ignore_ascii_case(proposer));
        if !is_proposal || !comment.author_association.is_insider() {
            return None;
        }
        Some(RetryRequest {
            repository: repository.clone(),
            number: place.number,
            diagnosis: place.diagnosis?,
            by: author.login.clone(),
            comment_url: comment.html_url.clone(),
            guidance: command::retry(&comment.body)?,
        })
    }

    fn commented(&self) -> Option<(&WebhookRepository, Place<'_>, &Comment)> {
        match self {
            Self::IssueComment(event) if event.issue.is_pull_request => {
                let place = Place {
                    number: event.issue.number,
                    opened_by: event.issue.author.as_ref(),
                    diagnosis: marked_diagnosis(&event.issue.body),
                };
                Some((&event.repository, place, &event.comment))
            }
            Self::ReviewComment(event) => {
                Some((&event.repository, Place::of(&event.pull_request, &event.repository), &event.comment))
            }
            Self::Review(event) => {
                Some((&event.repository, Place::of(&event.pull_request, &event.repository), &event.review))
            }
            _ => None,
        }
    }
}
