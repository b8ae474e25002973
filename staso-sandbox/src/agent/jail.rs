//! What confines every command of a session, beside the session's own confinement.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::filter::{self, Audience};
use crate::launch::{Failure, Step as _};
use crate::rules::{self, Rules};
use crate::wire::{Configuration, Limits, tier};

/// The same for all commands of a session.
#[derive(Debug)]
pub(crate) struct Jail {
    /// Whether each command gets a process namespace of its own.
    pub(crate) namespaces: bool,
    /// Whether the helper is process 1 of a container, which no command outlives.
    pub(crate) contained: bool,
    /// Where the checkout is, as commands see it.
    pub(crate) workspace: CString,
    /// The session's own directory, where there are no namespaces; empty when nothing in it is to be counted.
    pub(crate) directory: PathBuf,
    /// Rules that each program puts on itself.
    pub(crate) rules: Option<Rules>,
    /// Rules that keep the signals of a command and its keeper to themselves, where there are no namespaces.
    pub(crate) scope: Option<OwnedFd>,
    /// Whose processes are counted where nothing else counts those of the session.
    counted: Option<u32>,
    limits: Limits,
    filtered: bool,
}

impl Jail {
    /// For the tier of the configuration.
    pub(crate) fn new(
        configuration: &Configuration,
        workspace: CString,
        rules: Option<Rules>,
    ) -> Result<Self, Failure> {
        let tier = configuration.tier;
        let directory = PathBuf::from(OsStr::from_bytes(&configuration.directory));
        let namespaces = tier == tier::FULL;
        let abi = rules.as_ref().map_or(0, |rules| rules.abi);
        let contained = tier == tier::CONTAINER;
        let counted =
            (!namespaces && !contained && configuration.limits.pids > 0).then_some(configuration.host_uid);
        let limits = configuration.limits.clone();
        let scope = if namespaces { None } else { rules::signals_kept(abi).step("make Landlock rules")? };
        let filtered = tier != tier::NONE;
        Ok(Self { namespaces, contained, workspace, directory, rules, scope, counted, limits, filtered })
    }

    /// Whether commands share namespaces with other processes than the session's own.
    pub(crate) const fn beside(&self) -> bool {
        !self.namespaces && !self.contained
    }

    /// What the session may write, in bytes. In a container its file system bounds that, so that more of it only means
    /// more files.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.limits.disk_bytes.saturating_mul(if self.contained { 2 } else { 1 })
    }

    /// What is to be counted, because no file system bounds all that is written.
    pub(crate) fn counted(&self) -> Option<&Path> {
        Some(self.directory.as_path()).filter(|path| !self.namespaces && !path.as_os_str().is_empty())
    }

    /// How long the host may be silent, where nothing else tells that it went.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.contained.then(|| Duration::from_millis(self.limits.silence_ms))
    }

    /// The bounds of a command that starts now.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = self.limits.clone();
        if let Some(user) = self.counted {
            limits.pids = limits.pids.saturating_add(tasks_of(user));
        }
        limits
    }

    /// The version of Landlock whose rules hold; 0 without.
    pub(crate) fn landlock_abi(&self) -> u32 {
        self.rules.as_ref().map_or(0, |rules| rules.abi)
    }

    /// The filter of commands; empty without one. `signals_kept` says what a keeper found to be so.
    pub(crate) fn filter(&self, signals_kept: bool) -> Vec<u64> {
        match (self.filtered, self.beside()) {
            (false, _) => Vec::new(),
            (true, false) => filter::program(Audience::Isolated),
            (true, true) => filter::program(Audience::Beside { signals_kept }),
        }
    }

    /// The filter of the helper itself, which all it starts keep.
    pub(crate) fn helper_filter(&self) -> Vec<u64> {
        if self.filtered { filter::program(Audience::Helper) } else { Vec::new() }
    }
}

/// Processes and threads of a user, as far as they can be seen.
fn tasks_of(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| {
        entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit)
            && entry.metadata().is_ok_and(|found| found.uid() == user)
    });
    // The number of links of the directory of a process's threads is two more than there are threads.
    own.map(|entry| {
        fs::metadata(entry.path().join("task")).map_or(1, |found| found.nlink().saturating_sub(2))
    })
    .sum()
}
