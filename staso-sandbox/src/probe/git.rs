//! What is written for git to run.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::Verb;
use crate::file::check_may_be_spoilt;
use crate::sys::Errno;
use crate::verdict::{Attempt, argument};

pub(crate) const VERBS: &[(&str, Verb)] = &[("plant-hooks", plant_hooks), ("plant-monitor", plant_monitor)];

const DIRECTORIES: [&str; 4] = [".git", ".GIT", "src/.git", ".git "];

/// Writes hooks that make a file.
fn plant_hooks(arguments: &[String]) -> Attempt {
    check_may_be_spoilt(Path::new("."))?;
    let script = format!("#!/bin/sh\n: > '{}'\n", argument(arguments, 0)?);
    planted(|directory| {
        fs::create_dir_all(directory.join("hooks"))?;
        for hook in
            ["pre-commit", "post-commit", "post-checkout", "post-index-change", "reference-transaction"]
        {
            let path = directory.join("hooks").join(hook);
            fs::write(&path, &script)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    })
}

/// Sets a program that git asks what has changed, and makes that program make a file.
fn plant_monitor(arguments: &[String]) -> Attempt {
    check_may_be_spoilt(Path::new("."))?;
    let monitor = std::env::current_dir()?.join("probe-monitor");
    fs::write(&monitor, format!("#!/bin/sh\n: > '{}'\n", argument(arguments, 0)?))?;
    fs::set_permissions(&monitor, fs::Permissions::from_mode(0o755))?;
    planted(|directory| {
        fs::create_dir_all(directory)?;
        let mut config = fs::OpenOptions::new().append(true).create(true).open(directory.join("config"))?;
        write!(config, "\n[core]\n\tfsmonitor = {}\n", monitor.display())
    })
}

/// Plants into everything that git might take for its directory, which may be moved out of the way for it.
fn planted(plant: impl Fn(&Path) -> std::io::Result<()>) -> Attempt {
    let mut last = Errno::NOENT;
    let mut done = Vec::new();
    for directory in DIRECTORIES {
        match plant(Path::new(directory)) {
            Ok(()) => done.push(directory),
            Err(error) => last = error.into(),
        }
    }
    if done.is_empty() && fs::rename(".git", "probe-moved").and_then(|()| plant(Path::new(".git"))).is_ok() {
        done.push("another .git");
    }
    match done.is_empty() {
        true => Err(last.into()),
        false => Ok(done.join(", ")),
    }
}
