//! A bare copy of a remote repository, brought up to date with the git program.
//!
//! Branches of the remote are copied by name. `fix/staso-…` branches are ours: they are neither fetched nor pruned.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};
use staso_core::id::{BranchName, CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::checkout::remove_tree;
use super::data::{self, Hold};
use super::transport::{self, GitAnswer, GitCall};
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::{blocking, error};

/// Files of packs and their indexes after which they are made one.
const MAX_PACK_FILES: usize = 60;

/// A mirror below the data directory.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    data: PathBuf,
    directory: PathBuf,
    remote: RepositoryUrl,
    limits: GitLimits,
}

/// While it lives, no other run fetches into the mirror or publishes in it.
#[derive(Debug)]
pub(crate) struct MirrorLock {
    _file: File,
}

impl Mirror {
    pub(crate) fn new(data: &Path, remote: RepositoryUrl, limits: GitLimits) -> Self {
        let digest = Digest::of(remote.as_str());
        let name = format!("{}.git", digest.hex().get(..32).unwrap_or_default());
        Self { data: data.to_owned(), directory: data.join("mirrors").join(name), remote, limits }
    }

    /// Where the bare repository stands.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it was ever fetched.
    pub(crate) fn exists(&self) -> bool {
        self.directory.join("fetched").exists()
    }

    /// Fetches all branches.
    pub(crate) async fn update(&self, ctx: &RunContext) -> Result<MirrorLock, VcsError> {
        let lock = self.lock(ctx).await?;
        let answer = self.git(&["ls-remote", "--symref", "--", self.remote.as_str(), "HEAD"], ctx).await?;
        self.accept(&answer)?;
        let default = default_branch(&answer.output);
        let fetch = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--prune",
            "--force",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--",
            self.remote.as_str(),
            "+refs/heads/*:refs/heads/*",
            "^refs/heads/fix/staso-*",
        ];
        self.accept(&self.git(&fetch, ctx).await?)?;
        self.repack(ctx).await?;
        let mirror = self.clone();
        blocking::run(ctx, "updating a mirror", self.limits.operation, move |_| mirror.finish(default))
            .await?;
        Ok(lock)
    }

    /// Fetches a commit that no branch holds any more; servers may refuse.
    pub(crate) async fn fetch_commit(&self, commit: &CommitId, ctx: &RunContext) -> Result<(), VcsError> {
        let _lock = self.lock(ctx).await?;
        let refspec = format!("{commit}:refs/staso/commits/{commit}");
        let fetch =
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", self.remote.as_str(), &refspec];
        if self.git(&fetch, ctx).await?.success {
            Ok(())
        } else {
            Err(VcsError::CommitNotFound { commit: commit.clone(), url: self.remote.clone() })
        }
    }

    /// While it lives, no pack of the mirror is replaced.
    pub(crate) fn read_lock(&self, stop: &Stop) -> Result<File, VcsError> {
        data::lock(&self.directory.with_extension("packs"), Hold::Shared, stop)
    }

    async fn lock(&self, ctx: &RunContext) -> Result<MirrorLock, VcsError> {
        let mirror = self.clone();
        blocking::run(ctx, "waiting for another fetch", self.limits.fetch, move |stop| {
            data::make_directory(&mirror.data, "mirrors", data::PRIVATE)
                .map_err(|error| error::backend("preparing a mirror", error))?;
            let file = data::lock(&mirror.directory.with_extension("lock"), Hold::Alone, stop)?;
            mirror.prepare()?;
            Ok(MirrorLock { _file: file })
        })
        .await
    }

    /// Makes many packs one, unless someone reads them.
    async fn repack(&self, ctx: &RunContext) -> Result<(), VcsError> {
        if self.packs().count() <= MAX_PACK_FILES {
            return Ok(());
        }
        let lock = data::try_lock(&self.directory.with_extension("packs"), Hold::Alone)
            .map_err(|error| error::backend("locking a mirror", error))?;
        match lock {
            // What no branch holds any more stays: a trace may name it.
            Some(_lock) => self.accept(&self.git(&["repack", "-a", "-d", "-k", "-q"], ctx).await?),
            None => Ok(()),
        }
    }

    /// Makes the bare repository, or removes what a killed git left in it. The lock is held: nobody is at work there.
    fn prepare(&self) -> Result<(), VcsError> {
        let fail = |error: io::Error| error::backend("preparing a mirror", error);
        if self.directory.exists() {
            return remove_leftovers(&self.directory).map_err(fail);
        }
        let temporary = self.directory.with_extension("tmp");
        remove_tree(&temporary).map_err(fail)?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).mkpath(true);
        drop(
            Repository::init_opts(&temporary, &options)
                .map_err(|error| error::backend("preparing a mirror", error))?,
        );
        fs::rename(&temporary, &self.directory).map_err(fail)
    }

    fn finish(&self, default: Option<BranchName>) -> Result<(), VcsError> {
        let fail = |error: git2::Error| error::backend("updating a mirror", error);
        let repo = Repository::open_bare(&self.directory).map_err(fail)?;
        if let Some(default) = default {
            repo.set_head(&format!("refs/heads/{default}")).map_err(fail)?;
        }
        self.check_size()?;
        fs::write(self.directory.join("fetched"), [])
            .map_err(|error| error::backend("updating a mirror", error))
    }

    async fn git(&self, arguments: &[&str], ctx: &RunContext) -> Result<GitAnswer, VcsError> {
        let protocol = if self.remote.local_path().is_some() { "file" } else { "https" };
        let call = GitCall {
            operation: "fetching from a remote",
            protocol,
            arguments: arguments.to_vec(),
            limit: self.limits.fetch,
        };
        transport::run(&call, &self.directory, ctx, || self.check_size()).await
    }

    fn check_size(&self) -> Result<(), VcsError> {
        let bytes: u64 = self.packs().map(|found| found.len()).sum();
        if bytes <= self.limits.mirror_bytes {
            return Ok(());
        }
        let limit = format!("{} bytes", self.limits.mirror_bytes);
        Err(VcsError::TooLarge { what: format!("the mirror of {}", self.remote), limit })
    }

    fn packs(&self) -> impl Iterator<Item = fs::Metadata> {
        let entries = fs::read_dir(self.directory.join("objects/pack")).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.metadata().ok())
    }

    fn accept(&self, answer: &GitAnswer) -> Result<(), VcsError> {
        if answer.success {
            return Ok(());
        }
        let says = |words: &[&str]| words.iter().any(|word| answer.complaint.contains(word));
        let url = self.remote.clone();
        if says(&["could not read Username", "Authentication failed", "terminal prompts disabled"]) {
            let remedy = "it is private or does not exist; give a local clone of it".to_owned();
            Err(VcsError::PermissionDenied { operation: "read", url, remedy })
        } else if says(&["not found", "does not appear to be a git repository", "does not exist"]) {
            Err(VcsError::RepositoryNotFound { url })
        } else if says(&["unable to access", "Could not resolve host", "Connection refused"]) {
            Err(VcsError::Unreachable { url, reason: answer.complaint.clone() })
        } else {
            Err(error::backend("fetching from a remote", answer.complaint.clone()))
        }
    }
}

/// Reads `ref: refs/heads/main<TAB>HEAD`.
fn default_branch(listing: &str) -> Option<BranchName> {
    let (target, _) = listing.lines().find_map(|line| line.strip_prefix("ref: ")?.split_once('\t'))?;
    BranchName::new(target.strip_prefix("refs/heads/")?).ok()
}

/// Lock files and half-received packs.
fn remove_leftovers(directory: &Path) -> io::Result<()> {
    let mut pending = vec![directory.join("refs"), directory.join("objects/pack")];
    for name in ["HEAD.lock", "packed-refs.lock", "shallow.lock", "config.lock"] {
        remove_if_there(&directory.join(name))?;
    }
    while let Some(parent) = pending.pop() {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if name.ends_with(".lock") || name.starts_with("tmp_") {
                remove_if_there(&entry.path())?;
            }
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
