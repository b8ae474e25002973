//! Opening a repository for its objects and references alone.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use git2::{Config, ErrorCode, ObjectFormat, ObjectType, Oid, Repository};
use staso_core::id::CommitId;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use crate::error;

/// Bytes of a commit or of one directory. They are taken into memory as a whole, and a few KB can unfold to any number;
/// a directory of 200,000 files has about 10 MB.
const OBJECT_BYTES: usize = 64 << 20;

/// An open repository.
///
/// It is opened as bare, whatever it is: there is no index and no working tree to touch. Its own configuration is only
/// read for the format of the repository and then replaced by an empty one, as is the user's, so that no setting of a
/// stranger has an effect. Because nothing that the repository names is ever executed, it may belong to another user:
/// git's `safe.directory` rule guards against just that execution, and the open call used here does not apply it.
pub(crate) struct GitRepository {
    repo: Repository,
    url: RepositoryUrl,
    path: PathBuf,
}

impl GitRepository {
    /// Opens the repository at `path`: a bare one, a clone, or a linked working tree. Parents are not searched.
    pub(crate) fn open(path: &Path, url: &RepositoryUrl) -> Result<Self, VcsError> {
        let not_found = || VcsError::RepositoryNotFound { url: url.clone() };
        let path = path.canonicalize().map_err(|_| not_found())?;
        let directory = git_directory(&path).ok_or_else(not_found)?;
        let repo = Repository::open_bare(&directory).map_err(|error| match error.code() {
            ErrorCode::NotFound => not_found(),
            _ => VcsError::Unreadable { url: url.clone(), reason: format_problem(&error) },
        })?;
        if repo.object_format() != ObjectFormat::Sha1 {
            let reason = "it uses another object format than SHA-1, which is not supported yet".to_owned();
            return Err(VcsError::Unreadable { url: url.clone(), reason });
        }
        Config::new()
            .and_then(|empty| repo.set_config(&empty))
            .map_err(|error| error::backend("opening the repository", error))?;
        Ok(Self { repo, url: url.clone(), path })
    }

    /// The objects and references.
    pub(crate) const fn git(&self) -> &Repository {
        &self.repo
    }

    /// The address that errors name.
    pub(crate) const fn url(&self) -> &RepositoryUrl {
        &self.url
    }

    /// The directory that was opened, without links in it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A name that stays the same for all working trees of one repository.
    pub(crate) fn id(&self) -> String {
        format!("local:{}", self.repo.commondir().display())
    }

    /// The commit with this id.
    pub(crate) fn commit(&self, id: &CommitId) -> Result<git2::Commit<'_>, VcsError> {
        let missing = || VcsError::CommitNotFound { commit: id.clone(), url: self.url.clone() };
        let oid = Oid::from_str(id.as_str()).map_err(|_| missing())?;
        self.check_size(oid)?;
        self.repo.find_commit(oid).map_err(|error| match error.code() {
            ErrorCode::NotFound => missing(),
            _ => self.fail("reading a commit", error),
        })
    }

    /// The files of a commit. The commit itself need not be here when its tree was [kept](Self::keep_tree).
    pub(crate) fn tree(&self, id: &CommitId) -> Result<git2::Tree<'_>, VcsError> {
        match self.commit(id) {
            Ok(commit) => self.directory(commit.tree_id()),
            Err(error) => match self.kept_tree(id) {
                Some(tree) => self.directory(tree),
                None => Err(error),
            },
        }
    }

    /// One directory of a commit.
    pub(crate) fn directory(&self, oid: Oid) -> Result<git2::Tree<'_>, VcsError> {
        self.check_size(oid)?;
        self.repo.find_tree(oid).map_err(|error| self.fail("reading a tree", error))
    }

    /// An object that is not here is within the limit.
    fn check_size(&self, oid: Oid) -> Result<(), VcsError> {
        match self.repo.odb().and_then(|odb| odb.read_header(oid)) {
            Ok((size, ObjectType::Tree | ObjectType::Commit)) if size > OBJECT_BYTES => {
                Err(VcsError::TooLarge {
                    what: format!("the object {oid}"),
                    limit: format!("{OBJECT_BYTES} bytes for a commit or directory"),
                })
            }
            _ => Ok(()),
        }
    }

    fn kept_tree(&self, id: &CommitId) -> Option<Oid> {
        self.repo.find_reference(&kept_tree_name(id)).ok()?.target()
    }

    /// Notes that these are the files of a commit which itself is not here.
    #[cfg(feature = "github")]
    pub(crate) fn keep_tree(&self, id: &CommitId, tree: Oid) -> Result<(), VcsError> {
        let kept = self.repo.reference(&kept_tree_name(id), tree, true, "kept without its commit");
        kept.map(drop).map_err(|error| self.fail("keeping a tree", error))
    }

    /// The failure of `operation` on this repository.
    pub(crate) fn fail(&self, operation: &'static str, error: git2::Error) -> VcsError {
        error::git(operation, &self.url, error)
    }
}

fn kept_tree_name(id: &CommitId) -> String {
    format!("refs/staso/trees/{id}")
}

/// The id of a commit as core names it.
pub(crate) fn commit_id(oid: Oid) -> Result<CommitId, VcsError> {
    CommitId::new(oid.to_string()).map_err(|error| error::backend("naming a commit", error))
}

fn git_directory(path: &Path) -> Option<PathBuf> {
    let dot_git = path.join(".git");
    match fs::symlink_metadata(&dot_git) {
        Ok(found) if found.is_file() => linked_directory(path, &dot_git),
        Ok(found) if found.is_dir() || found.is_symlink() => Some(dot_git),
        _ => path.is_dir().then(|| path.to_owned()),
    }
}

/// A linked working tree has a file `.git` that says `gitdir: <directory>`.
fn linked_directory(path: &Path, dot_git: &Path) -> Option<PathBuf> {
    let mut text = String::new();
    fs::File::open(dot_git).ok()?.take(8192).read_to_string(&mut text).ok()?;
    Some(path.join(text.strip_prefix("gitdir:")?.trim()))
}

fn format_problem(error: &git2::Error) -> String {
    let message = error.message();
    if message.contains("object format") {
        "it uses another object format than SHA-1, which is not supported yet".to_owned()
    } else if message.contains("refstorage") {
        "it stores references as reftable, which is not supported yet; convert it with `git refs migrate --ref-format=files`"
            .to_owned()
    } else {
        message.to_owned()
    }
}
