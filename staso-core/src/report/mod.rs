//! Texts made from an artifact: the diagnosis card for terminals and the text of the pull request.
//!
//! Everything that came from a trace, a repository or a model passes through [`neutralise`] on its way into a text.
//! Nothing here decides anything: the words follow from the artifact alone, so the same artifact gives the same text.

mod card;
mod folded;
mod layout;
mod markdown;
pub mod neutralise;
mod place;
mod proof;
mod pull_request;
mod wording;

pub use card::{CardStyle, card};
pub use markdown::cut_at_line;
pub use proof::proof_table;
pub use pull_request::{MAX_BODY_BYTES, MAX_TITLE_CHARS, PullRequestOptions, PullRequestText, pull_request};
