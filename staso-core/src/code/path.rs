//! Paths inside a repository.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A path inside a repository, relative to its root, with `/` between the parts. It cannot leave the repository or
/// reach into git's own directory: no `..`, no absolute path, no backslash, no control character, no component that
/// any common file system reads as `.git`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RepoPath(Box<str>);

/// The text is no safe path inside a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is not a usable path inside a repository: {reason}")]
pub struct InvalidPath {
    /// What was given, cut to 256 characters.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl RepoPath {
    /// Longest accepted path, in bytes.
    pub const MAX_BYTES: usize = 4095;

    /// Checks and wraps the path.
    ///
    /// # Errors
    /// When the path could leave the repository, reach into `.git`, or is unusable on some system.
    pub fn new(path: impl AsRef<str>) -> Result<Self, InvalidPath> {
        let path = path.as_ref();
        match check(path) {
            Ok(()) => Ok(Self(path.into())),
            Err(reason) => Err(InvalidPath { path: path.chars().take(256).collect(), reason }),
        }
    }

    /// Whether the path of some tree reaches into git's own directory, by any name that some file system reads as
    /// `.git`. Such a path is no path of the repository's content.
    #[must_use]
    pub fn is_of_git(path: &str) -> bool {
        path.split('/').any(is_git_directory)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts of the path.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What follows the last dot of the file name, when something precedes the dot.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.file_name().rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.len() > RepoPath::MAX_BYTES {
        return Err("it is longer than 4095 bytes");
    }
    if path.starts_with('/') {
        return Err("it is absolute");
    }
    if matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Err("it begins with a drive of Windows");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("it holds a control character or a backslash");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("it has an empty component"),
            "." | ".." => return Err("it has a `.` or `..` component"),
            _ if part.len() > 255 => return Err("it has a component longer than 255 bytes"),
            _ if is_git_directory(part) => return Err("it reaches into git's own directory"),
            _ => {}
        }
    }
    Ok(())
}

/// Whether some file system would read the name as `.git`: other case, trailing dots and spaces, the short name of
/// NTFS, NTFS streams, and characters that HFS+ ignores (the rules of git's `core.protectNTFS` and `core.protectHFS`).
fn is_git_directory(part: &str) -> bool {
    let visible: String = part.chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
    let name =
        visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']).to_ascii_lowercase();
    name == ".git" || name == "git~1"
}

const fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoPath({:?})", &self.0)
    }
}

impl FromStr for RepoPath {
    type Err = InvalidPath;
    fn from_str(s: &str) -> Result<Self, InvalidPath> {
        Self::new(s)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = InvalidPath;
    fn try_from(value: String) -> Result<Self, InvalidPath> {
        Self::new(value)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_49_paths_that_could_escape_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/./b",
            ".git/hooks/x",
            "sub/.GIT/config",
            "git~1/x",
            ".git./x",
            ".git ::$INDEX_ALLOCATION/x",
            ".g\u{200c}it/x",
            "a\0b",
            "a\\b",
            "C:/x",
            "c:x",
            "..\\x",
            "a\nb",
        ] {
            assert!(RepoPath::new(bad).is_err(), "{bad:?}");
        }
        for of_git in [".git", "sub/.GIT/config", "git~1", "a\nb/.git/x"] {
            assert!(RepoPath::is_of_git(of_git), "{of_git:?}");
        }
        for good in ["a", "src/main.py", ".github/workflows/ci.yml", ".gitignore", "a b/ü.txt", "...x"] {
            assert!(RepoPath::new(good).is_ok() && !RepoPath::is_of_git(good), "{good:?}");
        }
    }

    #[test]
    fn extension_ignores_hidden_names() {
        assert_eq!(RepoPath::new("a/.env").unwrap().extension(), None);
        assert_eq!(RepoPath::new("a/b.tar.gz").unwrap().extension(), Some("gz"));
    }
}
