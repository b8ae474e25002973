//! The place on this machine where the suite runs: things to steal, to break and to reach.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use staso_core::sandbox::{IsolationTier, SandboxLimits, SandboxSpec};

use super::host;
use super::probe::{self, Probe, Resident};

/// What the suite's sessions may use: little, so that exhausting it is quick.
fn limits() -> SandboxLimits {
    let mut limits = SandboxLimits::default();
    limits.exec_timeout_ms = 20_000;
    limits.memory_bytes = 96 << 20;
    limits.pids = 40;
    limits.disk_bytes = 16 << 20;
    limits.output_bytes = 64 << 10;
    limits
}

type SecondHost = Box<dyn Fn(&Path) -> Command + Send + Sync>;
type Leftovers = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// A place for [`run`](super::run): a checkout with a git directory, a file that no session may read, a directory that no
/// session may write, and services of the host on loopback addresses and unix sockets. The services end with this
/// process; the files stay.
pub struct Ground {
    pub(super) directory: PathBuf,
    pub(super) checkout: PathBuf,
    pub(super) probe: Probe,
    pub(super) min_tier: IsolationTier,
    pub(super) judged_as: Option<IsolationTier>,
    pub(super) rounds: u32,
    pub(super) flood_bytes: u64,
    pub(super) patience: Duration,
    pub(super) limits: SandboxLimits,
    pub(super) second_host: Option<SecondHost>,
    pub(super) leftovers: Option<Leftovers>,
    services: Services,
    secret: String,
    segment: u32,
    marks: AtomicU32,
    victim: Resident,
}

struct Services {
    tcp: SocketAddr,
    tcp6: Option<SocketAddr>,
    udp: SocketAddr,
    /// The same ports at an address of this machine that is not loopback.
    outward: Option<(SocketAddr, SocketAddr)>,
    name: String,
    path: PathBuf,
}

/// The name of the file that sessions must not read, and what is in it.
pub(super) const CANARY: &str = "canary-of-the-host";

impl Ground {
    /// Builds a ground in an existing, empty directory. Sessions must be able to find the checkout in it: on a host that
    /// is root, the directories above must let every user through, and the file system must honour set-user programs.
    ///
    /// `git` must be installed: two rows ask whether what a session wrote makes the host's git run something.
    ///
    /// # Errors
    /// When the directory cannot be written, a service cannot be started, or the probe was not built for this machine.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let (checkout, scratch) = (directory.join("checkout"), directory.join("scratch"));
        let secret = format!("secret-of-the-host-{}", std::process::id());
        for made in [&checkout.join("src"), &scratch, &directory.join("public"), &directory.join("home/.ssh")]
        {
            fs::create_dir_all(made)?;
        }
        for (name, content) in
            [("hello.txt", "hello\n"), ("src/one.py", "print('one')\n"), ("src/two.py", "2\n")]
        {
            fs::write(checkout.join(name), content)?;
        }
        for canary in ["canary", "public/canary", "home/.ssh/id_ed25519"] {
            fs::write(directory.join(canary), CANARY)?;
        }
        git_init(&checkout)?;
        for_everyone(directory)?;
        // An escape as any user is to be seen.
        fs::set_permissions(directory.join("public"), fs::Permissions::from_mode(0o777))?;
        set_user_programs(&[&checkout, &scratch])?;
        let probe = Probe::new(directory.join("probe"), scratch, secret.clone())?;
        remove_segments_of_the_dead(&probe);
        let segment = SEGMENTS[0] | (std::process::id() & 0xffff);
        let victim = probe.start(&["wait-here".to_owned(), VICTIM.concat(), segment.to_string()])?;
        Ok(Self {
            services: Services::start(directory)?,
            directory: directory.to_path_buf(),
            checkout,
            probe,
            min_tier: IsolationTier::Full,
            judged_as: None,
            rounds: 100,
            flood_bytes: 10_000_000_000,
            patience: Duration::from_secs(5),
            limits: limits(),
            second_host: None,
            leftovers: None,
            secret,
            segment,
            marks: AtomicU32::new(0),
            victim,
        })
    }

    /// Accepts sessions of a weaker tier. Rows that the reached tier does not promise are reported as not claimed.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    /// Judges every session as if it had reached `tier`, whatever it says. This is for the test of the suite itself: a
    /// sandbox that isolates nothing, judged as one that does, must be caught by every row.
    #[must_use]
    pub const fn judged_as(mut self, tier: IsolationTier) -> Self {
        self.judged_as = Some(tier);
        self
    }

    /// Sets how often a session is opened and closed by the row that looks for what is left behind. Default 100.
    #[must_use]
    pub const fn with_rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets how much the row about output prints, in bytes. Default 10 GB.
    #[must_use]
    pub const fn with_flood_bytes(mut self, bytes: u64) -> Self {
        self.flood_bytes = bytes;
        self
    }

    /// Sets how long the end of something may take before it counts as not ending: processes of a session that was
    /// closed, a command whose time is over, files that were left. Default 5 s. What does not isolate is waited for in
    /// many rows, so the test of the suite itself sets less.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Says how to start another process with the same backend; it must call [`second_host`](super::second_host) with the
    /// path that is given here. Rows in which the host is killed, has secrets or lacks user namespaces need it, and are
    /// broken without.
    #[must_use]
    pub fn with_second_host(mut self, command: impl Fn(&Path) -> Command + Send + Sync + 'static) -> Self {
        self.second_host = Some(Box::new(command));
        self
    }

    /// Says what the backend's sessions could leave behind beside processes, mounts, control groups and files in the
    /// temporary directory that carry this process's number: containers, volumes. One line for each that is there.
    #[must_use]
    pub fn with_leftovers(mut self, list: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        self.leftovers = Some(Box::new(list));
        self
    }

    pub(super) fn spec(&self) -> SandboxSpec {
        SandboxSpec::new(&self.checkout).with_min_tier(self.min_tier).with_limits(self.limits.clone())
    }

    /// A text that is in the command line of what it is given to, and nowhere else.
    pub(super) fn mark(&self) -> String {
        format!("{}{}-x", mark_prefix(), self.marks.fetch_add(1, Ordering::Relaxed))
    }

    /// A directory that is not there yet.
    pub(super) fn fresh(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-{}", self.marks.fetch_add(1, Ordering::Relaxed)))
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Fills in a placeholder of an attempt; none when this machine has no such thing.
    pub(super) fn place(&self, name: &str) -> Option<String> {
        let file = |name: &str| self.directory.join(name).display().to_string();
        let (services, middle) = (&self.services, self.secret.len() / 2);
        let (pid, address) = self.victim.said.split_once(' ')?;
        Some(match name {
            "canary" => file("canary"),
            "probe" => file("probe"),
            "public" => file("public"),
            "scratch" => file("scratch"),
            "ssh" => file("home/.ssh/id_ed25519"),
            "socket" => services.path.display().to_string(),
            "name" => services.name.clone(),
            "tcp" => services.tcp.to_string(),
            "tcp6" => services.tcp6?.to_string(),
            "udp" => services.udp.to_string(),
            "tcp-out" => services.outward?.0.to_string(),
            "udp-out" => services.outward?.1.to_string(),
            "victim" => pid.to_owned(),
            "address" => address.to_owned(),
            "mark" => VICTIM[0].to_owned(),
            "mark-end" => VICTIM[1].to_owned(),
            "secret" => self.secret[..middle].to_owned(),
            "secret-end" => self.secret[middle..].to_owned(),
            "segment" => self.segment.to_string(),
            "other-segment" => (self.segment ^ SEGMENTS[0] ^ SEGMENTS[1]).to_string(),
            "processes" => fs::read_link("/proc/self/ns/pid").ok()?.display().to_string(),
            "crashes" => crashes().to_owned(),
            _ => return None,
        })
    }
}

/// The text by which the victim is found, in two parts: who looks for it must not have it.
const VICTIM: [&str; 2] = ["victim-of-", "the-escape-suite"];

/// What every mark of this process starts with.
fn mark_prefix() -> String {
    format!("mark-{}-", std::process::id())
}

/// Whether the host starts a program for crashes.
fn crashes() -> &'static str {
    let pattern = fs::read("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with(b"|") || pattern.starts_with(b"@") { "pipe" } else { "file" }
}

impl fmt::Debug for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Ground");
        shown.field("directory", &self.directory).field("min_tier", &self.min_tier).finish_non_exhaustive()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(self.probe.attempt(&["remove-segment".to_owned(), self.segment.to_string()]));
        // What escaped is not to stay.
        for pid in host::processes_with(&mark_prefix()) {
            drop(self.probe.kill(pid));
        }
    }
}

/// Keys of shared memory start with one of these: those of the host, and those of sessions.
const SEGMENTS: [u32; 2] = [0x5354_0000, 0x5355_0000];

/// Removes shared memory that a run of the suite which was killed has left behind.
fn remove_segments_of_the_dead(probe: &Probe) {
    let listed = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    for key in listed
        .lines()
        .skip(1)
        .filter_map(|line| of_the_dead(line, |pid| Path::new("/proc").join(pid).exists()))
    {
        drop(probe.attempt(&["remove-segment".to_owned(), key.to_string()]));
    }
}

/// The key of a line of the kernel's list, if it is one of the suite's whose maker does not live.
fn of_the_dead(line: &str, lives: impl Fn(&str) -> bool) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let key = u32::try_from(fields.first()?.parse::<i64>().ok()?).ok()?;
    // Who is of another process namespace has the number 0, and nobody here knows whether it lives.
    let maker = fields.get(4).filter(|maker| **maker != "0")?;
    (SEGMENTS.contains(&(key & 0xffff_0000)) && !lives(maker)).then_some(key)
}

/// Lets everyone read everything, whatever this process takes for granted: only the sandbox is to stand in the way.
fn for_everyone(directory: &Path) -> io::Result<()> {
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(path) = waiting.pop() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => waiting.push(entry.path()),
                _ => fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644))?,
            }
        }
    }
    Ok(())
}

fn git_init(checkout: &Path) -> io::Result<()> {
    let git = |arguments: &[&str]| git(checkout, arguments).map(drop);
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-q", "-m", "first"])
}

/// Runs git in a directory as a careless host would, without settings of this machine.
pub(super) fn git(directory: &Path, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Programs that run as someone else, where the host can make such.
fn set_user_programs(directories: &[&Path]) -> io::Result<()> {
    if host::user() != 0 {
        return Ok(());
    }
    for directory in directories {
        let path = directory.join("probe-set-user");
        probe::write_program(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755))?;
    }
    Ok(())
}

impl Services {
    fn start(directory: &Path) -> io::Result<Self> {
        let tcp = TcpListener::bind("0.0.0.0:0")?;
        let udp = UdpSocket::bind("0.0.0.0:0")?;
        let (tcp_port, udp_port) = (tcp.local_addr()?.port(), udp.local_addr()?.port());
        let tcp6 = TcpListener::bind("[::1]:0").ok();
        let path = directory.join("socket");
        let by_path = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        let name = format!("staso-escape-{}-{tcp_port}", std::process::id());
        let by_name = UnixListener::bind_addr(&UnixAddress::from_abstract_name(&name)?)?;
        let this = Self {
            tcp: ([127, 0, 0, 1], tcp_port).into(),
            tcp6: tcp6.as_ref().and_then(|listener| listener.local_addr().ok()),
            udp: ([127, 0, 0, 1], udp_port).into(),
            outward: outward_address().map(|own| ((own.ip(), tcp_port).into(), (own.ip(), udp_port).into())),
            name,
            path,
        };
        serve(move || tcp.accept().is_ok())?;
        if let Some(listener) = tcp6 {
            serve(move || listener.accept().is_ok())?;
        }
        serve(move || by_path.accept().is_ok())?;
        serve(move || by_name.accept().is_ok_and(|(mut stream, _)| stream.read(&mut [0]).is_ok()))?;
        serve(move || {
            let mut bytes = [0; 64];
            udp.recv_from(&mut bytes).is_ok_and(|(_, from)| udp.send_to(b"answer", from).is_ok())
        })?;
        Ok(this)
    }
}

/// Answers on a thread of its own for as long as this process lives.
fn serve(mut answer: impl FnMut() -> bool + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("escape-service".to_owned()).spawn(move || while answer() {}).map(drop)
}

/// The address of this machine that packets to elsewhere would carry. Nothing is sent.
fn outward_address() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    socket.local_addr().ok().filter(|address| !address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_of_a_killed_run_is_removed_and_no_other() {
        let list = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid\n\
                    1398027587         37   666                  4096 13646     0      0     0     0\n\
                    1398016401         47   666                  4096  2472     0      0     0     0\n\
                    1398016402         48   666                  4096     0     0      0     0     0\n\
                    1297040220         49   666                  4096 13646     0      0     0     0\n\
                    -559038737         50   666                  4096 13646     0      0     0     0\n";
        let dead = |line| of_the_dead(line, |pid| pid == "2472");
        assert_eq!(list.lines().filter_map(dead).collect::<Vec<_>>(), [1_398_027_587]);
    }
}
