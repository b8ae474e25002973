//! Who asks: an app on behalf of an installation, or a personal token.

mod credentials;

pub use credentials::{AppCredentials, GitHubAuth};
