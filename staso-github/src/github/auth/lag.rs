//! Permissions reach the parts of GitHub later than the token that has them.

use std::time::Duration;

use crate::github::api::message;
use crate::github::client::ApiAnswer;

/// How long that may take after a token was made.
pub(crate) const FRESH: Duration = Duration::from_secs(5);

/// What is waited before a request is sent again, one after the other.
pub(crate) const WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3)];

/// Whether a refusal may be of a part that does not know the token yet. Other 403 are about something else, and 404 is
/// too common an answer to wait for it.
pub(crate) fn is_possible(answer: &ApiAnswer) -> bool {
    let inaccessible = || {
        let said = message(answer).to_ascii_lowercase();
        said.contains("resource not accessible") || said.contains("not found")
    };
    answer.status == 401 || (answer.status == 403 && inaccessible())
}
