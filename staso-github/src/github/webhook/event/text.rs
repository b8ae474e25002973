//! Bounds of what a payload may hold, and forms that several events share.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Longest name, address or title, in bytes. GitHub's own limits are far below; more is no payload of GitHub.
const MAX_SHORT_BYTES: usize = 1_024;
/// Longest body of a pull request, comment or review, in bytes: GitHub's 65,536 characters. The rest is cut off.
const MAX_LONG_BYTES: usize = 262_144;

pub(super) fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(String::deserialize(deserializer)?)
}

pub(super) fn optional_short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(bounded).transpose()
}

fn bounded<E: serde::de::Error>(text: String) -> Result<String, E> {
    if text.len() > MAX_SHORT_BYTES { Err(E::custom("a text is too long")) } else { Ok(text) }
}

/// A body; a missing one is empty.
pub(super) fn long<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    text.truncate(text.floor_char_boundary(MAX_LONG_BYTES));
    Ok(text)
}

/// The id of an object of which nothing else matters.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Identified {
        id: u64,
    }
    Ok(Option::<Identified>::deserialize(deserializer)?.map(|object| object.id))
}

/// The old value of something that was changed: `{"from": …}`.
pub(super) fn from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Changed {
        #[serde(deserialize_with = "short")]
        from: String,
    }
    Ok(Option::<Changed>::deserialize(deserializer)?.map(|change| change.from))
}

/// A commit; `None` for the zeros that mean none.
pub(super) fn commit<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<staso_core::id::CommitId>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if !text.is_empty() && text.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    staso_core::id::CommitId::new(&text).map(Some).map_err(D::Error::custom)
}
