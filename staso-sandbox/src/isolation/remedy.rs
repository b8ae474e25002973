//! What the user can do when the kernel refuses a session.
//!
//! Whether a session works is found by opening one. The settings read here only choose the advice.

use std::fs;
use std::path::Path;

use staso_core::sandbox::{IsolationTier, SandboxError};

/// Turns a refused step into the error the caller sees.
pub(super) fn unavailable(wanted: IsolationTier, step: &str, os_error: Option<i32>) -> SandboxError {
    let reason = match os_error {
        Some(number) => {
            format!("the kernel refused to {step}: {}", std::io::Error::from_raw_os_error(number))
        }
        None => step.to_owned(),
    };
    SandboxError::Unavailable { wanted, reason, remedy: remedy(step, os_error).to_owned() }
}

fn remedy(step: &str, os_error: Option<i32>) -> &'static str {
    if step.contains("was not built") {
        return "build for Linux on x86-64 or AArch64 with a linker for that target";
    }
    if step.contains("owner of the checkout") {
        return "run the host as an ordinary user, or keep checkouts on ext4, xfs, btrfs or tmpfs with Linux 5.19 \
                or newer";
    }
    // Denied as such it is not a matter of the directory, but of mounts that the host may not make.
    let opens_directory = step.contains("open the checkout") || step.contains("open a toolchain");
    if opens_directory && os_error != Some(libc::EPERM) {
        return "make the directory and those above it readable to the host's user";
    }
    if step.contains("Landlock") {
        return "use Linux 5.13 or newer with Landlock among the security modules (`lsm=landlock,...`)";
    }
    if step.contains("session's directory") || step.contains("copy the checkout") {
        return "give sessions a directory that their user can reach, with room for the checkout";
    }
    if step.contains("control group") {
        return "give the host a control group that it may write";
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return "allow user namespaces for the host program with an AppArmor profile that has `userns,`, or set \
                kernel.apparmor_restrict_unprivileged_userns=0";
    }
    if setting("/proc/sys/user/max_user_namespaces") == Some(0)
        || setting("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
    {
        return "allow user namespaces: set user.max_user_namespaces above 0 and kernel.unprivileged_userns_clone=1";
    }
    if ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists()) {
        return "the host runs in a container: start that container with user namespaces, mounts and an unmasked \
                /proc allowed (Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
                --security-opt systempaths=unconfined), or run the host outside of it";
    }
    "use Linux 5.12 or newer with user namespaces and overlayfs enabled"
}

fn setting(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
