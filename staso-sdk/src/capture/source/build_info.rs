//! The file `.staso-build-info`: JSON `{commit_sha, branch, repo_url}`, for images that are built without git.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Claim;

const FILE: &str = ".staso-build-info";
const MAX_BYTES: u64 = 64 << 10;

#[derive(Deserialize)]
struct BuildInfo {
    commit_sha: Option<String>,
    branch: Option<String>,
    repo_url: Option<String>,
}

pub(super) fn claim(directory: &Path) -> Claim {
    let path = directory.join(FILE);
    let empty = Claim { origin: FILE, ..Claim::default() };
    let Some(size) = fs::metadata(&path).ok().filter(fs::Metadata::is_file).map(|found| found.len()) else {
        return empty;
    };
    let text = if size <= MAX_BYTES { fs::read_to_string(&path).ok() } else { None };
    match text.and_then(|text| serde_json::from_str::<BuildInfo>(&text).ok()) {
        Some(BuildInfo { commit_sha, branch, repo_url }) => {
            let own = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
            Claim { commit: own(commit_sha), branch: own(branch), repository: own(repo_url), ..empty }
        }
        None => Claim { warning: Some(format!("{FILE} is not the JSON object it should be")), ..empty },
    }
}
