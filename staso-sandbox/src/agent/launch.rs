//! The first life: from a plain child of the host to namespaces with process 1 in them.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::jail::Jail;
use crate::serve::{self, Files, Service};
use crate::sys::{self, Errno};
use crate::wire::{self, Configuration, Encoder, reply, request, tier};
use crate::{beside, root, rules};

/// The session's user and group, as seen inside.
pub(crate) const SESSION_ID: u32 = 1000;
/// The socket to the host.
pub(crate) const SOCKET: i32 = 0;

/// A step of the construction that the kernel refused.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: &'static str,
    pub(crate) errno: Errno,
}

/// Names the step of a failed call.
pub(crate) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Failure>;
}

impl<T, E: Into<Errno>> Step<T> for Result<T, E> {
    fn step(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure { step, errno: error.into() })
    }
}

/// Tells the host why there is no session.
pub(crate) fn report(failure: &Failure) {
    report_on(SOCKET, failure);
}

/// As [`report`], on any descriptor.
pub(crate) fn report_on(replies: i32, failure: &Failure) {
    let frame = Encoder::new(reply::FAILED, 0)
        .bytes(failure.step.as_bytes())
        .u32(u32::try_from(failure.errno.0).unwrap_or(0))
        .finish();
    // The frame fits into the empty buffer of the socket; if the host is gone, nobody listens.
    let _ = sys::write_fd(replies, &frame);
}

/// Builds the session and waits for its end.
pub(crate) fn launch() -> i32 {
    sys::close_from(3);
    sys::set_umask(0o022);
    let Some(configuration) = read_configuration() else { return 2 };
    match start(&configuration) {
        Ok(session) => {
            let _ = sys::reap(session, true);
            if configuration.tier != tier::FULL {
                beside::end();
            }
            0
        }
        Err(failure) => {
            report(&failure);
            1
        }
    }
}

fn read_configuration() -> Option<Configuration> {
    let mut buffer = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        if let Some(frame) = wire::split_frame(&buffer).ok()? {
            let alone = frame.kind == request::CONFIGURE && frame.length == buffer.len();
            return Configuration::decode(frame.body).filter(|_| alone);
        }
        match sys::read_fd(SOCKET, &mut chunk) {
            Ok(0) => return None,
            Ok(count) => buffer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// Makes the session; gives the number of the process that serves it.
fn start(configuration: &Configuration) -> Result<i32, Failure> {
    let host = sys::pidfd_open(configuration.host_pid).step("watch the host process")?;
    if u32::try_from(sys::parent()) != Ok(configuration.host_pid) {
        return Err(Failure { step: "watch the host process", errno: Errno::CHILD });
    }
    sys::new_keyring();
    if configuration.privileged {
        sys::drop_groups().step("drop the supplementary groups")?;
    }
    for cgroup in &configuration.cgroups {
        let path = std::ffi::OsString::from(String::from_utf8_lossy(cgroup).into_owned());
        std::fs::write(path, "0").step("join the control group")?;
    }
    if configuration.tier != tier::FULL {
        return beside::start(configuration, host);
    }
    let checkout = if configuration.privileged && !configuration.checkout.is_empty() {
        Some(mapped_checkout(configuration)?)
    } else {
        None
    };
    let (wait, go) = sys::pipe().step("make a pipe")?;
    let namespaces = sys::CLONE_NEWUSER
        | sys::CLONE_NEWNS
        | sys::CLONE_NEWPID
        | sys::CLONE_NEWNET
        | sys::CLONE_NEWIPC
        | sys::CLONE_NEWUTS
        | sys::CLONE_NEWCGROUP;
    let session = sys::clone(namespaces).step("make the namespaces")?;
    if session == 0 {
        drop(go);
        sys::exit(become_session(configuration, checkout, host, &wait));
    }
    drop((wait, checkout, host));
    let mapped =
        map_users(session, (SESSION_ID, configuration.host_uid), (SESSION_ID, configuration.host_gid));
    if let Err(failure) = mapped {
        sys::kill_now(session);
        let _ = sys::reap(session, true);
        return Err(failure);
    }
    // From here on the session holds the only ends of the socket that matter.
    sys::write_fd(go.as_raw_fd(), &[1]).step("start process 1")?;
    sys::close_raw(SOCKET);
    Ok(session)
}

/// Lets `inside` of a child's user namespace be `outside` here.
fn map_users(child: i32, users: (u32, u32), groups: (u32, u32)) -> Result<(), Failure> {
    let write = |file: &str, text: String| std::fs::write(format!("/proc/{child}/{file}"), text);
    write("setgroups", "deny".to_owned()).step("forbid group changes")?;
    write("uid_map", format!("{} {} 1", users.0, users.1)).step("map the user")?;
    write("gid_map", format!("{} {} 1", groups.0, groups.1)).step("map the group")
}

/// The checkout as a detached read-only mount on which its owner's files belong to the session's user: root's own
/// identity stays out of the session, and the session can change what it was given.
fn mapped_checkout(configuration: &Configuration) -> Result<OwnedFd, Failure> {
    const STEP: &str = "map the owner of the checkout";
    let path = CString::new(configuration.checkout.clone()).map_err(|_| Errno::INVAL).step(STEP)?;
    let tree = sys::open_tree(&path, false).step("open the checkout")?;
    let owner = owner(&configuration.checkout).step("open the checkout")?;
    let (wait, go) = sys::pipe().step("make a pipe")?;
    let holder = sys::clone(sys::CLONE_NEWUSER).step("make the namespaces")?;
    if holder == 0 {
        drop(go);
        let _ = sys::read_fd(wait.as_raw_fd(), &mut [0]);
        sys::exit(0);
    }
    let mapped = map_users(holder, (owner.0, configuration.host_uid), (owner.1, configuration.host_gid))
        .and_then(|()| {
            let users = std::fs::File::open(format!("/proc/{holder}/ns/user")).step(STEP)?;
            let set = sys::MOUNT_IDMAP | sys::MOUNT_RDONLY | sys::MOUNT_NOSUID | sys::MOUNT_NODEV;
            sys::mount_setattr(tree.as_fd(), set, false, Some(users.as_fd())).step(STEP)
        });
    drop(go);
    let _ = sys::reap(holder, true);
    mapped.map(|()| tree)
}

fn owner(path: &[u8]) -> Result<(u32, u32), Errno> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(std::ffi::OsStr::from_bytes(path))?;
    Ok((found.uid(), found.gid()))
}

/// The second life: process 1.
fn become_session(
    configuration: &Configuration,
    checkout: Option<OwnedFd>,
    host: OwnedFd,
    wait: &OwnedFd,
) -> i32 {
    // Without the byte the parent is gone or could not map the user.
    if sys::read_fd(wait.as_raw_fd(), &mut [0]) != Ok(1) {
        return 1;
    }
    match confine(configuration, checkout) {
        Ok((session, jail, missing)) => serve::serve(Service {
            files: Files::Layers(&session),
            jail: &jail,
            replies: SOCKET,
            host: Some(host),
            missing: &missing,
        }),
        Err(failure) => {
            report(&failure);
            1
        }
    }
}

fn confine(
    configuration: &Configuration,
    checkout: Option<OwnedFd>,
) -> Result<(root::Session, Jail, Vec<Vec<u8>>), Failure> {
    sys::become_user(SESSION_ID, SESSION_ID).step("become the session's user")?;
    sys::set_dumpable(false).step("close process 1 to others")?;
    sys::die_with_parent().step("tie process 1 to its parent")?;
    sys::set_host_name(c"sandbox").step("name the machine")?;
    sys::loopback_up().step("bring up the loopback interface")?;
    let mut missing = Vec::new();
    let session = root::build(configuration, checkout, &mut missing)?;
    sys::drop_bounding_set().step("drop the bounding set")?;
    sys::no_new_privileges().step("forbid new privileges")?;
    sys::ignore_broken_pipes(true);
    let rules = rules::behind_mounts(configuration.landlock_most, &mut missing);
    let jail = Jail::new(tier::FULL, root::WORKSPACE.to_owned(), rules, configuration.limits.clone());
    Ok((session, jail, missing))
}
