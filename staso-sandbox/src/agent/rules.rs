//! What commands may touch, as rules of Landlock.
//!
//! Behind the mounts of a full session they say once more what the mounts say already. Without mounts they are what
//! keeps files of the host from being opened; they do not hide names, sizes and times.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use crate::sys::landlock::{self, Handled, Ruleset, access};
use crate::sys::{Errno, Result};

const READ: u64 = access::EXECUTE | access::READ_FILE | access::READ_DIR;
/// Everything but device nodes.
const WRITE: u64 = !(access::MAKE_CHAR | access::MAKE_BLOCK);
const USE_DEVICE: u64 = access::READ_FILE | access::WRITE_FILE | access::TRUNCATE | access::IOCTL_DEV;
const DEVICES: [&CStr; 5] = [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom"];
const SYSTEM: [&CStr; 7] = [c"/usr", c"/bin", c"/sbin", c"/lib", c"/lib64", c"/lib32", c"/libx32"];
/// What of `/etc` programs need to start and to say who they are.
const ETC: [&CStr; 11] = [
    c"/etc/ld.so.cache",
    c"/etc/ld.so.conf",
    c"/etc/ld.so.conf.d",
    c"/etc/alternatives",
    c"/etc/passwd",
    c"/etc/group",
    c"/etc/nsswitch.conf",
    c"/etc/localtime",
    c"/etc/mime.types",
    c"/etc/ssl/openssl.cnf",
    c"/etc/ssl/certs",
];
/// The oldest version that lets files move between directories at all; older ones would break more than they add to
/// mounts.
const ABI_WITH_MOVES: u32 = 2;
/// The oldest version that keeps signals and abstract sockets to those under the same rules.
pub(crate) const ABI_WITH_SCOPES: u32 = 6;

/// Rules that each command puts on itself, and the version that they are of.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) abi: u32,
    pub(crate) commands: OwnedFd,
}

/// Behind the mounts: the whole root may be read, and the writable places written. `None` where the kernel cannot.
pub(crate) fn behind_mounts(most: u32, missing: &mut Vec<Vec<u8>>) -> Option<Rules> {
    let abi = landlock::abi(most);
    let rules = if abi < ABI_WITH_MOVES { Err(Errno::NOSYS) } else { rules_behind_mounts(abi) };
    match rules {
        Ok(commands) => Some(Rules { abi, commands }),
        Err(_) => {
            missing.push(
                b"no Landlock rules behind the mounts: this kernel has none of version 2 or later (5.19)"
                    .to_vec(),
            );
            None
        }
    }
}

fn rules_behind_mounts(abi: u32) -> Result<OwnedFd> {
    let rules = Ruleset::new(abi, Handled { files: true, network: false, scope: true })?;
    rules.allow(c"/", READ)?;
    for place in [c"/workspace", c"/tmp", c"/dev/shm"] {
        rules.allow(place, WRITE)?;
    }
    for device in DEVICES {
        rules.allow(device, USE_DEVICE)?;
    }
    Ok(rules.into_fd())
}

/// Without mounts: the system and `readable` may be read, `writable` written, and nothing else opened.
pub(crate) fn alone(most: u32, readable: &[CString], writable: &[CString]) -> Result<Rules> {
    let abi = landlock::abi(most);
    if abi == 0 {
        return Err(Errno::NOSYS);
    }
    let rules = Ruleset::new(abi, Handled { files: true, network: true, scope: true })?;
    for place in SYSTEM.into_iter().chain(ETC) {
        rules.allow(place, READ)?;
    }
    for place in python_settings().iter().chain(readable) {
        rules.allow(place, READ)?;
    }
    for place in writable {
        rules.allow(place, WRITE)?;
    }
    for device in DEVICES {
        rules.allow(device, USE_DEVICE)?;
    }
    Ok(Rules { abi, commands: rules.into_fd() })
}

/// Distributions keep a part of Python's library under `/etc`.
fn python_settings() -> Vec<CString> {
    let entries = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python"));
    named.filter_map(|entry| CString::new(entry.path().into_os_string().into_encoded_bytes()).ok()).collect()
}

/// Rules that keep the signals of a process and its descendants to themselves. `None` where the kernel cannot.
pub(crate) fn signals_kept(abi: u32) -> Result<Option<OwnedFd>> {
    if abi < ABI_WITH_SCOPES {
        return Ok(None);
    }
    let rules = Ruleset::new(abi, Handled { files: false, network: false, scope: true })?;
    Ok(Some(rules.into_fd()))
}
