//! Heals a failed run on GitHub: as an app, from its id and key in the environment to a pull request on a repository that
//! you name. `--dry-run` shows exactly what would be sent. See `--help` and `docs/github-app.md`.

use std::process::ExitCode;

use staso_examples::environment::Environment;
use staso_examples::github_program;

#[tokio::main]
async fn main() -> ExitCode {
    github_program::run(std::env::args_os().skip(1), &Environment::read()).await
}
