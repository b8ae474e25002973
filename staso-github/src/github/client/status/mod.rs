//! What a status means, in the words of users.

mod permission;
#[cfg(test)]
mod tests;
mod text;

use reqwest::{Method, Url};
use staso_core::vcs::VcsError;

pub(super) use text::raw_message;
pub(crate) use text::{clean, message};

use self::text::Refused;
use super::ApiAnswer;
use crate::github::api::{PROVIDER, RepositoryName};

/// An answer that is no success, in the words of users. Statuses that mean something special to one request are looked
/// at by its caller before.
pub(crate) fn refusal(answer: &ApiAnswer, operation: &'static str, repository: &RepositoryName) -> VcsError {
    let refused = Refused::of(answer);
    let url = repository.url.clone();
    let gone = |refused: &Refused| VcsError::Gone { url: url.clone(), reason: refused.text(answer.status) };
    match answer.status {
        401 => VcsError::CredentialRevoked { url },
        403 => forbidden(answer, &refused, operation, repository),
        404 | 400 | 405 | 406 | 415 | 501 if lacks_endpoint(answer, &refused) => {
            let server = server(answer, repository);
            VcsError::FeatureUnavailable { feature: operation.to_owned(), server }
        }
        404 => VcsError::RepositoryNotFound { url },
        409 if refused.says("repository is empty") => VcsError::Empty { url },
        410 if refused.says("disabled") => VcsError::FeatureUnavailable {
            feature: operation.to_owned(),
            server: format!("{url} ({})", refused.text(410)),
        },
        410 | 451 => gone(&refused),
        422 => invalid(answer, &refused, operation, repository),
        301..=308 => VcsError::BadAnswer { operation, reason: refused.text(answer.status) },
        status => VcsError::Backend { provider: PROVIDER, operation, source: refused.text(status).into() },
    }
}

fn forbidden(
    answer: &ApiAnswer,
    refused: &Refused,
    operation: &'static str,
    repository: &RepositoryName,
) -> VcsError {
    let url = repository.url.clone();
    if let Some(authorize_url) = sso(answer, repository) {
        return VcsError::SsoRequired { url, authorize_url };
    }
    if refused.is_archived() {
        return VcsError::Archived { url };
    }
    if refused.is_blocked() {
        return VcsError::Gone { url, reason: refused.text(403) };
    }
    if refused.says("suspended") && refused.says("installation") {
        let settings_url = format!("{}/settings/installations", origin(repository));
        return VcsError::Suspended { owner: repository.owner.clone(), settings_url };
    }
    if refused.lacks_workflows() {
        return permission::missing("workflows: write".to_owned(), refused, repository);
    }
    let unsaid = refused.is_silent() || refused.says("forbidden");
    let named = permission::accepted(answer);
    if refused.says("resource not accessible") || named.is_some() || unsaid {
        let wanted = named.or_else(|| permission::usual(answer));
        if let Some(wanted) = wanted {
            return permission::missing(wanted, refused, repository);
        }
    }
    VcsError::PermissionDenied { operation, url, remedy: permission::remedy(answer, refused) }
}

fn invalid(
    answer: &ApiAnswer,
    refused: &Refused,
    operation: &'static str,
    repository: &RepositoryName,
) -> VcsError {
    let url = repository.url.clone();
    if refused.is_archived() {
        return VcsError::Archived { url };
    }
    if refused.lacks_workflows() {
        return permission::missing("workflows: write".to_owned(), refused, repository);
    }
    let reason = format!("{operation}: {}", refused.text(422));
    match answer.asked.0 {
        Method::GET | Method::HEAD => VcsError::Unreadable { url, reason },
        _ => VcsError::InvalidChange { reason },
    }
}

/// An older server does not know the address: it names no page about it, only where its documentation begins.
fn lacks_endpoint(answer: &ApiAnswer, refused: &Refused) -> bool {
    match answer.status {
        404 => answer.headers.contains_key("x-github-enterprise-version") && refused.has_no_page(),
        400 => refused.says("api version") || refused.says("supported version"),
        _ => true,
    }
}

fn server(answer: &ApiAnswer, repository: &RepositoryName) -> String {
    let host = origin(repository);
    match answer.header("x-github-enterprise-version") {
        Some(version) => format!("GitHub Enterprise Server {} at {host}", clean(version)),
        None => format!("the GitHub at {host}"),
    }
}

/// Where the credential is authorised for an organisation. What the header says counts only when it leads to where the
/// repository is, and is nothing but an address: people follow it from errors, artifacts and terminals.
fn sso(answer: &ApiAnswer, repository: &RepositoryName) -> Option<String> {
    let rest = answer.header("x-github-sso")?.trim().strip_prefix("required")?;
    let said = rest.split(';').find_map(|part| part.trim().strip_prefix("url="));
    let home = Url::parse(repository.url.as_str()).ok();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/-._~%?=&+".contains(&byte);
    let safe = |text: &&str| {
        let at_home = |url: Url| home.as_ref().is_some_and(|home| home.origin() == url.origin());
        text.len() <= 2048 && text.bytes().all(plain) && Url::parse(text).is_ok_and(at_home)
    };
    let general = || format!("{}/orgs/{}/sso", origin(repository), repository.owner);
    Some(said.filter(safe).map_or_else(general, str::to_owned))
}

/// Where the repository lives, e.g. `https://github.com`.
fn origin(repository: &RepositoryName) -> String {
    let url = Url::parse(repository.url.as_str()).ok();
    url.map_or_else(String::new, |url| url.origin().ascii_serialization())
}
