//! Turns failed runs of an agent into proven fixes: four planted faults, or a trace of your own. See `--help`.

use std::process::ExitCode;

use staso_examples::environment::Environment;
use staso_examples::heal_program;

#[tokio::main]
async fn main() -> ExitCode {
    heal_program::run(std::env::args_os().skip(1), &Environment::read()).await
}
