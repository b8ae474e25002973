//! What is known when the application is compiled.

/// Facts about the crate that calls [`init!`](macro@crate::init), fixed at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildFacts {
    /// The crate's name.
    pub package: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// The crate's directory on the machine that built it. Never sent; it tells whether a repository found at start
    /// is the one the program came from.
    pub manifest_dir: &'static str,
    /// The commit.
    pub commit: Option<&'static str>,
    /// The branch.
    pub branch: Option<&'static str>,
    /// The repository.
    pub repository_url: Option<&'static str>,
}

impl BuildFacts {
    /// Facts without a revision.
    #[must_use]
    pub const fn new(package: &'static str, version: &'static str, manifest_dir: &'static str) -> Self {
        Self { package, version, manifest_dir, commit: None, branch: None, repository_url: None }
    }

    /// Adds the revision, as far as it is known.
    #[must_use]
    pub const fn with_revision(
        mut self,
        commit: Option<&'static str>,
        branch: Option<&'static str>,
        repository_url: Option<&'static str>,
    ) -> Self {
        self.commit = commit;
        self.branch = branch;
        self.repository_url = repository_url;
        self
    }
}
