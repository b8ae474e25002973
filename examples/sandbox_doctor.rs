//! Says what sandboxes this machine can give, what is missing, and the command that mends it. See `--help`.

use std::process::ExitCode;

use staso_examples::doctor;

#[tokio::main]
async fn main() -> ExitCode {
    doctor::run(std::env::args_os().skip(1)).await
}
