//! A session next to one process of bubblewrap, with the mounts that a user would give it, and to one container.
//!
//! `bwrap` builds its namespaces, runs `true` and ends: there is no other way to use it. The session is compared twice,
//! until commands can be given to it, and with one command and its end. It bounds memory and processes with control
//! groups, which bubblewrap does not.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use staso_benches::{Failure, turns};

use crate::host::Host;
use crate::{figure, say, times};

const ROUNDS: usize = 200;
/// After a while without sessions, a kernel with control groups of version 1 takes longer to move a process into one.
const PAUSED_ROUNDS: usize = 30;
const PAUSE: Duration = Duration::from_millis(300);
const CONTAINER_ROUNDS: usize = 20;
/// An image with a `true` in it, as `.ci/container` makes it.
const IMAGE: &str = "staso-sandbox-test";

pub(crate) fn measure() -> Result<(), Failure> {
    let host = Host::new()?;
    if Command::new("bwrap").arg("--version").output().is_ok() {
        next_to_bubblewrap(&host, ROUNDS, Duration::ZERO)?;
        say(&format!("  each after a pause of {PAUSE:?}:"));
        next_to_bubblewrap(&host, PAUSED_ROUNDS, PAUSE)?;
    } else {
        say("  NOT MEASURED: there is no bwrap on this machine (apt-get install bubblewrap)");
    }
    let engine = ["docker", "podman"].into_iter().find(|engine| runs(container(engine)).is_ok());
    match engine {
        Some(engine) => next_to_container(&host, engine),
        None => {
            say(&format!("  NOT MEASURED: no container engine runs with an image {IMAGE} on this machine"));
            Ok(())
        }
    }
}

fn next_to_bubblewrap(host: &Host, rounds: usize, pause: Duration) -> Result<(), Failure> {
    let checkout = &host.spec.checkout;
    let mut create = || {
        thread::sleep(pause);
        host.time_to_open()
    };
    let mut whole = || {
        thread::sleep(pause);
        whole_life(host)
    };
    let mut other = || {
        thread::sleep(pause);
        runs(bubblewrap(checkout))
    };
    let ways: Vec<staso_benches::Way<'_>> = vec![
        ("session: create", &mut create),
        ("session: create, run true, close", &mut whole),
        ("bwrap --unshare-all true", &mut other),
    ];
    let found = turns(rounds, ways)?;
    found.iter().for_each(times);
    if let [create, whole, other] = &found[..] {
        figure("create / bwrap", &format!("{:.2}", create.ratio_to(other)), "≤ 0.6");
        figure("create, run, close / bwrap", &format!("{:.2}", whole.ratio_to(other)), "");
    }
    Ok(())
}

fn next_to_container(host: &Host, engine: &str) -> Result<(), Failure> {
    let run = format!("{engine} run --network none true");
    let mut create = || host.time_to_open();
    let mut other = || runs(container(engine));
    let found = turns(CONTAINER_ROUNDS, vec![("session: create", &mut create), (run.as_str(), &mut other)])?;
    found.iter().for_each(times);
    if let [create, other] = &found[..] {
        figure("create / container", &format!("{:.3}", create.ratio_to(other)), "≤ 0.05");
    }
    Ok(())
}

fn whole_life(host: &Host) -> Result<Duration, Failure> {
    let start = Instant::now();
    let session = host.open()?;
    let output = host.run(&*session, &["/usr/bin/true"])?;
    host.close(&*session)?;
    if output.exit.success() { Ok(start.elapsed()) } else { Err("`true` fails in a session".into()) }
}

fn bubblewrap(checkout: &Path) -> Command {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"]);
    for name in ["bin", "sbin", "lib", "lib64"] {
        command.args(["--symlink", &format!("usr/{name}"), &format!("/{name}")]);
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
    command.arg("--bind").arg(checkout).args(["/workspace", "--chdir", "/workspace", "/usr/bin/true"]);
    command
}

fn container(engine: &str) -> Command {
    let mut command = Command::new(engine);
    command.args(["run", "--rm", "--network", "none", IMAGE, "true"]);
    command
}

/// The time of a process from its start to its end.
fn runs(mut command: Command) -> Result<Duration, Failure> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{command:?} fails").into()) }
}
