//! The program `github_app`: from an app's id and key to a pull request.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use staso::heal::{RandomRunIds, SystemClock};
use staso::vcs::{GitHub, GitHubAuth, GitHubOptions};
use staso_core::heal::{HealPolicy, RunIds as _, StoppingPoint};
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError, VcsProvider};

use crate::environment::Environment;
use crate::github_options::{self, Command, Options};
use crate::heal_program::{Failure, UNHEALED, USAGE, directory, exit_code, print, work};
use crate::options::{OwnWork, Place, Work};
use crate::station;

/// Runs the program. `arguments` come without its name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let ended = match github_options::parse(arguments) {
        Ok(Command::Help) => print(github_options::USAGE),
        Ok(Command::Work(options)) => serve(&options, environment).await,
        Err(error) => Err((error.into(), USAGE)),
    };
    exit_code(ended)
}

async fn serve(options: &Options, environment: &Environment) -> Result<u8, Failure> {
    let directory = directory(options.data.as_deref())?;
    let github = github(options, &station::data(&directory).join("github"))?;
    match &options.trace {
        None => look(options, &github).await,
        Some(trace) => {
            let url = options.url().map_err(|error| (error.into(), USAGE))?;
            let own = OwnWork {
                trace: trace.clone(),
                repository: Some(Place { url: url.clone(), remote: None }),
                until: StoppingPoint::Publish,
                test_command: options.test_command.clone(),
            };
            let mut policy = HealPolicy::default();
            if options.endpoints.host() != "github.com" {
                policy = policy.with_forge_host(options.endpoints.host());
            }
            let setup = station::options(&directory, Some(&url), policy).with_provider(Arc::new(github));
            let note = if options.dry_run { "dry run: nothing is changed on GitHub" } else { "" };
            work(&Work::Own(own), options.json, note, setup, &directory, environment).await
        }
    }
}

fn github(options: &Options, data: &std::path::Path) -> Result<GitHub, Failure> {
    let auth = GitHubAuth::from_environment().map_err(|error| (error.into(), USAGE))?;
    let choices = GitHubOptions::default().with_commit_mode(options.commit_mode).with_labels(&options.labels);
    let mut github = GitHub::new(data, auth)
        .and_then(|github| github.with_endpoints(options.endpoints.clone()))
        .map_err(|error| (error.into(), UNHEALED))?
        .with_options(choices);
    if options.dry_run {
        github = github.with_dry_run(|preview| {
            // The text is for the terminal; a closed one ends the run elsewhere.
            drop(print(&format!("\n{preview}\n")));
        });
    }
    Ok(github)
}

/// Says what can be done with the repository.
async fn look(options: &Options, github: &GitHub) -> Result<u8, Failure> {
    let url = options.url().map_err(|error| (error.into(), USAGE))?;
    let ctx = RunContext::new(RandomRunIds.next(), Arc::new(SystemClock::default()));
    let failed = |error: VcsError| -> Failure { (error.into(), UNHEALED) };
    let repository = github.repository(&url, &ctx).await.map_err(failed)?;
    let mut report =
        format!("repository      {}\ndefault branch  {}\n", repository.url, repository.default_branch);
    let mut code = 0;
    for (what, access) in [("read", Access::Read), ("propose", Access::Propose)] {
        let answer = github.preflight(&repository, access, &ctx).await;
        code = if answer.is_ok() { code } else { UNHEALED };
        let answer = answer.map_or_else(|error| format!("no: {error}"), |()| "yes".to_owned());
        writeln!(report, "{what:<15} {answer}").map_err(|error| -> Failure { (error.into(), UNHEALED) })?;
    }
    print(&report)?;
    Ok(code)
}
