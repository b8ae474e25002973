//! A small system-call filter for commands: what no test suite needs and what has the longest record of kernel bugs.
//!
//! It stands behind the namespaces and the empty capability sets, which already deny most of this.

use crate::sys::{self, Result};

#[cfg(target_arch = "x86_64")]
mod number {
    pub(super) const ARCH: u32 = 0xC000_003E;
    pub(super) const SOCKET: u32 = 41;
    pub(super) const IOCTL: u32 = 16;
    pub(super) const CLONE: u32 = 56;
    /// ptrace, process_vm_*, kcmp, bpf, userfaultfd, keys, perf, modules, kexec, file handles, unshare, setns, mount,
    /// umount2, pivot_root, chroot, reboot, swap, acct, syslog, quotactl, vhangup, iopl, ioperm, modify_ldt.
    pub(super) const DENIED: &[u32] = &[
        101, 310, 311, 312, 321, 323, 248, 249, 250, 298, 175, 176, 313, 246, 320, 303, 304, 272, 308, 165,
        166, 155, 161, 169, 167, 168, 163, 103, 179, 153, 172, 173, 154,
    ];
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(super) const ARCH: u32 = 0xC000_00B7;
    pub(super) const SOCKET: u32 = 198;
    pub(super) const IOCTL: u32 = 29;
    pub(super) const CLONE: u32 = 220;
    /// The same calls as on x86-64, without its port and descriptor-table calls.
    pub(super) const DENIED: &[u32] = &[
        117, 270, 271, 272, 280, 282, 217, 218, 219, 241, 105, 106, 273, 104, 294, 264, 265, 97, 268, 40, 39,
        41, 51, 142, 224, 225, 89, 116, 60, 58,
    ];
}

/// io_uring, pidfd_getfd and the newer mount calls: the same numbers everywhere.
const DENIED_EVERYWHERE: [u32; 11] = [425, 426, 427, 438, 428, 429, 430, 431, 432, 433, 442];
const CLONE3: u32 = 435;
/// AF_UNIX, AF_INET, AF_INET6.
const FAMILIES: [u32; 3] = [1, 2, 10];
/// TIOCSTI and TIOCLINUX put characters into a terminal's input.
const TERMINAL_INPUT: [u32; 2] = [0x5412, 0x541C];
const CLONE_NEWUSER: u32 = 0x1000_0000;
/// System calls of the x32 table carry this bit; they would pass a filter by number.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
#[cfg(target_arch = "x86_64")]
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const EAFNOSUPPORT: u32 = 0x0005_0061;

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_FIRST_ARGUMENT: u32 = 16;
const OFFSET_SECOND_ARGUMENT: u32 = 24;

/// One instruction as `struct sock_filter` lays it out.
fn instruction(code: u16, if_true: u8, if_false: u8, value: u32) -> u64 {
    u64::from(code) | u64::from(if_true) << 16 | u64::from(if_false) << 24 | u64::from(value) << 32
}

/// Returns `verdict` when the loaded word equals `value`.
fn verdict_if(value: u32, verdict: u32) -> [u64; 2] {
    [instruction(JUMP_EQUAL, 0, 1, value), instruction(RETURN, 0, 0, verdict)]
}

/// The filter of every command.
pub(crate) fn program() -> Vec<u64> {
    let mut program = vec![
        instruction(LOAD, 0, 0, OFFSET_ARCH),
        instruction(JUMP_EQUAL, 1, 0, number::ARCH),
        instruction(RETURN, 0, 0, KILL),
        instruction(LOAD, 0, 0, OFFSET_NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    program.extend([instruction(JUMP_AT_LEAST, 0, 1, X32_BIT), instruction(RETURN, 0, 0, ENOSYS)]);
    program.extend(verdict_if(CLONE3, ENOSYS));
    for denied in number::DENIED.iter().chain(&DENIED_EVERYWHERE) {
        program.extend(verdict_if(*denied, EPERM));
    }
    program.extend([
        instruction(JUMP_EQUAL, 0, 5, number::SOCKET),
        instruction(LOAD, 0, 0, OFFSET_FIRST_ARGUMENT),
        instruction(JUMP_EQUAL, 2, 0, FAMILIES[0]),
        instruction(JUMP_EQUAL, 1, 0, FAMILIES[1]),
        instruction(JUMP_EQUAL, 0, 8, FAMILIES[2]),
        instruction(RETURN, 0, 0, ALLOW),
    ]);
    program.extend([
        instruction(JUMP_EQUAL, 0, 3, number::IOCTL),
        instruction(LOAD, 0, 0, OFFSET_SECOND_ARGUMENT),
        instruction(JUMP_EQUAL, 6, 0, TERMINAL_INPUT[0]),
        instruction(JUMP_EQUAL, 5, 4, TERMINAL_INPUT[1]),
        instruction(JUMP_EQUAL, 0, 3, number::CLONE),
        instruction(LOAD, 0, 0, OFFSET_FIRST_ARGUMENT),
        instruction(JUMP_ANY_BIT, 2, 1, CLONE_NEWUSER),
        instruction(RETURN, 0, 0, EAFNOSUPPORT),
        instruction(RETURN, 0, 0, ALLOW),
        instruction(RETURN, 0, 0, EPERM),
    ]);
    program
}

/// Puts the filter on this process and what it starts.
pub(crate) fn install(program: &[u64]) -> Result<()> {
    sys::install_filter(program)
}
