//! The content of a file by its id.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::target::Target;
use crate::github::client::ApiRequest;

const OPERATION: &str = "reading a file";

#[derive(Debug, Deserialize)]
struct BlobAnswer {
    content: String,
    encoding: String,
}

/// Reads a blob.
pub(super) async fn read(target: Target<'_>, id: &str, ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
    let bad = |reason: String| VcsError::BadAnswer { operation: OPERATION, reason };
    let request = ApiRequest::get(OPERATION, target.path(&format!("git/blobs/{id}")));
    let found: Option<BlobAnswer> = target.find(request, ctx).await?;
    let blob = found.ok_or_else(|| bad(format!("{id} is missing")))?;
    match blob.encoding.as_str() {
        "base64" => {
            let digits: String = blob.content.split_ascii_whitespace().collect();
            STANDARD.decode(digits).map_err(|error| bad(error.to_string()))
        }
        "utf-8" => Ok(blob.content.into_bytes()),
        other => Err(bad(format!("the encoding {other:?}"))),
    }
}
