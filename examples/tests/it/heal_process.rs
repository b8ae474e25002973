//! The programs as processes of their own: this test binary starts itself again and becomes one of them.

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};

use staso_core::run::RunArtifact;
use staso_examples::environment::Environment;
use staso_examples::{diagnose_program, doctor, heal_program};
use tokio::process::Command;

/// Names the program and its arguments, as a JSON list.
const PROGRAM: &str = "STASO_EXAMPLES_PROGRAM";
/// The test that becomes the program.
const TEST: &str = "heal_process::becomes_a_program_when_asked";

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Without what the test harness prints around it.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as artifacts, one a line.
    pub(crate) fn artifacts(&self) -> Vec<RunArtifact> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) async fn heal(arguments: &[&str]) -> Ended {
    finish(command("heal", arguments)).await
}

pub(crate) async fn diagnose(arguments: &[&str]) -> Ended {
    finish(command("diagnose", arguments)).await
}

/// The program of sandboxes, started by another that changes the machine it sees, such as `unshare`.
pub(crate) async fn doctor_on(machine: &[&str], arguments: &[&str]) -> Ended {
    finish(command_on(machine, "sandbox_doctor", arguments)).await
}

/// The program, with its output piped and killed with its handle.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    command_on(&[], program, arguments)
}

fn command_on(machine: &[&str], program: &str, arguments: &[&str]) -> Command {
    let mut all = vec![program];
    all.extend(arguments);
    let own = std::env::current_exe().unwrap();
    let mut words = machine.iter().map(OsString::from).chain([own.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .args(["--exact", TEST, "--nocapture", "--quiet"])
        .env(PROGRAM, serde_json::to_string(&all).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn finish(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    Ended {
        code: output.status.code(),
        stdout: strip_harness(&stdout).to_owned(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The output without the first lines, which the test harness prints.
pub(crate) fn strip_harness(stdout: &str) -> &str {
    stdout.strip_prefix("\nrunning 1 test\n").unwrap_or(stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn becomes_a_program_when_asked() {
    #[expect(clippy::disallowed_methods, reason = "the parent test says what to become")]
    let Some(all) = std::env::var_os(PROGRAM) else {
        assert_eq!(heal(&["--list"]).await.stdout.lines().count(), 5, "the parent can start it");
        return;
    };
    let all: Vec<String> = serde_json::from_str(all.to_str().unwrap()).unwrap();
    let (program, arguments) = all.split_first().unwrap();
    let arguments = arguments.iter().map(OsString::from);
    let environment = Environment::read();
    let code = match program.as_str() {
        "heal" => heal_program::run(arguments, &environment).await,
        "sandbox_doctor" => doctor::run(arguments).await,
        _ => diagnose_program::run(arguments, &environment).await,
    };
    let code = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap();
    std::process::exit(i32::from(code));
}
