//! The support agent in a git repository of its own, with a fault planted in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::git::{Git, GitError};
use crate::scenario::{Edit, Scenario};

/// The agent as it stands in this repository.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/agents/support");

/// A bare `origin.git` and a clone `agent` of it, side by side in one directory. The last commit is the one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRepository {
    origin: PathBuf,
    clone: PathBuf,
    commit: String,
}

/// The repository could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// A git command failed.
    #[error("cannot make the demo repository")]
    Git(#[from] GitError),
    /// A file could not be read or written.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The text that an edit looks for does not stand in the file exactly once.
    #[error("{file} holds the text to replace {found} times, not once")]
    Edit {
        /// The file.
        file: &'static str,
        /// How often the text was found.
        found: usize,
    },
}

impl AgentRepository {
    /// Makes the repository in `directory`, which need not exist: the healthy agent in a first commit and, when there
    /// is a scenario, its fault in a second one.
    ///
    /// # Errors
    /// When a file cannot be written, an edit does not fit, or git fails.
    pub async fn create(
        directory: &Path,
        scenario: Option<&Scenario>,
        git: &Git,
    ) -> Result<Self, RepositoryError> {
        let (origin, clone) = (directory.join("origin.git"), directory.join("agent"));
        copy_tree(Path::new(SOURCE), &clone)?;
        let origin_name = origin.display().to_string();
        git.run(directory, &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]).await?;
        git.run(&clone, &["init", "--quiet", "--initial-branch=main"]).await?;
        git.run(&clone, &["remote", "add", "origin", &origin_name]).await?;
        commit_all(git, &clone, "Support agent 1.4.0").await?;
        if let Some(scenario) = scenario {
            plant(scenario.edits, &clone)?;
            commit_all(git, &clone, scenario.message).await?;
        }
        git.run(&clone, &["push", "--quiet", "--set-upstream", "origin", "main"]).await?;
        let commit = git.run(&clone, &["rev-parse", "HEAD"]).await?;
        Ok(Self { origin, clone, commit })
    }

    /// The bare repository that everybody pushes to.
    #[must_use]
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The working clone that the agent runs from.
    #[must_use]
    pub fn clone_directory(&self) -> &Path {
        &self.clone
    }

    /// The commit that runs.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }
}

/// Makes every edit, in order.
///
/// # Errors
/// When a file cannot be read or written, or does not hold the text of an edit exactly once.
pub fn plant(edits: &[Edit], directory: &Path) -> Result<(), RepositoryError> {
    for edit in edits {
        let path = directory.join(edit.file);
        let text = fs::read_to_string(&path).map_err(file("read", &path))?;
        let found = text.matches(edit.find).count();
        if found != 1 {
            return Err(RepositoryError::Edit { file: edit.file, found });
        }
        fs::write(&path, text.replace(edit.find, edit.replace)).map_err(file("write", &path))?;
    }
    Ok(())
}

async fn commit_all(git: &Git, clone: &Path, message: &str) -> Result<(), GitError> {
    git.run(clone, &["add", "--all"]).await?;
    git.run(clone, &["commit", "--quiet", "--message", message]).await?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), RepositoryError> {
    fs::create_dir_all(to).map_err(file("create", to))?;
    for entry in fs::read_dir(from).map_err(file("read", from))? {
        let entry = entry.map_err(file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type().map_err(file("read", &source))?.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(file("copy", &source))?;
        }
    }
    Ok(())
}

fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RepositoryError {
    let path = path.to_owned();
    move |source| RepositoryError::File { operation, path, source }
}
