//! Files of the host and of the system.

use crate::escape::claims::Claims;
use crate::escape::row::{Group, Need, Row, Try, attempts, scenario};
use crate::escape::scenarios::Scenario;

const READ_ANY: Need = Need::Capability(1, "CAP_DAC_OVERRIDE");
const NOT_EVERYWHERE: &str = "not every machine has it";

const fn row(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    attempts(number, Group::Files, claims, title, expected, tries)
}

const fn told(number: u16, title: &'static str, expected: &'static str, kind: Scenario) -> Row {
    scenario(number, Group::Files, Claims::ALL, title, expected, kind)
}

pub(super) const ROWS: &[Row] = &[
    row(
        1,
        Claims::ALL,
        "read /etc/shadow, and a file that everyone may read",
        "denied",
        &[
            Try::denied("read /etc/shadow").needs(READ_ANY),
            Try::denied("read {canary}"),
            Try::denied("read {public}/canary"),
        ],
    ),
    row(
        2,
        Claims::ALL,
        "read ~/.ssh",
        "denied",
        &[Try::denied("read {ssh}"), Try::denied("read /root").needs(READ_ANY)],
    ),
    row(
        3,
        Claims::ALL,
        "write /usr",
        "denied",
        &[Try::denied("create /usr").needs(READ_ANY), Try::denied("create /usr/bin").needs(READ_ANY)],
    ),
    row(
        4,
        Claims::ALL,
        "write /etc/passwd",
        "denied",
        &[
            Try::denied("write /etc/passwd").needs(READ_ANY),
            Try::denied("write /etc/ld.so.cache").needs(READ_ANY),
        ],
    ),
    row(
        5,
        Claims::ALL,
        "write /, and a directory of the host that everyone may write",
        "denied",
        &[Try::denied("create /").needs(READ_ANY), Try::denied("create {public}")],
    ),
    told(6, "read through a link that leads out of the checkout", "denied", Scenario::ReadThroughLink),
    told(
        7,
        "exchange a directory with a link while files in it are written and read",
        "denied",
        Scenario::SwapRace,
    ),
    told(8, "`..` in a path", "denied", Scenario::DotDot),
    told(9, "an absolute path, and others that no path of a checkout may be", "denied", Scenario::Absolute),
    row(
        10,
        Claims::ALL,
        "hard link of a file of the host into the checkout",
        "denied",
        &[Try::denied("link {public}/canary probe-hard-link")],
    ),
    row(
        11,
        Claims::ALL,
        "make a device",
        "denied",
        &[
            Try::denied("mknod probe-device b 7 0").needs(Need::Capability(27, "CAP_MKNOD")),
            Try::denied("mknod probe-memory c 1 1").needs(Need::Capability(27, "CAP_MKNOD")),
        ],
    ),
    row(
        12,
        Claims::ALL,
        "files of the host through the roots that procfs shows",
        "denied",
        &[Try::denied("through-root {canary}")],
    ),
    row(
        13,
        Claims::ALL,
        "the old root, above the root or beside it",
        "absent",
        &[Try::denied("climb {canary}")],
    ),
    row(
        14,
        Claims::ALL,
        "make a read-only mount writable",
        "denied",
        &[
            Try::denied("remount /usr").outside("rooted on-mount {scratch} remount {scratch}"),
            Try::denied("remount /").outside("rooted on-mount {scratch} remount {scratch}"),
            Try::denied("set-mount /usr").outside("rooted on-mount {scratch} set-mount {scratch}"),
            Try::denied("set-mount /").outside("rooted on-mount {scratch} set-mount {scratch}"),
        ],
    ),
    row(
        15,
        Claims::ALL,
        "take a mount away",
        "denied",
        &[
            Try::denied("umount /usr").outside("rooted on-mount {scratch} umount {scratch}"),
            Try::denied("umount .").outside("rooted on-mount {scratch} umount {scratch}"),
            Try::denied("umount /proc").outside("rooted on-mount {scratch} umount {scratch}"),
        ],
    ),
    row(
        16,
        Claims::ALL,
        "open a file by handle",
        "denied",
        &[Try::denied("handle . /dev/shm /").needs(Need::Capability(2, "CAP_DAC_READ_SEARCH"))],
    ),
    row(
        17,
        Claims::ALL,
        "use an inherited descriptor",
        "none",
        &[Try::denied("descriptors").outside("with-descriptor 9 /dev/null {probe} descriptors")],
    ),
    told(18, "write hooks of git, then a host operation", "no hook runs", Scenario::GitHooks),
    told(19, "set core.fsmonitor, then a host operation", "never runs on the host", Scenario::GitMonitor),
    told(
        20,
        "change every file of the checkout",
        "the checkout below is unchanged",
        Scenario::LowerUnchanged,
    ),
    row(
        71,
        Claims::ALL,
        "write anywhere but the checkout and the temporary directories",
        "nowhere",
        &[
            Try::denied("writable /tmp /dev/shm").outside("writable").claimed_by(Claims::NAMESPACES),
            Try::denied("writable").claimed_by(Claims::LANDLOCK),
        ],
    ),
    row(
        72,
        Claims::ALL,
        "settings of the kernel",
        "denied",
        &[
            Try::denied("write /proc/sys/kernel/core_pattern").needs(READ_ANY),
            Try::denied("write /proc/sysrq-trigger").needs(READ_ANY),
            Try::denied("write /sys/kernel/mm/transparent_hugepage/enabled").needs(READ_ANY),
            Try::denied("create-directory /sys/fs/cgroup").needs(READ_ANY),
        ],
    ),
    row(
        73,
        Claims::ALL,
        "devices of the host",
        "denied",
        &[
            Try::denied("device /dev/kmsg").needs(READ_ANY),
            Try::denied("device /dev/mem").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/kvm").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/fuse").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/net/tun").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/loop-control").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/sda").where_there_is(NOT_EVERYWHERE),
            Try::denied("device /dev/vda").where_there_is(NOT_EVERYWHERE),
        ],
    ),
    row(
        74,
        Claims::ALL,
        "make mounts, old way and new",
        "denied",
        &[
            Try::denied("mount tmpfs /tmp").outside("rooted mount tmpfs {scratch}"),
            Try::denied("mount proc /tmp").outside("rooted mount tmpfs {scratch}"),
            Try::denied("mount cgroup2 /tmp").outside("rooted mount cgroup2 {scratch}"),
            Try::denied("fsopen").outside("rooted fsopen"),
            Try::denied("open-tree /").outside("rooted open-tree /"),
            Try::denied("pivot-root .").outside("rooted on-mount {scratch} pivot-root {scratch}"),
        ],
    ),
    row(
        75,
        Claims::ALL,
        "overwrite the program of process 1, or of the parent",
        "denied",
        &[Try::denied("write /proc/1/exe").outside("write-parent"), Try::denied("write-parent")],
    ),
    told(76, "a tree that makes its reader hang", "changes are listed or refused in time", Scenario::Traps),
];
