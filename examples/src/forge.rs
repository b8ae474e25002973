//! Repositories on other machines: on GitHub, or on any other git server.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use staso::heal::LocalOptions;
use staso::vcs::{GitCredentials, GitHub, GitHubAuth, GitRemote, RemoteAddress};
use staso_core::vcs::{VcsError, VcsProvider};

use crate::environment::Environment;
use crate::options::Place;

/// Serves a repository at an address: on github.com as a pull request, anywhere else as a branch. Keeps commits and
/// checkouts below `data`.
///
/// # Errors
/// When the credentials for GitHub cannot be used.
pub fn add(
    options: LocalOptions,
    data: &Path,
    place: &Place,
    remote: &RemoteAddress,
    environment: &Environment,
) -> Result<LocalOptions, VcsError> {
    if place.url.as_str().starts_with("https://github.com/") {
        let github = GitHub::new(data, GitHubAuth::from_environment()?)?;
        return Ok(options.with_provider(Arc::new(github)));
    }
    let mut git = GitRemote::new(data, place.url.clone(), remote.clone());
    let mut options = options;
    if let Some(token) = &environment.git_token {
        let credentials = GitCredentials::token(SecretString::from(token.expose()));
        git = git.with_credentials(Arc::new(credentials));
        options = options.with_secret("git token", token.clone());
    }
    let git: Arc<dyn VcsProvider> = Arc::new(git);
    Ok(options.with_provider(git))
}
