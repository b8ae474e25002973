//! From what is missing to the command that gives it.

use serde::Serialize;
use staso_core::sandbox::IsolationTier;

use super::{Machine, Probe, State};

/// Something that is missing, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What is missing, and what that costs.
    pub problem: String,
    /// Commands for a shell of this machine, or of the one that starts its containers. Any one of them is enough.
    pub commands: Vec<String>,
}

const MIN_KERNEL: (u32, u32) = (5, 12);
/// Lets the programs of a container build sandboxes of their own.
const DOCKER: &str = "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
                      --security-opt systempaths=unconfined IMAGE";
const PROFILE: &str = "printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile staso-host /path/to/your/program \
                       flags=(unconfined) {\\n  userns,\\n}\\n' | sudo tee /etc/apparmor.d/staso-host && \
                       sudo apparmor_parser -r /etc/apparmor.d/staso-host";
/// Puts Landlock before the modules that are on already, where GRUB starts the kernel. Nothing is written unless these are
/// known.
const LANDLOCK: &str = "on=$(cat /sys/kernel/security/lsm) && \
                        echo \"GRUB_CMDLINE_LINUX=\\\"\\$GRUB_CMDLINE_LINUX lsm=landlock,$on\\\"\" \
                        | sudo tee /etc/default/grub.d/landlock.cfg && sudo update-grub && sudo reboot  # Linux 5.13";
/// Gives rootless containers of this user other users than root.
const USERS: &str =
    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\" && podman system migrate";

/// What to do, most important first; nothing when nothing is missing.
#[must_use]
pub fn advice(machine: &Machine, probes: &[Probe]) -> Vec<Advice> {
    let mut all = Vec::new();
    for probe in probes {
        match &probe.result {
            State::Refused { reason, remedy } if probe.wanted == IsolationTier::Full => {
                all.extend(about_refusal(machine, reason, remedy.as_deref()));
            }
            State::Works { isolation } if isolation.tier == IsolationTier::Full => {
                all.extend(isolation.missing.iter().map(|missing| about_missing(machine, missing)));
            }
            State::Works { .. } | State::Refused { .. } | State::NotTried { .. } => {}
        }
    }
    let mut merged: Vec<Advice> = Vec::new();
    for advice in all {
        // One command may give several things.
        match merged.iter_mut().find(|known| known.commands == advice.commands) {
            Some(known) if known.problem.contains(&advice.problem) => {}
            Some(known) if !known.commands.is_empty() => {
                known.problem.push_str("; ");
                known.problem.push_str(&advice.problem);
            }
            _ => merged.push(advice),
        }
    }
    merged
}

/// Why full isolation is refused. More than one reason may hold, and each has to go.
fn about_refusal(machine: &Machine, reason: &str, remedy: Option<&str>) -> Vec<Advice> {
    let advice = |problem: &str, commands: &[&str]| Advice {
        problem: problem.to_owned(),
        commands: commands.iter().map(|&command| command.to_owned()).collect(),
    };
    let mut found = Vec::new();
    if machine.os != "linux" {
        let problem = format!("sessions without an engine need Linux, and this is {}", machine.os);
        return vec![advice(
            &problem,
            &[
                "docker info  # with an engine at work, give the host `ContainerSandbox` (feature `container`)",
            ],
        )];
    }
    if let Some(version) = machine.kernel_version().filter(|version| *version < MIN_KERNEL) {
        let problem = format!("the kernel is {}.{}; sessions need 5.12 or newer", version.0, version.1);
        found.push(advice(
            &problem,
            &["sudo apt-get install linux-image-amd64 && sudo reboot  # or your system's newer kernel"],
        ));
    }
    if machine.max_user_namespaces == Some(0) {
        let commands = ["sudo sysctl -w user.max_user_namespaces=15000"];
        found.push(advice("user namespaces are switched off", &commands));
    }
    if machine.users_kept_out && !machine.root {
        let commands = ["sudo sysctl -w kernel.unprivileged_userns_clone=1"];
        found.push(advice("only root may make user namespaces", &commands));
    }
    if machine.apparmor_restricts && !machine.root {
        let commands = [PROFILE, "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"];
        found.push(advice(
            "AppArmor takes the rights of user namespaces away (Ubuntu 23.10 and newer)",
            &commands,
        ));
    }
    if machine.root && reason.contains("supplementary groups") {
        let problem =
            "this process is root of a user namespace without other users, which sessions would run as";
        let leave = "# or start the host as an ordinary user, without `unshare --map-root-user`";
        found.push(advice(problem, &[USERS, leave]));
    }
    let engine = machine.container.unwrap_or("something with a system-call filter");
    if machine.filtered || (machine.container.is_some() && found.is_empty()) {
        let problem =
            format!("this process runs in a container ({engine}) that keeps it from building another");
        found.push(advice(&problem, &[DOCKER]));
    }
    if found.is_empty() {
        let commands = remedy.map(|remedy| format!("# {remedy}"));
        found.push(Advice { problem: reason.to_owned(), commands: commands.into_iter().collect() });
    }
    found
}

/// A protection that a session lacks.
fn about_missing(machine: &Machine, missing: &str) -> Advice {
    let is_about = |word: &str| missing.to_lowercase().contains(word);
    let commands = if is_about("control group") || is_about("cgroup") {
        delegation(machine)
    } else if is_about("landlock") {
        // The kernel of a container may have what the container's filter refuses.
        let first = (machine.filtered || machine.container.is_some()).then(|| DOCKER.to_owned());
        first.into_iter().chain([LANDLOCK.to_owned()]).collect()
    } else {
        Vec::new()
    };
    Advice { problem: missing.to_owned(), commands }
}

/// How the host gets a control group that it may write.
fn delegation(machine: &Machine) -> Vec<String> {
    let commands: &[&str] = match (machine.container, machine.cgroups.version) {
        (Some(_), _) => &["docker run --cgroupns=host --volume /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE"],
        (None, None) => &["sudo mount -t cgroup2 none /sys/fs/cgroup"],
        (None, Some("2")) => &[
            "systemd-run --user --scope --property=Delegate=yes /path/to/your/program",
            "sudo systemctl edit YOUR.service  # and write: [Service] Delegate=yes",
        ],
        (None, Some(_)) => {
            &["for c in memory pids; do sudo mkdir -p /sys/fs/cgroup/$c/staso && sudo chown -R \"$USER\" \
             /sys/fs/cgroup/$c/staso && echo $$ | sudo tee /sys/fs/cgroup/$c/staso/cgroup.procs; done  # then start the \
             host from this shell"]
        }
    };
    commands.iter().map(|&command| command.to_owned()).collect()
}
