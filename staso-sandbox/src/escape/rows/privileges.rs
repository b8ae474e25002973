//! Privileges and system calls.

use crate::escape::claims::Claims;
use crate::escape::row::{Expected, Group, Need, Row, Setting, Try, attempts};

const RAISE: Need = Need::Capability(24, "CAP_SYS_RESOURCE");
const RINGS: Need = setting("/proc/sys/kernel/io_uring_disabled", [0, 1], 21);
const EVENTS: Need = setting("/proc/sys/kernel/perf_event_paranoid", [2, 9], 38);

const fn setting(file: &'static str, [most, most_privileged]: [i64; 2], capability: u8) -> Need {
    Need::Setting(Setting { file, most, most_privileged, capability: Some(capability) })
}

const fn row(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    attempts(number, Group::Privileges, claims, title, expected, tries)
}

pub(super) const ROWS: &[Row] = &[
    row(
        32,
        Claims::ALL,
        "run a program that is marked to run as its owner",
        "denied",
        &[
            Try::denied("run-set-user ./probe-set-user").needs(Need::SetUser).unprivileged_outside(),
            Try::denied("new-privileges").needs(Need::SetUser),
        ],
    ),
    row(
        33,
        Claims::ALL,
        "have a capability",
        "all sets are empty",
        &[
            Try::denied("capabilities").outside("rooted capabilities"),
            Try::denied("bounding-set").outside("rooted bounding-set").claimed_by(Claims::NAMESPACES),
        ],
    ),
    row(
        34,
        Claims::ALL,
        "leave a user namespace for one of its own",
        "denied",
        &[
            Try::denied("unshare 10000000").needs(Need::Namespaces),
            Try::denied("unshare 10020000").needs(Need::Namespaces),
            Try::denied("unshare 70020000").needs(Need::Namespaces),
            Try::denied("unshare 20000").outside("rooted unshare 20000"),
        ],
    ),
    row(
        35,
        Claims::ALL,
        "start a child in a user namespace of its own",
        "denied",
        &[
            Try::denied("clone 10000000").needs(Need::Namespaces),
            Try::denied("clone 30020000").needs(Need::Namespaces),
            Try::denied("clone 20000").outside("rooted clone 20000"),
        ],
    ),
    row(
        36,
        Claims::ALL,
        "clone3, whose flags no filter can read",
        "ENOSYS",
        &[
            Try::expecting("clone3 0", Expected::Exactly("ENOSYS")),
            Try::expecting("clone3 10000000", Expected::Exactly("ENOSYS")).needs(Need::Namespaces),
        ],
    ),
    row(37, Claims::ALL, "enter a namespace", "denied", &[Try::denied("setns").outside("rooted setns")]),
    row(38, Claims::ALL, "chroot", "denied", &[Try::denied("chroot .").outside("rooted chroot .")]),
    row(
        39,
        Claims::ALL,
        "system calls of the x32 table",
        "denied",
        &[Try::expecting("x32", Expected::DeniedOrKilled).needs(Need::Kernel).on_x86_only()],
    ),
    row(
        40,
        Claims::FILTER,
        "system calls of the 32-bit table",
        "killed",
        &[Try::expecting("thirty-two-bit", Expected::DeniedOrKilled).needs(Need::Kernel).on_x86_only()],
    ),
    row(41, Claims::ALL, "bpf", "denied", &[Try::denied("bpf").needs(Need::Capability(39, "CAP_BPF"))]),
    row(42, Claims::ALL, "io_uring", "denied", &[Try::denied("io-uring").needs(RINGS)]),
    row(43, Claims::ALL, "userfaultfd", "denied", &[Try::denied("userfaultfd").needs(Need::Kernel)]),
    row(
        44,
        Claims::ALL,
        "keys of the kernel",
        "denied",
        &[Try::denied("keyring").needs(Need::Kernel), Try::denied("add-key").needs(Need::Kernel)],
    ),
    row(45, Claims::ALL, "perf_event_open", "denied", &[Try::denied("perf").needs(EVENTS)]),
    row(
        46,
        Claims::ALL,
        "load a kernel module, load a kernel",
        "denied",
        &[
            Try::denied("load-module").needs(Need::Capability(16, "CAP_SYS_MODULE")),
            Try::denied("load-module-file").needs(Need::Capability(16, "CAP_SYS_MODULE")),
            Try::denied("load-kernel").needs(Need::Capability(22, "CAP_SYS_BOOT")),
        ],
    ),
    row(
        47,
        Claims::ALL,
        "type into the host's terminal",
        "denied",
        &[
            Try::denied("terminal").outside("in-terminal terminal"),
            Try::denied("terminal-input 0")
                .outside("in-terminal terminal-input 0")
                .claimed_by(Claims::FILTER)
                .needs(Need::Capability(21, "CAP_SYS_ADMIN")),
            Try::denied("terminal-input 1")
                .outside("in-terminal terminal-input 1")
                .claimed_by(Claims::FILTER)
                .needs(Need::Capability(21, "CAP_SYS_ADMIN")),
        ],
    ),
    row(
        78,
        Claims::ALL,
        "be root, be unfiltered",
        "denied",
        &[Try::denied("root-user").outside("rooted root-user"), Try::denied("no-filter")],
    ),
    row(
        79,
        Claims::ALL,
        "the machine: swap, restart, name, kernel log",
        "denied",
        &[
            Try::denied("swap-on").needs(Need::Capability(21, "CAP_SYS_ADMIN")),
            Try::denied("reboot").needs(Need::Capability(22, "CAP_SYS_BOOT")),
            Try::denied("host-name").outside("rooted host-name"),
            Try::denied("kernel-log").needs(Need::Capability(34, "CAP_SYSLOG")),
        ],
    ),
    row(
        80,
        Claims::ALL,
        "raise a limit, run before everything else",
        "denied",
        &[
            Try::denied("raise-limit 7").outside("lowered 7 raise-limit 7").needs(RAISE),
            Try::denied("raise-limit 4").outside("lowered 4 raise-limit 4").needs(RAISE),
            Try::denied("realtime").needs(Need::Capability(23, "CAP_SYS_NICE")),
        ],
    ),
    row(
        81,
        Claims::ALL,
        "crash, to start the host's program for crashes or to write a core file",
        "no core",
        &[Try::denied("core {crashes}").outside("core pipe")],
    ),
];
