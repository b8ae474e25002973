//! Credentials from files and from the environment.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::credentials::{AppCredentials, GitHubAuth};
use crate::environment;

const ID: &str = "GITHUB_APP_ID";
const KEY: &str = "GITHUB_APP_PRIVATE_KEY";
const KEY_PATH: &str = "GITHUB_APP_PRIVATE_KEY_PATH";
const TOKEN: &str = "GITHUB_TOKEN";

/// Credentials cannot be loaded. Messages never hold one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file with the key cannot be read.
    #[error("the key of the app cannot be read from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no file with a key.
    #[error("{} is no key of an app: {reason}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A file was to be named, and the key itself was given. It is not repeated here.
    #[error("the text of a key was given where its file is to be named")]
    NotAPath,
    /// The environment names an app, but not its key.
    #[error("{ID} is set, but neither {KEY} nor {KEY_PATH}; set one of them")]
    KeyNotSet,
}

impl AppCredentials {
    /// Longest file that a key is read from, in bytes.
    pub const MAX_KEY_BYTES: u64 = 64 << 10;

    /// The id of the app and its private key, read now from a PEM file.
    ///
    /// # Errors
    /// When the path is the text of a key, and when the file cannot be read, is no regular file, is longer than [`MAX_KEY_BYTES`](Self::MAX_KEY_BYTES) or not
    /// text. Whether the text is a key is told later, as with [`new`](Self::new).
    pub fn from_file(id: impl Into<String>, path: impl AsRef<Path>) -> Result<Self, CredentialsError> {
        let path = path.as_ref();
        if path.to_string_lossy().contains("-----BEGIN") {
            return Err(CredentialsError::NotAPath);
        }
        let unreadable = |source| CredentialsError::Unreadable { path: path.to_owned(), source };
        let not_a_key = |reason| CredentialsError::NotAKey { path: path.to_owned(), reason };
        // Looked at before it is opened: opening a pipe would wait for its writer.
        if !path.metadata().map_err(unreadable)?.is_file() {
            return Err(not_a_key("it is no regular file"));
        }
        let mut text = Zeroizing::new(String::new());
        let file = File::open(path).map_err(unreadable)?;
        match file.take(Self::MAX_KEY_BYTES + 1).read_to_string(&mut text) {
            Ok(read) if read as u64 > Self::MAX_KEY_BYTES => Err(not_a_key("it is longer than 64 KiB")),
            Ok(_) => Ok(Self::new(id, SecretString::from(text.as_str()))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(not_a_key("it is not text")),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// The app that the environment names: `GITHUB_APP_ID` with `GITHUB_APP_PRIVATE_KEY` (PEM text) or
    /// `GITHUB_APP_PRIVATE_KEY_PATH` (a PEM file). `None` when `GITHUB_APP_ID` is not set.
    ///
    /// # Errors
    /// When there is an id without a key, or the file cannot be used as in [`from_file`](Self::from_file).
    pub fn from_environment() -> Result<Option<Self>, CredentialsError> {
        Self::from_variables(environment::text)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, CredentialsError> {
        let Some(id) = variable(ID) else { return Ok(None) };
        match (variable(KEY), variable(KEY_PATH)) {
            (Some(key), _) => Ok(Some(Self::new(id, SecretString::from(key)))),
            (None, Some(path)) => Self::from_file(id, path).map(Some),
            (None, None) => Err(CredentialsError::KeyNotSet),
        }
    }
}

impl GitHubAuth {
    /// What the environment holds: an app as in [`AppCredentials::from_environment`], else the token in `GITHUB_TOKEN`,
    /// else nobody.
    ///
    /// # Errors
    /// When the environment names an app whose key cannot be loaded.
    pub fn from_environment() -> Result<Self, CredentialsError> {
        Self::from_variables(environment::text)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        if let Some(app) = AppCredentials::from_variables(&variable)? {
            return Ok(Self::App(app));
        }
        let token = variable(TOKEN).map(|token| SecretString::from(token.trim()));
        Ok(token.map_or(Self::Anonymous, Self::Token))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::credentials::AppKey;
    use super::*;

    fn loaded(variables: &[(&str, &str)]) -> Result<GitHubAuth, CredentialsError> {
        GitHubAuth::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_app_goes_before_a_token_and_a_token_before_nobody() {
        assert!(matches!(loaded(&[]).unwrap(), GitHubAuth::Anonymous));
        let GitHubAuth::Token(token) = loaded(&[(TOKEN, " ghp_canary\n")]).unwrap() else { panic!() };
        assert_eq!(token.expose_secret(), "ghp_canary");
        let app = loaded(&[(TOKEN, "ghp_canary"), (ID, "12345"), (KEY, "text"), (KEY_PATH, "/no/file")]);
        let GitHubAuth::App(AppCredentials { id, key: AppKey::Pem(key) }) = app.unwrap() else { panic!() };
        assert_eq!((id.as_str(), key.expose_secret()), ("12345", "text"));
    }

    #[test]
    fn an_app_without_a_key_is_no_reason_to_take_the_token() {
        let missing = loaded(&[(TOKEN, "ghp_canary"), (ID, "12345")]).unwrap_err();
        assert!(matches!(missing, CredentialsError::KeyNotSet));
        assert_eq!(
            missing.to_string(),
            "GITHUB_APP_ID is set, but neither GITHUB_APP_PRIVATE_KEY nor GITHUB_APP_PRIVATE_KEY_PATH; set one of them"
        );
        let unreadable = loaded(&[(ID, "12345"), (KEY_PATH, "/no/such/key.pem")]).unwrap_err();
        assert_eq!(unreadable.to_string(), "the key of the app cannot be read from /no/such/key.pem");
    }

    #[test]
    fn a_key_in_the_place_of_its_path_is_not_repeated() {
        for key in
            ["-----BEGIN RSA PRIVATE KEY-----\nMIIEcanary", "\"-----BEGIN PRIVATE KEY-----\\nMIIEcanary"]
        {
            let error = loaded(&[(ID, "12345"), (KEY_PATH, key)]).unwrap_err();
            assert!(matches!(error, CredentialsError::NotAPath), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
