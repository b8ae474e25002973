//! The command line of `heal`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt as _};
use staso::vcs::{RemoteAddress, RemoteAddressError};
use staso_core::heal::{StoppingPoint, UnknownStoppingPoint};
use staso_core::trace::{RepositoryUrl, RepositoryUrlError};

use crate::scenario::{DEFAULTS, HARD, Scenario, find};
use crate::variants::VARIANTS;

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The text of [`usage`].
    Help,
    /// The names of the default scenarios, with what each plants.
    List,
    /// Heal something.
    Heal(Options),
}

/// How to heal, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What to heal.
    pub work: Work,
    /// Whether artifacts alone are printed, as JSON.
    pub json: bool,
    /// Where everything is kept; `None` makes a new directory in the system's one for temporary files.
    pub data: Option<PathBuf>,
    /// Longest time for one run of the project's tests; `None` takes that of the policy.
    pub test_timeout: Option<Duration>,
    /// Whether requests to a model are shown instead of sent.
    pub preview_model: bool,
    /// Whether sandboxes are switched off, so that no code is investigated, changed or run.
    pub no_sandbox: bool,
}

/// What to heal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Faults planted in the support agent.
    Demo(Vec<&'static Scenario>),
    /// The failed runs in a file.
    Own(OwnWork),
}

/// A failed run of the user's own program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWork {
    /// The file with the trace; `-` is standard input.
    pub trace: PathBuf,
    /// The repository that ran; `None` takes the one that the trace names.
    pub repository: Option<Place>,
    /// How far to go.
    pub until: StoppingPoint,
    /// The project's test command; `None` finds it in the repository.
    pub test_command: Option<String>,
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address that runs record.
    pub url: RepositoryUrl,
    /// How it is reached over the network; `None` for a directory of this machine.
    pub remote: Option<RemoteAddress>,
}

/// The command line cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// An option is unknown, or lacks its value.
    #[error(transparent)]
    Option(#[from] lexopt::Error),
    /// There is no such scenario.
    #[error("there is no scenario {name:?}; --list names them")]
    Scenario {
        /// What was given.
        name: String,
    },
    /// There is no such stopping point.
    #[error(transparent)]
    StoppingPoint(#[from] UnknownStoppingPoint),
    /// The repository is neither a directory nor an address.
    #[error("--repo {given:?} is no directory and no address")]
    Repository {
        /// What was given.
        given: String,
        /// Why it is no address.
        #[source]
        source: RepositoryUrlError,
    },
    /// The address of the repository cannot be asked.
    #[error("--repo {given:?} cannot be reached safely")]
    Remote {
        /// What was given.
        given: String,
        /// Why not.
        #[source]
        source: RemoteAddressError,
    },
    /// The number of seconds is none.
    #[error("--test-timeout {given:?} is no number of seconds from 1 to 3600")]
    Seconds {
        /// What was given.
        given: String,
    },
    /// Two options exclude each other, or one needs another.
    #[error("{0}")]
    Combination(&'static str),
}

#[derive(Debug, Default)]
struct Given {
    scenarios: Vec<&'static Scenario>,
    trace: Option<PathBuf>,
    repository: Option<Place>,
    until: Option<StoppingPoint>,
    test_command: Option<String>,
    json: bool,
    data: Option<PathBuf>,
    test_timeout: Option<Duration>,
    preview_model: bool,
    no_sandbox: bool,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// When they cannot be understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut given = Given::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("list") => return Ok(Command::List),
            Arg::Long("json") => given.json = true,
            Arg::Long("scenario") => given.scenarios.push(scenario(&parser.value()?.string()?)?),
            Arg::Long("trace") => given.trace = Some(parser.value()?.into()),
            Arg::Long("repo") => given.repository = Some(repository(&parser.value()?.string()?)?),
            Arg::Long("until") => given.until = Some(parser.value()?.string()?.parse()?),
            Arg::Long("test") => given.test_command = Some(parser.value()?.string()?),
            Arg::Long("test-timeout") => given.test_timeout = Some(seconds(&parser.value()?.string()?)?),
            Arg::Long("preview-model") => given.preview_model = true,
            Arg::Long("no-sandbox") => given.no_sandbox = true,
            Arg::Long("data") => given.data = Some(parser.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let work = work(&mut given)?;
    let Given { json, data, test_timeout, preview_model, no_sandbox, .. } = given;
    if json && preview_model {
        return Err(UsageError::Combination("--json and --preview-model exclude each other"));
    }
    Ok(Command::Heal(Options { work, json, data, test_timeout, preview_model, no_sandbox }))
}

fn work(given: &mut Given) -> Result<Work, UsageError> {
    let Some(trace) = given.trace.take() else {
        if given.repository.is_some() || given.until.is_some() || given.test_command.is_some() {
            return Err(UsageError::Combination("--repo, --until and --test need --trace FILE"));
        }
        let chosen = std::mem::take(&mut given.scenarios);
        return Ok(Work::Demo(if chosen.is_empty() { DEFAULTS.iter().collect() } else { chosen }));
    };
    if !given.scenarios.is_empty() {
        return Err(UsageError::Combination("--scenario and --trace exclude each other"));
    }
    Ok(Work::Own(OwnWork {
        trace,
        repository: given.repository.take(),
        until: given.until.unwrap_or(StoppingPoint::Publish),
        test_command: given.test_command.take(),
    }))
}

fn scenario(name: &str) -> Result<&'static Scenario, UsageError> {
    find(name).ok_or_else(|| UsageError::Scenario { name: name.to_owned() })
}

fn seconds(given: &str) -> Result<Duration, UsageError> {
    let seconds = given.parse().ok().filter(|seconds| (1..=3_600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| UsageError::Seconds { given: given.to_owned() })
}

/// A directory that exists, else an address.
///
/// # Errors
/// When it is neither, or an address that requests must not go to.
pub fn repository(given: &str) -> Result<Place, UsageError> {
    // What stands before an @ may be a password.
    let shown = given.rsplit('@').next().unwrap_or_default().to_owned();
    let refused = |source| UsageError::Repository { given: shown.clone(), source };
    if let Ok(directory) = std::fs::canonicalize(given) {
        let url = RepositoryUrl::from_local_path(&directory.to_string_lossy()).map_err(&refused)?;
        return Ok(Place { url, remote: None });
    }
    let url: RepositoryUrl = given.parse().map_err(&refused)?;
    if url.local_path().is_some() {
        return Ok(Place { url, remote: None });
    }
    // The address as given keeps the port and the `.git` that a server may insist on; ssh is asked over https.
    let address = if given.starts_with("http") { given } else { url.as_str() };
    let remote = address.parse().map_err(|source| UsageError::Remote { given: shown, source })?;
    Ok(Place { url, remote: Some(remote) })
}

/// What `heal --help` prints.
#[must_use]
pub fn usage() -> String {
    let names = |scenarios: &[Scenario]| {
        scenarios.iter().map(|scenario| format!("      {}\n", scenario.name)).collect::<String>()
    };
    format!(
        "\
Turns failed runs of an agent into proven fixes.

heal [--scenario NAME]... [--json] [--data DIR] [--test-timeout SECONDS] [--preview-model] [--no-sandbox]
    Plants faults in a support agent, runs it, and heals what fails. All default scenarios when none is named.
heal --trace FILE [--repo PATH-or-URL] [--until diagnose|propose|verify|publish] [--test CMD] [--json] [--data DIR]
     [--test-timeout SECONDS] [--preview-model] [--no-sandbox]
    Heals the failed runs in FILE (staso ingest format or OTLP JSON; - is standard input) at the repository's commit.
    examples/record.py FILE COMMAND... writes such a file of a program that records with a staso SDK.
    Goes as far as `publish` by default: a new branch fix/staso-... and nothing else; --until verify writes nothing.
heal --list | --help

A repository at an address is fetched and pushed to with STASO_GIT_TOKEN, for GitHub with GITHUB_TOKEN or, as an app, with
GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY_PATH; GitHub gets a pull request, any other server a branch.

A model is asked when STASO_MODEL names one (e.g. anthropic/claude-sonnet-4-5, with ANTHROPIC_API_KEY) and the rules are
not sure; without one nothing leaves this machine.

--preview-model shows what a model would be sent, and sends nothing
--no-sandbox    names causes only: no code is investigated, changed or run
--json          prints artifacts alone, one a line
--test          the project's test command, for sh; by default it is found in the repository
--test-timeout  longest time for one run of the project's tests; by default 120
--data          where repositories, artifacts and caches are kept; by default a new directory that is named at the end

Exit code: 0 all healed as expected, 1 something did not heal, 2 bad usage or malformed input, 130 cancelled.

Scenarios:
{}      {} (needs a model)
More faults of the same classes:
{}",
        names(DEFAULTS),
        HARD.name,
        names(VARIANTS)
    )
}

/// What `heal --list` prints.
#[must_use]
pub fn list() -> String {
    let line = |scenario: &Scenario| format!("{:<8}  {}\n", scenario.name, scenario.message);
    DEFAULTS.iter().chain([&HARD]).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn nothing_runs_the_four_default_scenarios() {
        let Ok(Command::Heal(Options { work: Work::Demo(scenarios), json: false, .. })) = parsed("") else {
            panic!("no demo");
        };
        let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["code", "prompt", "config", "outage"]);
    }

    #[test]
    fn own_work_goes_as_far_as_the_user_says() {
        let until = |line| match parsed(line) {
            Ok(Command::Heal(Options { work: Work::Own(own), .. })) => own.until,
            other => panic!("{other:?}"),
        };
        assert_eq!(until("--trace t.json --repo https://github.com/acme/agent"), StoppingPoint::Publish);
        assert_eq!(until("--trace=t.json --until diagnose"), StoppingPoint::Diagnose);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (line, expected) in [
            ("--scenario nope", "there is no scenario \"nope\""),
            ("--until never --trace t", "no stopping point"),
            ("--repo . ", "need --trace"),
            ("--trace t --scenario code", "exclude each other"),
            ("--trace t --repo nowhere", "is no directory and no address"),
            ("--trace t --repo http://forge.example.com/a/b", "cannot be reached safely"),
            ("--trace t --repo https://me:secret@forge.example.com/a/b", "cannot be reached safely"),
            ("--test-timeout 0", "no number of seconds from 1 to 3600"),
            ("--trace", "missing argument"),
            ("--force", "invalid option '--force'"),
            ("file", "unexpected argument"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn help_names_the_variants_and_list_does_not() {
        assert!(usage().contains("variant-comparison") && usage().contains("      outage\n"));
        assert_eq!(list().lines().count(), DEFAULTS.len() + 1, "the hard one too");
    }
}
