//! Which host a container belongs to, and what becomes of those whose host is gone.
//!
//! A running container ends with its host, because its input ends. One that was made and never started has no input:
//! the next host on the same machine removes it.

use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;

use super::engine;

/// How long the engine may take to remove all that was left behind.
const REMOVAL_LIMIT: Duration = Duration::from_secs(60);

/// The label of every container: boot, process namespace, process and start time of its host.
pub(super) const LABEL: &str = "staso.sandbox.host";

/// This process, as a label. A host that does not know itself leaves its containers to the engine.
pub(super) fn own() -> String {
    machine().zip(start_time(std::process::id())).map_or_else(
        || "unknown".to_owned(),
        |(machine, started)| format!("{machine}/{}/{started}", std::process::id()),
    )
}

/// Removes the containers of hosts of this machine that are no more, beside whatever else happens: an engine that cannot
/// remove one of them opens sessions all the same.
pub(super) fn remove_abandoned(docker: &Docker) {
    let Some(machine) = machine() else { return };
    let docker = docker.clone();
    let removal = async move {
        for container in engine::with_label(&docker, LABEL).await {
            if let Some(id) = abandoned(&container, &machine) {
                engine::remove(&docker, id).await;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(REMOVAL_LIMIT, removal));
}

fn abandoned<'a>(container: &'a ContainerSummary, machine: &str) -> Option<&'a str> {
    let owner = container.labels.as_ref()?.get(LABEL)?;
    (!lives(owner, machine)?).then_some(container.id.as_deref()).flatten()
}

/// Whether a host lives; `None` when that cannot be known from here.
fn lives(owner: &str, machine: &str) -> Option<bool> {
    // Numbers of another boot or process namespace mean other processes.
    let mut fields = owner.strip_prefix(machine)?.strip_prefix('/')?.split('/').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(started)), None) = (fields.next(), fields.next(), fields.next()) else {
        return None;
    };
    Some(u32::try_from(pid).is_ok_and(|pid| start_time(pid) == Some(started)))
}

/// The boot and the process namespace that process numbers belong to.
#[cfg(target_os = "linux")]
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

#[cfg(target_os = "linux")]
use crate::isolation::start_time;

#[cfg(not(target_os = "linux"))]
fn machine() -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn start_time(_pid: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_this_machine_are_judged() {
        let machine = machine().unwrap();
        assert_eq!(lives(&own(), &machine), Some(true));
        let (pid, started) = (std::process::id(), start_time(std::process::id()).unwrap());
        assert_eq!(
            lives(&format!("{machine}/{pid}/{}", started + 1), &machine),
            Some(false),
            "a later process"
        );
        assert_eq!(lives(&format!("{machine}/4294967295/1"), &machine), Some(false));
        for other in
            ["unknown", "", "other-boot/pid:[1]/1/1", &format!("{machine}/x/1"), &format!("{machine}/1")]
        {
            assert_eq!(lives(other, &machine), None, "{other}");
        }
    }
}
