//! System-call filters: what no test suite needs and what has the longest record of kernel bugs.
//!
//! In a session with namespaces they stand behind the namespaces and the empty capability sets, which already deny most
//! of this. Where there are none, the stricter filter is all that keeps commands from sockets, and from those calls about
//! files and processes of the same user that Landlock does not look at.

use crate::sys::{self, Result};

/// Whom a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Process 1 of a session, which still mounts and makes namespaces for commands.
    Helper,
    /// Commands in namespaces of their own.
    Isolated,
    /// Commands beside other processes of the host, and whether Landlock keeps their signals to themselves.
    Beside { signals_kept: bool },
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub(super) const ARCH: u32 = 0xC000_003E;
    pub(super) const SOCKET: u32 = 41;
    pub(super) const SOCKETPAIR: u32 = 53;
    pub(super) const IOCTL: u32 = 16;
    pub(super) const CLONE: u32 = 56;
    pub(super) const KILL: u32 = 62;
    pub(super) const PERSONALITY: u32 = 135;
    pub(super) const PRLIMIT64: u32 = 302;
    pub(super) const SETPRIORITY: u32 = 141;
    pub(super) const MOUNT: u32 = 165;
    /// In this order: ptrace, process_vm_readv and _writev, kcmp, move_pages, migrate_pages; bpf, perf_event_open,
    /// userfaultfd; add_key, request_key, keyctl; init_module, delete_module, finit_module, kexec_load,
    /// kexec_file_load, reboot; name_to_handle_at, open_by_handle_at, fanotify_init, fanotify_mark, lookup_dcookie;
    /// unshare, setns, umount2, pivot_root, chroot; swapon, swapoff, acct, quotactl; syslog, vhangup, sethostname,
    /// setdomainname; settimeofday, clock_settime, clock_adjtime, adjtimex; iopl, ioperm, modify_ldt, uselib, ustat,
    /// sysfs, _sysctl, nfsservctl.
    pub(super) const DENIED: &[u32] = &[
        101, 310, 311, 312, 279, 256, 321, 298, 323, 248, 249, 250, 175, 176, 313, 246, 320, 169, 303, 304,
        300, 301, 212, 272, 308, 166, 155, 161, 167, 168, 163, 179, 103, 153, 170, 171, 164, 227, 305, 159,
        172, 173, 154, 134, 136, 139, 156, 180,
    ];
    /// In this order: connect, accept, bind, listen, accept4; shmget, shmat, shmctl, semget, semop, semctl, semtimedop,
    /// msgget, msgsnd, msgrcv, msgctl; mq_open, mq_unlink; inotify_add_watch.
    pub(super) const DENIED_BESIDE: &[u32] =
        &[42, 43, 49, 50, 288, 29, 30, 31, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241, 254];
    /// Calls about a process given by the first argument: sched_setparam, sched_setscheduler, sched_setaffinity,
    /// sched_setattr.
    pub(super) const ABOUT_A_PROCESS: &[u32] = &[142, 144, 203, 314];
    pub(super) const IOPRIO_SET: u32 = 251;
    /// In this order: chmod, fchmod, fchmodat, utimensat.
    pub(super) const ATTRIBUTES: &[u32] = &[90, 91, 268, 280];
    /// In this order: chown, fchown, lchown, fchownat.
    pub(super) const OWNERS: &[u32] = &[92, 93, 94, 260];
    /// In this order: setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr.
    pub(super) const EXTENDED: &[u32] = &[188, 189, 190, 197, 198, 199];
    /// Older forms of utimensat: utime, utimes, futimesat.
    pub(super) const OLD_TIMES: &[u32] = &[132, 235, 261];
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(super) const ARCH: u32 = 0xC000_00B7;
    pub(super) const SOCKET: u32 = 198;
    pub(super) const SOCKETPAIR: u32 = 199;
    pub(super) const IOCTL: u32 = 29;
    pub(super) const CLONE: u32 = 220;
    pub(super) const KILL: u32 = 129;
    pub(super) const PERSONALITY: u32 = 92;
    pub(super) const PRLIMIT64: u32 = 261;
    pub(super) const SETPRIORITY: u32 = 140;
    pub(super) const MOUNT: u32 = 40;
    /// The same calls in the same order as on x86-64, without those that this architecture does not have.
    pub(super) const DENIED: &[u32] = &[
        117, 270, 271, 272, 239, 238, 280, 241, 282, 217, 218, 219, 105, 106, 273, 104, 294, 142, 264, 265,
        262, 263, 18, 97, 268, 39, 41, 51, 224, 225, 89, 60, 116, 58, 161, 162, 170, 112, 266, 171, 42,
    ];
    pub(super) const DENIED_BESIDE: &[u32] =
        &[203, 202, 200, 201, 242, 194, 196, 195, 190, 193, 191, 192, 186, 189, 188, 187, 180, 181, 27];
    pub(super) const ABOUT_A_PROCESS: &[u32] = &[118, 119, 122, 274];
    pub(super) const IOPRIO_SET: u32 = 30;
    pub(super) const ATTRIBUTES: &[u32] = &[52, 53, 88];
    pub(super) const OWNERS: &[u32] = &[54, 55];
    pub(super) const EXTENDED: &[u32] = &[5, 6, 7, 14, 15, 16];
    pub(super) const OLD_TIMES: &[u32] = &[];
}

/// The same numbers everywhere, in this order: io_uring_setup, _enter, _register; open_tree, move_mount, fsopen,
/// fsconfig, fsmount, fspick; pidfd_getfd, process_madvise, mount_setattr, quotactl_fd, memfd_secret, process_mrelease;
/// statmount, listmount, lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules; open_tree_attr, listns.
const DENIED_EVERYWHERE: [u32; 22] = [
    425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 443, 447, 448, 457, 458, 459, 460, 461, 467,
    470,
];
const CLONE3: u32 = 435;
const FCHMODAT2: u32 = 452;
/// setxattrat and removexattrat, file_setattr.
const EXTENDED_EVERYWHERE: [u32; 3] = [463, 466, 469];
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const SOCK_STREAM: u32 = 1;
const SOCK_SEQPACKET: u32 = 5;
/// The type of a socket without the flags beside it.
const SOCK_TYPE: u32 = 0xf;
/// TIOCSTI and TIOCLINUX put characters into a terminal's input; TIOCSETD loads a driver for the line.
const TERMINAL_CONTROL: [u32; 3] = [0x5412, 0x541C, 0x5423];
/// FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FIOASYNC; FS_IOC_GETFLAGS, FS_IOC_FIEMAP; FICLONE, FICLONERANGE, which need a
/// file that is open for writing.
const FILE_CONTROL: [u32; 9] =
    [0x541B, 0x5421, 0x5450, 0x5451, 0x5452, 0x8008_6601, 0xC020_660B, 0x4004_9409, 0x4020_940D];
/// Every flag of clone that makes a namespace.
const CLONE_NEW_ANY: u32 = 0x7e02_0000;
/// Those personalities that ordinary programs ask for: the default, its 32-bit names, and the question itself.
const PERSONALITIES: [u32; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// System calls of the x32 table carry this bit; they would pass a filter by number.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
#[cfg(target_arch = "x86_64")]
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ASK: u32 = 0x7fc0_0000;
const KILL: u32 = 0x8000_0000;
const EPERM: u32 = 0x0005_0001;
const ENOTTY: u32 = 0x0005_0019;
const ENOSYS: u32 = 0x0005_0026;
const ENOTSUP: u32 = 0x0005_005f;
const EAFNOSUPPORT: u32 = 0x0005_0061;

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const FIRST: u32 = 16;
const SECOND: u32 = 24;

/// One instruction as `struct sock_filter` lays it out.
const fn instruction(code: u16, if_true: u8, if_false: u8, value: u32) -> u64 {
    code as u64 | (if_true as u64) << 16 | (if_false as u64) << 24 | (value as u64) << 32
}

const fn verdict(verdict: u32) -> u64 {
    instruction(RETURN, 0, 0, verdict)
}

/// Loads the lower half of an argument: all that the kernel itself looks at in the calls here.
const fn load(argument: u32) -> u64 {
    instruction(LOAD, 0, 0, argument)
}

/// Gives `then` when the loaded word equals `value`.
fn verdict_if(value: u32, then: u32) -> [u64; 2] {
    [instruction(JUMP_EQUAL, 0, 1, value), verdict(then)]
}

/// Allows any of the values of an argument and gives `otherwise` for the others.
fn only(argument: u32, values: &[u32], otherwise: u32) -> Vec<u64> {
    let mut body = vec![load(argument)];
    body.extend(values.iter().flat_map(|value| verdict_if(*value, ALLOW)));
    body.push(verdict(otherwise));
    body
}

/// Settles one system call by `body`, which always ends in a verdict and is short.
fn settle(program: &mut Vec<u64>, number: u32, body: &[u64]) {
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    program.push(instruction(JUMP_EQUAL, 0, length, number));
    program.extend_from_slice(body);
}

/// The filter for an audience.
pub(crate) fn program(audience: Audience) -> Vec<u64> {
    let mut program = vec![
        load(OFFSET_ARCH),
        instruction(JUMP_EQUAL, 1, 0, number::ARCH),
        verdict(KILL),
        load(OFFSET_NUMBER),
    ];
    #[cfg(target_arch = "x86_64")]
    program.extend([instruction(JUMP_AT_LEAST, 0, 1, X32_BIT), verdict(ENOSYS)]);
    program.extend(verdict_if(CLONE3, ENOSYS));
    for denied in number::DENIED.iter().chain(&DENIED_EVERYWHERE) {
        program.extend(verdict_if(*denied, EPERM));
    }
    settle(&mut program, number::IOCTL, &control(audience));
    settle(&mut program, number::PERSONALITY, &only(FIRST, &PERSONALITIES, EPERM));
    if audience != Audience::Helper {
        program.extend(verdict_if(number::MOUNT, EPERM));
        let any_namespace = instruction(JUMP_ANY_BIT, 0, 1, CLONE_NEW_ANY);
        settle(&mut program, number::CLONE, &[load(FIRST), any_namespace, verdict(EPERM), verdict(ALLOW)]);
    }
    match audience {
        Audience::Helper | Audience::Isolated => {
            let families = only(FIRST, &[AF_UNIX, AF_INET, AF_INET6], EAFNOSUPPORT);
            settle(&mut program, number::SOCKET, &families);
            settle(&mut program, number::SOCKETPAIR, &only(FIRST, &[AF_UNIX], EAFNOSUPPORT));
        }
        Audience::Beside { signals_kept } => beside(&mut program, signals_kept),
    }
    program.push(verdict(ALLOW));
    program
}

/// What becomes of device and file control.
fn control(audience: Audience) -> Vec<u64> {
    let mut body = vec![load(SECOND)];
    body.extend(TERMINAL_CONTROL.iter().flat_map(|call| verdict_if(*call, EPERM)));
    if let Audience::Beside { .. } = audience {
        // No mount is read-only there: who may read a file of the session's user could set its attributes, seal it, or make
        // snapshots of its directory.
        body.extend(FILE_CONTROL.iter().flat_map(|call| verdict_if(*call, ALLOW)));
        body.push(verdict(ENOTTY));
    } else {
        body.push(verdict(ALLOW));
    }
    body
}

/// What commands may not do that share their namespaces with the host. Some of it the keeper does for them: see
/// `attributes`.
fn beside(program: &mut Vec<u64>, signals_kept: bool) {
    for denied in number::DENIED_BESIDE.iter().chain(number::OWNERS) {
        program.extend(verdict_if(*denied, EPERM));
    }
    // Landlock looks at none of these.
    for asked in number::ATTRIBUTES.iter().chain([&FCHMODAT2]) {
        program.extend(verdict_if(*asked, ASK));
    }
    for denied in number::EXTENDED.iter().chain(&EXTENDED_EVERYWHERE) {
        program.extend(verdict_if(*denied, ENOTSUP));
    }
    for old in number::OLD_TIMES {
        program.extend(verdict_if(*old, ENOSYS));
    }
    // A socket in the file system belongs to a service of the host, and Landlock does not look at connecting to it. Ends
    // of a pair are connected already; only datagrams could still be sent elsewhere.
    program.extend(verdict_if(number::SOCKET, EAFNOSUPPORT));
    let mut pair = vec![load(FIRST), instruction(JUMP_EQUAL, 1, 0, AF_UNIX), verdict(EAFNOSUPPORT)];
    pair.extend([load(SECOND), instruction(AND, 0, 0, SOCK_TYPE)]);
    pair.extend([SOCK_STREAM, SOCK_SEQPACKET].iter().flat_map(|kind| verdict_if(*kind, ALLOW)));
    pair.push(verdict(EPERM));
    settle(program, number::SOCKETPAIR, &pair);
    // Processes of the same user could be slowed down, or killed by a limit.
    for about in number::ABOUT_A_PROCESS.iter().chain([&number::PRLIMIT64]) {
        settle(program, *about, &only(FIRST, &[0], EPERM));
    }
    const WHO_PROCESS: [(u32, u32); 2] = [(number::SETPRIORITY, 0), (number::IOPRIO_SET, 1)];
    for (call, process) in WHO_PROCESS {
        let mut body = vec![load(FIRST), instruction(JUMP_EQUAL, 1, 0, process), verdict(EPERM)];
        body.extend(only(SECOND, &[0], EPERM));
        settle(program, call, &body);
    }
    if !signals_kept {
        // Everything that this user runs.
        let body = [load(FIRST), instruction(JUMP_EQUAL, 0, 1, u32::MAX), verdict(EPERM), verdict(ALLOW)];
        settle(program, number::KILL, &body);
    }
}

/// Puts a filter on this process and what it starts. Without a filter it does nothing.
pub(crate) fn install(program: &[u64]) -> Result<()> {
    if program.is_empty() { Ok(()) } else { sys::install_filter(program) }
}
