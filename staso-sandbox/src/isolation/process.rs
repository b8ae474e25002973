//! The helper as a child process of the host, and its end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::cgroup::{Cgroups, sweep_once};
use super::directory::SessionDirectory;
use super::helper::{Executable, ended_within};

/// How long the helper may take to end by itself after its socket was closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running helper. Dropping it waits for its end on a thread of its own, kills it if need be, and removes its control
/// groups and its directory. Close the socket first: that is what tells the helper to end.
#[derive(Debug)]
pub(super) struct HelperProcess {
    child: Option<Child>,
    cgroups: Option<Cgroups>,
    directory: Option<SessionDirectory>,
    gone: watch::Sender<bool>,
}

impl HelperProcess {
    /// Starts the helper and gives the host's end of the socket.
    ///
    /// Nothing runs between fork and exec, so that the standard library can start the process without copying the host's
    /// page tables: the time does not grow with the host's memory.
    pub(super) fn start(directory: Option<SessionDirectory>) -> io::Result<(Self, UnixStream)> {
        let executable = Executable::new()?;
        let (helper, host) = match spawn(&executable) {
            // Memory that may not be executed shows only here.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !executable.is_on_disk() => {
                spawn(&Executable::on_disk()?)?
            }
            other => other?,
        };
        host.set_nonblocking(true)?;
        let (gone, _) = watch::channel(false);
        Ok((Self { child: Some(helper), cgroups: None, directory, gone }, host))
    }

    /// Removes the control groups after the helper's end.
    pub(super) fn outlive(&mut self, cgroups: Cgroups) {
        self.cgroups = Some(cgroups);
    }

    /// Turns true when nothing of the helper is left.
    pub(super) fn gone(&self) -> watch::Receiver<bool> {
        self.gone.subscribe()
    }
}

fn spawn(executable: &Executable) -> io::Result<(Child, UnixStream)> {
    let (host, helper) = UnixStream::pair()?;
    let child = Command::new(executable.path())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(helper)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((child, host))
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let (cgroups, directory) = (self.cgroups.take(), self.directory.take());
        let mut end = End { child, cgroups, directory, gone: self.gone.clone() };
        let started = thread::Builder::new().name("staso-sandbox-end".to_owned()).stack_size(64 << 10);
        // Without a thread the end of this function kills the helper and leaves the rest to the next start.
        drop(started.spawn(move || end.wait()));
    }
}

struct End {
    child: Child,
    cgroups: Option<Cgroups>,
    directory: Option<SessionDirectory>,
    gone: watch::Sender<bool>,
}

impl End {
    fn wait(&mut self) {
        // A host without a free descriptor cannot wait with a limit: it kills at once.
        drop(ended_within(self.child.id(), PATIENCE));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A host that ignores its children, or reaps them elsewhere, has none to kill: the number may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        // Once nothing runs any more nothing is written.
        drop(self.cgroups.take());
        drop(self.directory.take());
        self.gone.send_replace(true);
        sweep_once();
    }
}
