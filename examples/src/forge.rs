//! Repositories on other machines: on GitHub, or on any other git server.

use std::path::Path;
use std::sync::Arc;

use staso::heal::LocalOptions;
use staso::vcs::{
    CredentialsError, GitCredentials, GitHub, GitHubAuth, GitRemote, RemoteAddress, SecretString,
};
use staso_core::vcs::{VcsError, VcsProvider};

use crate::environment::Environment;
use crate::options::Place;

/// A server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// The credentials in the environment cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The provider cannot be set up.
    #[error(transparent)]
    Provider(#[from] VcsError),
}

/// Serves a repository at an address: on github.com as a pull request, anywhere else as a branch. Keeps commits and
/// checkouts below `data`.
///
/// # Errors
/// When credentials cannot be used, or GitHub cannot be spoken to from here.
pub fn add(
    options: LocalOptions,
    data: &Path,
    place: &Place,
    remote: &RemoteAddress,
    environment: &Environment,
) -> Result<LocalOptions, ForgeError> {
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
