//! Who asks: an app on behalf of an installation, or a personal token.

mod app;
mod credentials;
mod identity;
mod installation;
mod jwt;
mod key;
pub(crate) mod lag;
mod load;
mod permissions;
mod recent;
mod signer;
mod single;
mod source;
mod token;

pub(crate) use app::App;
pub use credentials::{AppCredentials, GitHubAuth};
pub use load::CredentialsError;
pub(crate) use permissions::Granted;
pub use signer::JwtSigner;
pub(crate) use source::RepositoryCredentials;
pub(crate) use token::Use;

#[cfg(test)]
mod cases;
