//! The first life: from a plain child of the host to namespaces with process 1 in them.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

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

/// Gets rid of what this process has of whoever started it, but for the first three descriptors.
pub(crate) fn clean() -> Result<(), Failure> {
    sys::close_from(3).step("close inherited descriptors")?;
    sys::reset_signals();
    sys::ignore_broken_pipes(true);
    sys::set_umask(0o022);
    Ok(())
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
///
/// Process 1 begins to build while this process still does what takes a while: it stops at a [`Gate`] where it needs it.
fn start(configuration: &Configuration) -> Result<i32, Failure> {
    clean()?;
    let host = sys::pidfd_open(configuration.host_pid).step("watch the host process")?;
    if u32::try_from(sys::parent()) != Ok(configuration.host_pid) {
        return Err(Failure { step: "watch the host process", errno: Errno::CHILD });
    }
    sys::new_keyring();
    if configuration.privileged {
        sys::drop_groups().step("drop the supplementary groups")?;
    }
    if configuration.tier != tier::FULL {
        join_groups(configuration, "0")?;
        return beside::start(configuration, host);
    }
    let checkout = if configuration.privileged && !configuration.checkout.is_empty() {
        let path = CString::new(configuration.checkout.clone()).map_err(|_| Errno::INVAL);
        Some(sys::open_tree(&path.step("open the checkout")?, false).step("open the checkout")?)
    } else {
        None
    };
    // What is above a toolchain may be closed to the session's user, such as the home directory of root.
    let toolchains = configuration.privileged.then(|| root::toolchains(configuration)).transpose()?;
    let (wait, go) = sys::pipe().step("make a pipe")?;
    let namespaces = sys::CLONE_NEWUSER
        | sys::CLONE_NEWNS
        | sys::CLONE_NEWPID
        | sys::CLONE_NEWIPC
        | sys::CLONE_NEWUTS
        | sys::CLONE_NEWCGROUP;
    let session = sys::clone(namespaces).step("make the namespaces")?;
    if session == 0 {
        drop(go);
        sys::exit(become_session(configuration, (checkout, toolchains), host, &Gate(wait)));
    }
    drop((wait, host, toolchains));
    if let Err(failure) = open_gates(configuration, session, checkout.as_ref(), &go) {
        sys::kill_now(session);
        let _ = sys::reap(session, true);
        return Err(failure);
    }
    // From here on the session holds the only ends of the socket that matter.
    sys::close_raw(SOCKET);
    Ok(session)
}

/// Where process 1 waits for its parent.
#[derive(Debug)]
pub(crate) struct Gate(OwnedFd);

impl Gate {
    /// Waits until the parent has done one thing more. Without that the parent is gone or could not do it.
    pub(crate) fn pass(&self) -> Result<(), Errno> {
        match sys::read_fd(self.0.as_raw_fd(), &mut [0]) {
            Ok(1) => Ok(()),
            _ => Err(Errno::CHILD),
        }
    }
}

/// Does what process 1 cannot do for itself, in the order in which it needs it.
fn open_gates(
    configuration: &Configuration,
    session: i32,
    checkout: Option<&OwnedFd>,
    go: &OwnedFd,
) -> Result<(), Failure> {
    // A session that has ended says itself why.
    let open = || {
        let _ = sys::write_fd(go.as_raw_fd(), &[1]);
    };
    map_users(session, (SESSION_ID, configuration.host_uid), (SESSION_ID, configuration.host_gid))?;
    open();
    let holder = checkout.map(|checkout| map_owner(configuration, checkout)).transpose()?;
    open();
    join_groups(configuration, &session.to_string())?;
    open();
    if let Some(holder) = holder {
        let _ = sys::reap(holder, true);
    }
    Ok(())
}

/// Puts a process into the control groups of the session; `0` is this one.
fn join_groups(configuration: &Configuration, process: &str) -> Result<(), Failure> {
    for cgroup in &configuration.cgroups {
        std::fs::write(OsStr::from_bytes(cgroup), process).step("join the control group")?;
    }
    Ok(())
}

/// Lets `inside` of a child's user namespace be `outside` here.
fn map_users(child: i32, users: (u32, u32), groups: (u32, u32)) -> Result<(), Failure> {
    let write = |file: &str, text: String| std::fs::write(format!("/proc/{child}/{file}"), text);
    write("setgroups", "deny".to_owned()).step("forbid group changes")?;
    write("uid_map", format!("{} {} 1", users.0, users.1)).step("map the user")?;
    write("gid_map", format!("{} {} 1", groups.0, groups.1)).step("map the group")
}

/// Makes the detached mount of the checkout read-only and its owner's files the session's user's: root's own identity
/// stays out of the session, and the session can change what it was given. Gives a process that ends, to be reaped.
fn map_owner(configuration: &Configuration, checkout: &OwnedFd) -> Result<i32, Failure> {
    const STEP: &str = "map the owner of the checkout";
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
            sys::mount_setattr(checkout.as_fd(), set, false, Some(users.as_fd())).step(STEP)
        });
    mapped.map(|()| holder)
}

fn owner(path: &[u8]) -> Result<(u32, u32), Errno> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(OsStr::from_bytes(path))?;
    Ok((found.uid(), found.gid()))
}

/// The second life: process 1.
fn become_session(configuration: &Configuration, opened: root::Opened, host: OwnedFd, gate: &Gate) -> i32 {
    if gate.pass().is_err() {
        return 1;
    }
    match confine(configuration, opened, gate) {
        Ok((session, jail, missing)) => serve::serve(Service {
            files: Files::Layers(&session),
            jail: &jail,
            replies: SOCKET,
            host: Some(host),
            missing: &missing,
            gate: Some(gate),
        }),
        Err(failure) => {
            report(&failure);
            1
        }
    }
}

fn confine(
    configuration: &Configuration,
    opened: root::Opened,
    gate: &Gate,
) -> Result<(root::Session, Jail, Vec<Vec<u8>>), Failure> {
    sys::become_user(SESSION_ID, SESSION_ID).step("become the session's user")?;
    sys::set_dumpable(false).step("close process 1 to others")?;
    sys::die_with_parent().step("tie process 1 to its parent")?;
    let network = Network::begin()?;
    sys::set_host_name(c"sandbox").step("name the machine")?;
    let mut missing = Vec::new();
    let session = root::build(configuration, opened, gate, &mut missing)?;
    network.enter()?;
    sys::drop_bounding_set().step("drop the bounding set")?;
    sys::no_new_privileges().step("forbid new privileges")?;
    let rules = rules::behind_mounts(configuration.landlock_most, &mut missing);
    let jail = Jail::new(configuration, root::WORKSPACE.to_owned(), rules)?;
    Ok((session, jail, missing))
}

/// A network namespace in the making. The kernel takes about as long for it as for everything else together, so a thread
/// makes it meanwhile; there is no other thread before or after.
struct Network(std::thread::JoinHandle<Result<OwnedFd, Failure>>);

impl Network {
    fn begin() -> Result<Self, Failure> {
        const STACK_BYTES: usize = 64 << 10;
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
            sys::new_network().step("make the network")?;
            sys::loopback_up().step("bring up the loopback interface")
        });
        Ok(Self(thread.step("make the network")?))
    }

    /// Leaves the host's network for the new one.
    fn enter(self) -> Result<(), Failure> {
        const STEP: &str = "enter the network";
        let made = self.0.join().map_err(|_| Errno::CHILD).step(STEP)??;
        sys::enter_network(made.as_fd()).step(STEP)
    }
}
