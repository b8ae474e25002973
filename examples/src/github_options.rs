//! The command line of `github_app`.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};
use staso::vcs::{CommitMode, GitHubEndpoints, RemoteAddressError};
use staso_core::trace::{RepositoryUrl, RepositoryUrlError};

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The text of [`USAGE`].
    Help,
    /// Look at a repository, or heal a run of it.
    Work(Options),
}

/// What to look at, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `OWNER/NAME`.
    pub repository: String,
    /// Which GitHub.
    pub endpoints: GitHubEndpoints,
    /// The file with the failed runs; without one, access is looked at and nothing else is done.
    pub trace: Option<PathBuf>,
    /// Whether requests that change something are shown instead of sent.
    pub dry_run: bool,
    /// How the commit is made.
    pub commit_mode: CommitMode,
    /// Labels of the pull request.
    pub labels: Vec<String>,
    /// The project's test command; `None` finds it in the repository.
    pub test_command: Option<String>,
    /// Whether artifacts alone are printed, as JSON.
    pub json: bool,
    /// Where everything is kept; `None` makes a new directory.
    pub data: Option<PathBuf>,
}

impl Options {
    /// The address of the repository, as runs record it.
    ///
    /// # Errors
    /// When the name is none.
    pub fn url(&self) -> Result<RepositoryUrl, RepositoryUrlError> {
        format!("{}/{}", self.endpoints.git, self.repository).parse()
    }
}

/// The command line cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// An option is unknown, or lacks its value.
    #[error(transparent)]
    Option(#[from] lexopt::Error),
    /// No repository is named, or not like one.
    #[error("name the repository: --repo OWNER/NAME")]
    Repository,
    /// The address of an API is none.
    #[error("--api and --git need an address each")]
    Address(#[from] RemoteAddressError),
    /// Two options exclude each other, or one needs another.
    #[error("{0}")]
    Combination(&'static str),
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// When they cannot be understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options {
        repository: String::new(),
        endpoints: GitHubEndpoints::github_com()?,
        trace: None,
        dry_run: false,
        commit_mode: CommitMode::default(),
        labels: Vec::new(),
        test_command: None,
        json: false,
        data: None,
    };
    let (mut host, mut api, mut git) = (None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("repo") => options.repository = parser.value()?.string()?,
            Arg::Long("host") => host = Some(parser.value()?.string()?),
            Arg::Long("api") => api = Some(parser.value()?.string()?),
            Arg::Long("git") => git = Some(parser.value()?.string()?),
            Arg::Long("trace") => options.trace = Some(parser.value()?.into()),
            Arg::Long("dry-run") => options.dry_run = true,
            Arg::Long("commit-by-api") => options.commit_mode = CommitMode::Api,
            Arg::Long("label") => options.labels.push(parser.value()?.string()?),
            Arg::Long("test") => options.test_command = Some(parser.value()?.string()?),
            Arg::Long("json") => options.json = true,
            Arg::Long("data") => options.data = Some(parser.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    options.endpoints = match (host, api, git) {
        (None, None, None) => options.endpoints,
        (Some(host), None, None) => GitHubEndpoints::enterprise(&host)?,
        (None, Some(api), Some(git)) => GitHubEndpoints::new(&api, &format!("{api}/graphql"), &git)?,
        _ => return Err(UsageError::Combination("give --host alone, or --api with --git")),
    };
    let parts: Vec<&str> = options.repository.split('/').collect();
    if !matches!(parts[..], [owner, name] if !owner.is_empty() && !name.is_empty()) {
        return Err(UsageError::Repository);
    }
    if options.trace.is_none() && (options.test_command.is_some() || options.json) {
        return Err(UsageError::Combination("--test and --json need --trace FILE"));
    }
    if options.json && options.dry_run {
        return Err(UsageError::Combination("--json and --dry-run exclude each other"));
    }
    Ok(Command::Work(options))
}

/// What `github_app --help` prints.
pub const USAGE: &str = "\
Heals a failed run on GitHub, up to a draft pull request.

github_app --repo OWNER/NAME [--host HOST | --api URL --git URL]
    Says whether the repository can be read and proposed to, and what is missing. Changes nothing.
github_app --repo OWNER/NAME --trace FILE [--dry-run] [--commit-by-api] [--label NAME]... [--test CMD] [--json]
           [--data DIR] [--host HOST | --api URL --git URL]
    Heals the failed runs in FILE (staso ingest format or OTLP JSON; - is standard input) and opens a pull request.

Who asks: GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY or GITHUB_APP_PRIVATE_KEY_PATH; else GITHUB_TOKEN; else nobody, who can
only read what is public. docs/github-app.md says how to make an app.

--dry-run        shows the branch, the commit and the requests that would be sent, and sends nothing that changes anything
--commit-by-api  lets GitHub make and sign the commit, instead of pushing it
--host           a GitHub Enterprise Server; --api and --git name its addresses one by one
--test           the project's test command, for sh; by default it is found in the repository
--data           where commits, artifacts and caches are kept; by default a new directory that is named at the end

Exit code: 0 healed or ready, 1 not, 2 bad usage or malformed input, 130 cancelled.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_repository_is_enough() {
        let Ok(Command::Work(options)) = parsed("--repo acme/support") else { panic!("no work") };
        assert_eq!(options.url().unwrap().as_str(), "https://github.com/acme/support");
        let Ok(Command::Work(options)) = parsed("--repo acme/support --host ghe.acme.com --dry-run") else {
            panic!("no work")
        };
        assert_eq!(options.endpoints.api.as_str(), "https://ghe.acme.com/api/v3");
        assert!(options.dry_run);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (line, expected) in [
            ("", "--repo OWNER/NAME"),
            ("--repo support", "--repo OWNER/NAME"),
            ("--repo a/b/c", "--repo OWNER/NAME"),
            ("--repo a/b --api http://api.example.com --git https://example.com", "need an address"),
            ("--repo a/b --api https://api.example.com", "--api with --git"),
            ("--repo a/b --json", "need --trace"),
            ("--repo a/b --force", "invalid option '--force'"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
