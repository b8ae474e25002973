//! The probe as a program on this machine.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::outcome::Outcome;

/// The program, built by `build.rs`; empty when it could not be built.
pub(super) const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/escape-probe"));
/// Set for every probe that runs outside; no session may show it.
pub(super) const SECRET_NAME: &str = "STASO_ESCAPE_SECRET";

/// The probe as a file of the host.
#[derive(Debug)]
pub(super) struct Probe {
    path: PathBuf,
    directory: PathBuf,
    secret: String,
}

impl Probe {
    /// Writes the program to `path`; it will run in `directory`, with `secret` in its environment.
    pub(super) fn new(path: PathBuf, directory: PathBuf, secret: String) -> io::Result<Self> {
        if PROGRAM.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the probe was not built: no linker for this target",
            ));
        }
        write_program(&path)?;
        Ok(Self { path, directory, secret })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The probe with arguments, ready to start.
    pub(super) fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env(SECRET_NAME, &self.secret)
            .stdin(Stdio::null());
        command
    }

    /// Makes an attempt outside. It ends by itself within a minute.
    pub(super) fn attempt(&self, arguments: &[String]) -> Outcome {
        outcome_of(self.command(arguments))
    }

    /// Starts a probe that waits, and waits until it says that it runs. Its standard input ends with this process.
    pub(super) fn start(&self, arguments: &[String]) -> io::Result<Resident> {
        let child = self.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut resident = Resident { child, said: String::new() };
        let output = resident.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let first = BufReader::new(output).lines().next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let said = first.strip_prefix("ready").ok_or_else(|| io::Error::other(first.clone()))?;
        resident.said = said.trim().to_owned();
        Ok(resident)
    }

    /// Kills a process of the host.
    pub(super) fn kill(&self, pid: u32) -> Outcome {
        self.attempt(&["kill".to_owned(), pid.to_string(), "9".to_owned()])
    }
}

/// Runs a probe to its end.
pub(super) fn outcome_of(mut command: Command) -> Outcome {
    match command.output() {
        Ok(output) => Outcome::of(&output.stdout, output.status.code(), output.status.signal()),
        Err(error) => Outcome::Broken(format!("the probe cannot be started: {error}")),
    }
}

/// Puts the program where everyone can run it.
pub(super) fn write_program(path: &Path) -> io::Result<()> {
    fs::write(path, PROGRAM)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// A probe that waits on the host. Dropping ends it.
#[derive(Debug)]
pub(super) struct Resident {
    child: Child,
    /// What it said when it was ready.
    pub(super) said: String,
}

impl Resident {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
