//! From a signed body to an event.

use serde::Deserialize;
use serde::de::value::{self, StrDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer as _};
use serde_json::Error;

use super::text;
use super::{
    Account, InstallationAction, InstallationRepositoriesAction, PullRequestAction, RepositoryAction,
    WebhookEvent,
};

/// The actions of events of which one matters.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Created {
    Created,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Submitted {
    Submitted,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Renamed {
    Renamed,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Revoked {
    Revoked,
}

#[derive(Deserialize)]
struct Acted {
    #[serde(default, deserialize_with = "text::optional_short")]
    action: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    sender: Account,
}

/// Reads the body of the event `name`. An event or action that is not known is [`WebhookEvent::Other`].
pub(in super::super) fn parse(name: &str, body: &[u8]) -> Result<WebhookEvent, Error> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::custom("not an object"));
    }
    let action = serde_json::from_slice::<Acted>(body)?.action;
    let read = Reader { body, action: action.as_deref() };
    let event = match name {
        "ping" => Some(WebhookEvent::Ping),
        "installation" => read.on::<InstallationAction, _>()?.map(WebhookEvent::Installation),
        "installation_repositories" => {
            read.on::<InstallationRepositoriesAction, _>()?.map(WebhookEvent::InstallationRepositories)
        }
        "installation_target" => read.on::<Renamed, _>()?.map(WebhookEvent::InstallationTarget),
        "repository" => read.on::<RepositoryAction, _>()?.map(WebhookEvent::Repository),
        "pull_request" => read.on::<PullRequestAction, _>()?.map(WebhookEvent::PullRequest),
        "issue_comment" => read.on::<Created, _>()?.map(WebhookEvent::IssueComment),
        "pull_request_review_comment" => read.on::<Created, _>()?.map(WebhookEvent::ReviewComment),
        "pull_request_review" => read.on::<Submitted, _>()?.map(WebhookEvent::Review),
        "push" => Some(WebhookEvent::Push(serde_json::from_slice(body)?)),
        "github_app_authorization" => {
            read.on::<Revoked, Sent>()?.map(|sent| WebhookEvent::AuthorizationRevoked(Box::new(sent.sender)))
        }
        _ => None,
    };
    Ok(event.unwrap_or_else(|| WebhookEvent::Other { event: name.to_owned(), action }))
}

struct Reader<'a> {
    body: &'a [u8],
    action: Option<&'a str>,
}

impl Reader<'_> {
    /// The event, if its action is one of `A`.
    fn on<A: DeserializeOwned, T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let known = self.action.is_some_and(|action| {
            let action: StrDeserializer<'_, value::Error> = action.into_deserializer();
            A::deserialize(action).is_ok()
        });
        if known { serde_json::from_slice(self.body).map(Some) } else { Ok(None) }
    }
}
