//! What the engine is asked to make: everything that confines a session, in one place.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ImageConfig, Mount, MountTmpfsOptions, MountType, ResourcesUlimits,
};
use staso_core::sandbox::SandboxLimits;

use super::checkout::Size;
use super::engine::Maker;
use super::options::ContainerOptions;
use super::owner;
use crate::program::PROGRAM;
use crate::session::SYSTEM_PATH;

/// Memory of the agent itself, and what it remembers of one path of the checkout.
const SPARE_BYTES: u64 = 64 << 20;
const BYTES_PER_PATH: u64 = 512;
/// Processes of the agent itself: one for itself, and one for each of so many commands at a time.
const SPARE_PIDS: u64 = 32;
const BYTES_PER_INODE: u64 = 4096;
const FEWEST_INODES: u64 = 1024;
/// A file system in memory that is empty and stays so.
const CLOSED: &str = "ro,noexec,nosuid,nodev,size=4096,mode=0555";
/// Where the checkout is.
pub(super) const WORKSPACE: &str = "/workspace";
/// Where the agent is put. It takes itself away when it runs.
const AGENT: &str = "/tmp/.staso-agent";

/// The container of a session.
pub(super) fn container(
    options: &ContainerOptions,
    limits: &SandboxLimits,
    image: &ImageConfig,
    checkout: Size,
    maker: Maker,
) -> ContainerCreateBody {
    // The agent is as long as said, so that what follows is not read by `head`.
    let bytes = PROGRAM.len();
    let script =
        format!("umask 077; head -c {bytes} >{AGENT} && chmod 500 {AGENT} && exec {AGENT} container");
    ContainerCreateBody {
        image: Some(options.image.clone()),
        entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), script]),
        cmd: Some(Vec::new()),
        user: Some(format!("{}:{}", options.session_user.0, options.session_user.1)),
        working_dir: Some("/".to_owned()),
        hostname: Some("sandbox".to_owned()),
        env: Some(vec![format!("PATH={}", path(image))]),
        labels: Some(HashMap::from([(owner::LABEL.to_owned(), owner::own())])),
        open_stdin: Some(true),
        // The agent's input ends with the host, and the agent with its input.
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(host(options, limits, image, checkout, maker)),
        ..ContainerCreateBody::default()
    }
}

fn host(
    options: &ContainerOptions,
    limits: &SandboxLimits,
    image: &ImageConfig,
    checkout: Size,
    maker: Maker,
) -> HostConfig {
    let tmpfs = tmpfs(options, limits, checkout, maker);
    let in_memory = workspace_bytes(limits, checkout).saturating_add(options.tmp_bytes.saturating_mul(5) / 4);
    let agent = SPARE_BYTES.saturating_add(checkout.paths().saturating_mul(BYTES_PER_PATH));
    let memory = signed(limits.memory_bytes.saturating_add(in_memory).saturating_add(agent));
    // With 0 a crash would still start the host's program for crashes, as the host's root; 1 means no file either.
    let (files, no_core) = (signed(options.open_files), Some(1));
    let ulimit = |name: &str, most| ResourcesUlimits { name: Some(name.to_owned()), soft: most, hard: most };
    HostConfig {
        network_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        // With nothing said of `seccomp` the engine applies its own filter.
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        readonly_rootfs: Some(true),
        tmpfs: Some(tmpfs),
        mounts: Some(covers(image)),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        pids_limit: Some(signed(u64::from(limits.pids).saturating_add(SPARE_PIDS))),
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: options.cpu_millis.map(|millis| i64::from(millis).saturating_mul(1_000_000)),
        ulimits: Some(vec![ulimit("nofile", Some(files)), ulimit("core", no_core)]),
        // What the agent says is for the host alone, and it may be a lot.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        // Nothing to resolve with, and nothing of the host's resolver to see.
        dns: Some(vec!["127.0.0.1".to_owned()]),
        dns_search: Some(vec![".".to_owned()]),
        auto_remove: Some(true),
        init: Some(false),
        runtime: options.runtime.clone(),
        ..HostConfig::default()
    }
}

fn workspace_bytes(limits: &SandboxLimits, checkout: Size) -> u64 {
    limits.disk_bytes.saturating_add(checkout.bytes)
}

/// Podman neither bounds the number of files nor says whose a directory is. There is but one user in the container.
fn tmpfs(
    options: &ContainerOptions,
    limits: &SandboxLimits,
    checkout: Size,
    maker: Maker,
) -> HashMap<String, String> {
    let inodes = |bytes: u64| (bytes / BYTES_PER_INODE).max(FEWEST_INODES);
    let place = |bytes: u64, inodes: u64, mode: &str, exec: &str| {
        let common = format!("rw,{exec},nosuid,nodev,size={bytes},mode={mode}");
        if maker == Maker::Podman { common } else { format!("{common},nr_inodes={inodes}") }
    };
    let (bytes, (uid, gid)) = (workspace_bytes(limits, checkout), options.session_user);
    let files = inodes(limits.disk_bytes).saturating_add(checkout.paths());
    let workspace = match maker {
        Maker::Docker => format!("{},uid={uid},gid={gid}", place(bytes, files, "0755", "exec")),
        Maker::Podman => place(bytes, files, "0777", "exec"),
    };
    let (tmp, shm) = (options.tmp_bytes, options.tmp_bytes / 4);
    let mut places = HashMap::from([
        (WORKSPACE.to_owned(), workspace),
        ("/tmp".to_owned(), place(tmp, inodes(tmp), "1777", "exec")),
        ("/dev/shm".to_owned(), place(shm, inodes(shm), "1777", "noexec")),
    ]);
    if maker == Maker::Podman {
        // With a read-only root it makes these writable and without a limit, unless they are asked for.
        places.extend(["/run", "/var/tmp"].map(|place| (place.to_owned(), CLOSED.to_owned())));
    }
    places
}

/// Puts something empty that nobody can write to over the directories that the image wants to be volumes: those would be
/// directories of the host without a limit.
fn covers(image: &ImageConfig) -> Vec<Mount> {
    let cover = |place: &String| Mount {
        typ: Some(MountType::TMPFS),
        target: Some(place.clone()),
        read_only: Some(true),
        tmpfs_options: Some(MountTmpfsOptions { size_bytes: Some(4096), mode: Some(0o555), options: None }),
        ..Mount::default()
    };
    let own = [WORKSPACE, "/tmp", "/dev/shm"];
    let places = image.volumes.iter().flatten();
    places.filter(|place| !own.contains(&place.trim_end_matches('/'))).map(cover).collect()
}

/// Where the image says that programs are.
pub(super) fn path(image: &ImageConfig) -> String {
    let set = image.env.iter().flatten().find_map(|entry| entry.strip_prefix("PATH="));
    set.filter(|path| !path.is_empty()).unwrap_or(SYSTEM_PATH).to_owned()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
