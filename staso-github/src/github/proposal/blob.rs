//! The content of a file by its id.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::{ObjectType, Oid};
use serde::Deserialize;
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::target::Target;
use crate::github::client::{ApiRequest, clean};

const OPERATION: &str = "reading a file";

#[derive(Debug, Deserialize)]
struct BlobAnswer {
    content: String,
    encoding: String,
}

/// Reads a blob, and holds it against its id: what was there before decides what a change may not publish.
pub(super) async fn read(target: Target<'_>, id: &str, ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
    let bad = |reason: String| VcsError::BadAnswer { operation: OPERATION, reason };
    let request = ApiRequest::get(OPERATION, target.path(&format!("git/blobs/{id}")));
    let found: Option<BlobAnswer> = target.find(request, ctx).await?;
    let blob = found.ok_or_else(|| bad(format!("{id} is missing")))?;
    let bytes = match blob.encoding.as_str() {
        "base64" => {
            let digits: String = blob.content.split_ascii_whitespace().collect();
            STANDARD.decode(digits).map_err(|error| bad(error.to_string()))?
        }
        "utf-8" => blob.content.into_bytes(),
        other => return Err(bad(format!("the encoding {:?}", clean(other)))),
    };
    let hashed = Oid::hash_object(ObjectType::Blob, &bytes).map_err(|error| bad(error.to_string()))?;
    if hashed.to_string() == id { Ok(bytes) } else { Err(bad(format!("the content of {id} is not its own"))) }
}
