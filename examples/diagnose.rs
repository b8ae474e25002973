//! Says why runs failed, from trace files alone. See `--help`.

use std::process::ExitCode;

use staso_examples::diagnose_program;
use staso_examples::environment::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    diagnose_program::run(std::env::args_os().skip(1), &Environment::read()).await
}
