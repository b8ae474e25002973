//! The revision of a checkout, read from plain files as git lays them out (gitrepository-layout).

use std::fs;
use std::path::{Path, PathBuf};

const MAX_FILE_BYTES: u64 = 16 << 20;
const MAX_REF_HOPS: usize = 5;

/// The revision that a crate is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildRevision {
    /// The commit: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The branch; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// The address of the remote `origin`, without credentials.
    pub repository_url: Option<String>,
    /// The files whose change may change the revision.
    pub inputs: Vec<PathBuf>,
}

impl BuildRevision {
    /// Reads the revision of the repository that `directory` lies in; `None` without one or without a commit.
    #[must_use]
    pub fn discover(directory: &Path) -> Option<Self> {
        let git_dir = directory.ancestors().find_map(git_dir)?;
        let common = common_dir(&git_dir);
        let mut inputs = vec![git_dir.join("HEAD")];
        let mut head = read(&git_dir.join("HEAD"))?.trim().to_owned();
        let mut branch = None;
        for _ in 0..MAX_REF_HOPS {
            let Some(name) = head.strip_prefix("ref:").map(|name| name.trim().to_owned()) else { break };
            if !name.starts_with("refs/") || name.split('/').any(|part| part == "..") {
                return None;
            }
            branch = branch.or_else(|| name.strip_prefix("refs/heads/").map(str::to_owned));
            inputs.push(common.join(&name));
            inputs.push(common.join("packed-refs"));
            head = read(&common.join(&name))
                .map(|text| text.trim().to_owned())
                .or_else(|| packed_ref(&read(&common.join("packed-refs"))?, &name))?;
        }
        let is_id = matches!(head.len(), 40 | 64) && head.bytes().all(|byte| byte.is_ascii_hexdigit());
        let repository_url = read(&common.join("config")).and_then(|text| origin_url(&text));
        inputs.retain(|path| path.exists());
        is_id.then(|| Self { commit: head.to_ascii_lowercase(), branch, repository_url, inputs })
    }
}

fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len() <= MAX_FILE_BYTES;
    if is_small { fs::read_to_string(path).ok() } else { None }
}

/// `.git` itself, or where the `.git` file of a worktree or submodule points.
fn git_dir(directory: &Path) -> Option<PathBuf> {
    let dot_git = directory.join(".git");
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    let target = read(&dot_git)?;
    Some(directory.join(target.strip_prefix("gitdir:")?.trim()))
}

/// Where worktrees share references and configuration.
fn common_dir(git_dir: &Path) -> PathBuf {
    read(&git_dir.join("commondir"))
        .map_or_else(|| git_dir.to_owned(), |relative| git_dir.join(relative.trim()))
}

fn packed_ref(packed: &str, name: &str) -> Option<String> {
    packed.lines().find_map(|line| {
        let (id, found) = line.split_once(' ')?;
        (found.trim() == name).then(|| id.to_owned())
    })
}

fn origin_url(config: &str) -> Option<String> {
    let mut in_origin = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            in_origin = line == "[remote \"origin\"]";
        } else if in_origin {
            let value =
                line.split_once('=').filter(|(key, _)| key.trim() == "url").map(|(_, value)| value.trim());
            if let Some(url) = value {
                return Some(without_credentials(url));
            }
        }
    }
    None
}

/// A token in the address would otherwise end up in the binary.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_credentials() {
        let config = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = x\n[remote \"origin\"]\n\turl = https://u:ghs_secret@example.org/a/b.git\n";
        assert_eq!(origin_url(config).unwrap(), "https://example.org/a/b.git");
        assert_eq!(without_credentials("git@example.org:a/b"), "git@example.org:a/b");
    }

    #[test]
    fn packed_references_are_found_by_their_whole_name() {
        let packed = "# pack-refs with: peeled\naaaa refs/heads/main2\nbbbb refs/heads/main\n^cccc\n";
        assert_eq!(packed_ref(packed, "refs/heads/main").unwrap(), "bbbb");
        assert_eq!(packed_ref(packed, "refs/heads/other"), None);
    }
}
