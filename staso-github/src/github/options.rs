//! What a host can choose.

/// How the files of a repository are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CodeAccess {
    /// With git where it can be used, else through the API.
    #[default]
    Auto,
    /// With git: one fetch brings all files of a commit. A commit that the server gives out by no id comes as an archive.
    Git,
    /// Through the API, without git: the first files of a commit one by one, then all of it as an archive.
    Api,
}

/// How the commit of a proposal is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CommitMode {
    /// Here, and pushed with git; through the API where git cannot be used.
    #[default]
    Push,
    /// By GitHub, which signs it: for repositories that require signed commits.
    ///
    /// With a personal token GitHub needs a branch to make a signed commit on. For that moment there is one more,
    /// `fix/staso-…-commit-<run>-<base>`; a run that is killed in it leaves it behind, to be deleted by hand.
    Api,
}

/// Choices of the host for all repositories of one provider.
///
/// Whether a pull request is a draft is said by each change set, not here.
///
/// # Examples
/// ```
/// use staso_github::{CommitMode, GitHubOptions};
///
/// let options = GitHubOptions::default()
///     .with_commit_mode(CommitMode::Api)
///     .with_labels(["staso"])
///     .with_team_reviewers(["agents"]);
/// assert_eq!(options.labels, ["staso"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GitHubOptions {
    /// How files are read. Default [`CodeAccess::Auto`].
    pub code_access: CodeAccess,
    /// How commits are made. Default [`CommitMode::Push`].
    pub commit_mode: CommitMode,
    /// Labels of every pull request, besides those of its change set. Default none.
    pub labels: Vec<String>,
    /// Users who are asked to review every pull request. Default none.
    pub reviewers: Vec<String>,
    /// Teams of the owner, by slug, that are asked to review every pull request. Default none.
    pub team_reviewers: Vec<String>,
}

impl GitHubOptions {
    /// Sets how files are read.
    #[must_use]
    pub const fn with_code_access(mut self, access: CodeAccess) -> Self {
        self.code_access = access;
        self
    }

    /// Sets how commits are made.
    #[must_use]
    pub const fn with_commit_mode(mut self, mode: CommitMode) -> Self {
        self.commit_mode = mode;
        self
    }

    /// Sets the labels of every pull request.
    #[must_use]
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the users who are asked to review.
    #[must_use]
    pub fn with_reviewers(mut self, users: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.reviewers = users.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the teams that are asked to review, by slug.
    #[must_use]
    pub fn with_team_reviewers(mut self, teams: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.team_reviewers = teams.into_iter().map(Into::into).collect();
        self
    }
}
