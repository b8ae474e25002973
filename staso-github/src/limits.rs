//! Upper bounds for work with repositories.

use std::time::Duration;

/// How much of a repository is read, written and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GitLimits {
    /// Files and directories of one checkout. Default 200,000.
    pub checkout_entries: usize,
    /// Bytes of one checkout. Default 2 GiB.
    pub checkout_bytes: u64,
    /// Bytes of one file of a checkout. Default 256 MiB.
    pub file_bytes: u64,
    /// Bytes that all kept checkouts and all kept repositories together take of the disk, each file, link and directory
    /// counted in blocks of 4 KiB and one more. The ones unused for longest go first; those in use never, and neither do
    /// repositories with the record of a proposal, which are as many as the host serves by git alone. Checked whenever a
    /// checkout is made or something was fetched. Default 10 GiB.
    pub cache_bytes: u64,
    /// Bytes of what is kept of one remote repository. When one has grown over it, it is fetched anew without what only
    /// earlier runs needed. Default 5 GiB.
    pub mirror_bytes: u64,
    /// Commits of a remote's history that are looked through for a commit. Default 1,000.
    pub history_commits: u32,
    /// Files of one proposal. Default 100.
    pub proposal_files: usize,
    /// Bytes of all new content of one proposal. Default 8 MiB.
    pub proposal_bytes: u64,
    /// Bytes of a proposal's text, and of its commit message. Default 256 KiB.
    pub text_bytes: usize,
    /// Longest time for one operation on a local repository. Default 120 s.
    pub operation: Duration,
    /// Longest time for fetching from a remote. Default 600 s.
    pub fetch: Duration,
}

impl Default for GitLimits {
    fn default() -> Self {
        Self {
            checkout_entries: 200_000,
            checkout_bytes: 2 << 30,
            file_bytes: 256 << 20,
            cache_bytes: 10 << 30,
            mirror_bytes: 5 << 30,
            history_commits: 1000,
            proposal_files: 100,
            proposal_bytes: 8 << 20,
            text_bytes: 256 << 10,
            operation: Duration::from_secs(120),
            fetch: Duration::from_secs(600),
        }
    }
}

impl GitLimits {
    /// Sets how many files and directories one checkout may have.
    #[must_use]
    pub const fn with_checkout_entries(mut self, entries: usize) -> Self {
        self.checkout_entries = entries;
        self
    }

    /// Sets how many bytes one checkout may have.
    #[must_use]
    pub const fn with_checkout_bytes(mut self, bytes: u64) -> Self {
        self.checkout_bytes = bytes;
        self
    }

    /// Sets how many bytes one file of a checkout may have.
    #[must_use]
    pub const fn with_file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes;
        self
    }

    /// Sets how many bytes of checkouts and repositories are kept.
    #[must_use]
    pub const fn with_cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets how many bytes one mirror may have.
    #[must_use]
    pub const fn with_mirror_bytes(mut self, bytes: u64) -> Self {
        self.mirror_bytes = bytes;
        self
    }

    /// Sets how many commits of a remote's history are looked through for a commit.
    #[must_use]
    pub const fn with_history_commits(mut self, commits: u32) -> Self {
        self.history_commits = commits;
        self
    }

    /// Sets how many files one proposal may have.
    #[must_use]
    pub const fn with_proposal_files(mut self, files: usize) -> Self {
        self.proposal_files = files;
        self
    }

    /// Sets how many bytes the new content of one proposal may have.
    #[must_use]
    pub const fn with_proposal_bytes(mut self, bytes: u64) -> Self {
        self.proposal_bytes = bytes;
        self
    }

    /// Sets the longest time for one operation on a local repository.
    #[must_use]
    pub const fn with_operation(mut self, limit: Duration) -> Self {
        self.operation = limit;
        self
    }

    /// Sets the longest time for fetching from a remote.
    #[must_use]
    pub const fn with_fetch(mut self, limit: Duration) -> Self {
        self.fetch = limit;
        self
    }
}
