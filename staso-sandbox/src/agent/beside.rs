//! The first two lives where there are no namespaces: a session beside the other processes of the host.
//!
//! The checkout is copied into a directory of the session's own, and the helper gives up what it has of root. Nothing is
//! hidden; what commands are kept from is in `rules` and `filter`.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::copy;
use crate::jail::Jail;
use crate::keeper;
use crate::launch::{Failure, SOCKET, Step as _, report};
use crate::root::{Session, c_path, open_dir};
use crate::rules::{self, ABI_WITH_SCOPES};
use crate::serve::{self, Files, Service};
use crate::sys;
use crate::wire::{Configuration, tier};

/// How long the helper's own child goes after what commands left.
const CHASE: Duration = Duration::from_secs(1);

const WITHOUT_NAMESPACES: [&str; 6] = [
    "whether a file of the host is there, its size and its times can be asked for, but not its content",
    "commands have no network at all: no loopback interface and no sockets but connected pairs",
    "commands cannot read /proc, and cannot write /tmp or /dev/shm: TMPDIR is the session's own",
    "disk is bounded for each file; all together are counted now and then, without what was deleted or closed \
     off while it was open, and commands that wrote more are killed",
    "the checkout is not at /workspace, and each session copies it",
    "message queues, semaphores and shared memory of System V and POSIX are denied",
];
const WITHOUT_COUNT: &str = "the kernel counts all processes of the session's user: each command may have its number beside those \
                             that are there when it starts";
const WITHOUT_SCOPES: &str = "commands can signal other processes of their user, and a daemon that forks quickly may \
                              outlive its command: this kernel's Landlock has no scopes (version 6, Linux 6.12)";
const WITHOUT_MOVES: &str =
    "files cannot be moved from one directory to another: this kernel's Landlock is of version 1";
const WITHOUT_TRUNCATE: &str = "files of the session's user can be emptied: this kernel's Landlock cannot deny that (version 3, Linux 6.2)";
const PLAIN: [&str; 3] = [
    "nothing of the host is out of reach: files, network and processes are those of the session's user",
    "disk is bounded for each file; all together are counted now and then, without what was deleted or closed \
     off while it was open, and commands that wrote more are killed",
    "a daemon that forks quickly may outlive its command",
];

/// The directories of a session.
struct Place {
    root: PathBuf,
    workspace: PathBuf,
}

/// Builds a session; gives the number of the process that serves it.
pub(crate) fn start(configuration: &Configuration, host: OwnedFd) -> Result<i32, Failure> {
    let owner = configuration.privileged.then_some((configuration.host_uid, configuration.host_gid));
    let place = place(configuration, owner)?;
    let session = session(configuration, &place, owner)?;
    // Until here nobody else could get in, not even those who run as the session's user already.
    give(&place.root, owner)?;
    let jail = jail(configuration, &place)?;
    sys::adopt_orphans().step("take in orphans")?;
    let child = sys::clone(0).step("start the helper")?;
    if child == 0 {
        sys::exit(match confine(configuration, &place) {
            Ok(()) => serve::serve(Service {
                files: Files::Layers(&session),
                jail: &jail,
                replies: SOCKET,
                host: Some(host),
                missing: &missing(configuration, &jail),
                gate: None,
            }),
            Err(failure) => {
                report(&failure);
                1
            }
        });
    }
    sys::close_raw(SOCKET);
    Ok(child)
}

/// Ends whatever is left when the helper's child has ended.
pub(crate) fn end() {
    keeper::end_children(CHASE);
}

const STEP: &str = "make the session's directory";

fn place(configuration: &Configuration, owner: Option<(u32, u32)>) -> Result<Place, Failure> {
    let root = PathBuf::from(OsStr::from_bytes(&configuration.directory));
    let workspace = root.join("workspace");
    for made in ["workspace", "tmp", "tmp/home"] {
        fs::create_dir(root.join(made)).step(STEP)?;
        give(&root.join(made), owner)?;
    }
    Ok(Place { root, workspace })
}

fn give(path: &Path, owner: Option<(u32, u32)>) -> Result<(), Failure> {
    match owner {
        Some((user, group)) => chown(path, Some(user), Some(group)).step(STEP),
        None => Ok(()),
    }
}

fn session(
    configuration: &Configuration,
    place: &Place,
    owner: Option<(u32, u32)>,
) -> Result<Session, Failure> {
    const STEP: &str = "open the checkout";
    let workspace = open_dir(&place.workspace).step(STEP)?;
    let root = open_dir(&place.root).step(STEP)?;
    let lower = if configuration.checkout.is_empty() {
        let empty = place.root.join("empty");
        fs::create_dir(&empty).step(STEP)?;
        open_dir(&empty).step(STEP)?
    } else {
        open_dir(Path::new(OsStr::from_bytes(&configuration.checkout))).step(STEP)?
    };
    let copied = copy::copy(lower.as_fd(), workspace.as_fd(), root.as_fd(), owner)?;
    let upper = open_dir(&place.workspace).step(STEP)?;
    Ok(Session { workspace, upper, lower, copied: Some(copied) })
}

fn jail(configuration: &Configuration, place: &Place) -> Result<Jail, Failure> {
    const STEP: &str = "make Landlock rules";
    let path = |path: &Path| c_path(path).step(STEP);
    let rules = if configuration.tier == tier::LANDLOCK_ONLY {
        let mounts = configuration.mounts.iter().map(|(host, _)| path(Path::new(OsStr::from_bytes(host))));
        let readable = mounts.collect::<Result<Vec<CString>, _>>()?;
        let writable = [path(&place.workspace)?, path(&place.root.join("tmp"))?];
        Some(rules::alone(configuration.landlock_most, &readable, &writable).step(STEP)?)
    } else {
        None
    };
    Jail::new(configuration, path(&place.workspace)?, rules)
}

/// The second life: gives up what commands must not inherit.
fn confine(configuration: &Configuration, place: &Place) -> Result<(), Failure> {
    const STEP: &str = "become the session's user";
    if configuration.privileged {
        sys::drop_bounding_set().step("drop the bounding set")?;
        // A checkout that only root can read is compared with the copy later.
        sys::keep_capabilities().step(STEP)?;
        sys::become_user(configuration.host_uid, configuration.host_gid).step(STEP)?;
    }
    sys::keep_reading().step(STEP)?;
    sys::set_dumpable(false).step("close the helper to others")?;
    sys::die_with_parent().step("tie the helper to its parent")?;
    sys::adopt_orphans().step("take in orphans")?;
    sys::no_new_privileges().step("forbid new privileges")?;
    sys::ignore_broken_pipes(true);
    std::env::set_current_dir(&place.workspace).step("enter the session's directory")?;
    std::env::set_current_dir("/").step("enter the session's directory")
}

fn missing(configuration: &Configuration, jail: &Jail) -> Vec<Vec<u8>> {
    let mut missing: Vec<&str> = Vec::new();
    if configuration.tier == tier::LANDLOCK_ONLY {
        missing.extend(WITHOUT_NAMESPACES);
        let abi = jail.landlock_abi();
        let lacking = [(2, WITHOUT_MOVES), (3, WITHOUT_TRUNCATE), (ABI_WITH_SCOPES, WITHOUT_SCOPES)];
        missing.extend(lacking.into_iter().filter(|(needed, _)| abi < *needed).map(|(_, text)| text));
    } else {
        missing.extend(PLAIN);
    }
    if configuration.limits.pids > 0 {
        missing.push(WITHOUT_COUNT);
    }
    missing.into_iter().map(|text| text.as_bytes().to_vec()).collect()
}
