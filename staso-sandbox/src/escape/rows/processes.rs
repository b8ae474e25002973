//! Processes of the host and of the session.

use crate::escape::claims::Claims;
use crate::escape::row::{Group, Need, Row, Setting, Try, attempts, scenario};
use crate::escape::scenarios::Scenario;

/// Where only who has CAP_SYS_PTRACE may look into processes, or nobody.
const LOOK_INTO: Need = Need::Setting(Setting {
    file: "/proc/sys/kernel/yama/ptrace_scope",
    most: 1,
    most_privileged: 2,
    capability: Some(19),
});

const fn row(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    attempts(number, Group::Processes, claims, title, expected, tries)
}

const fn told(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    kind: Scenario,
) -> Row {
    scenario(number, Group::Processes, claims, title, expected, kind)
}

pub(super) const ROWS: &[Row] = &[
    row(
        21,
        Claims::ALL,
        "list processes of the host",
        "unseen",
        &[Try::denied("find-process {mark} {mark-end}")],
    ),
    told(22, Claims::ALL, "kill a process of the host", "denied", Scenario::KillHostProcess),
    row(
        23,
        Claims::ALL,
        "take control of a process, of process 1",
        "denied",
        &[
            Try::denied("ptrace {victim}").needs(LOOK_INTO),
            Try::denied("ptrace 1").outside("ptrace {victim}").needs(LOOK_INTO),
        ],
    ),
    row(
        24,
        Claims::ALL,
        "read the environment of a process, of process 1",
        "denied",
        &[
            Try::denied("environ {victim}"),
            Try::denied("environ 1").outside("environ {victim}").claimed_by(Claims::FILTER),
        ],
    ),
    row(
        25,
        Claims::ALL,
        "read the memory of a process, of process 1",
        "denied",
        &[
            Try::denied("vm-read {victim} {address}").needs(LOOK_INTO),
            Try::denied("vm-read 1 {address}").outside("vm-read {victim} {address}").needs(LOOK_INTO),
            Try::denied("kcmp {victim}").needs(Need::Kernel),
            Try::denied("kcmp 1").outside("kcmp {victim}").needs(Need::Kernel),
        ],
    ),
    row(
        26,
        Claims::ALL,
        "take a descriptor of a process, of process 1",
        "denied",
        &[
            Try::denied("take-descriptor {victim}").needs(LOOK_INTO),
            Try::denied("take-descriptor 1").outside("take-descriptor {victim}").needs(LOOK_INTO),
        ],
    ),
    told(27, Claims::ALL, "leave daemons when a command ends", "dead", Scenario::DaemonsAfterExec),
    told(28, Claims::ALL, "leave daemons when the session is closed", "dead", Scenario::DaemonsAfterClose),
    told(29, Claims::ALL, "SIGKILL of whatever serves the session", "everything dies", Scenario::KillHelper),
    told(30, Claims::ALL, "SIGKILL of the host process", "everything dies", Scenario::KillHost),
    told(
        31,
        Claims::ALL,
        "ignore every signal that can be ignored",
        "killed at the timeout",
        Scenario::Stubborn,
    ),
    told(
        77,
        Claims::NAMESPACES,
        "SIGKILL and SIGSTOP of process 1 from inside",
        "the session lives on",
        Scenario::KillFirst,
    ),
];
