//! Taking more than is due, and what is left behind.

use crate::escape::claims::Claims;
use crate::escape::row::{Group, Row, Try, attempts, scenario};
use crate::escape::scenarios::Scenario;

const fn row(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    attempts(number, Group::Abuse, claims, title, expected, tries)
}

const fn told(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    kind: Scenario,
) -> Row {
    scenario(number, Group::Abuse, claims, title, expected, kind)
}

pub(super) const ROWS: &[Row] = &[
    row(
        56,
        Claims::ALL,
        "start processes and threads without end",
        "limited",
        &[Try::limited("forks 80"), Try::limited("threads 80")],
    ),
    row(
        57,
        Claims::ALL,
        "take memory without end, in one process and in many",
        "limited",
        &[
            Try::limited("memory 528"),
            Try::limited("memory-tree 11 48").waived_by("control group"),
            Try::limited("memory-file 528").waived_by("control group"),
        ],
    ),
    told(
        58,
        Claims::ALL,
        "fill the checkout",
        "limited, and the host's disk is the same",
        Scenario::FillCheckout,
    ),
    row(
        59,
        Claims::ALL,
        "fill the temporary directory and shared memory",
        "limited",
        // Outside, those of the host may be small themselves.
        &[
            Try::limited("fill /tmp 320").outside("fill {scratch} 320"),
            Try::limited("fill /dev/shm 320").outside("fill {scratch} 320"),
        ],
    ),
    row(
        60,
        Claims::ALL,
        "make files without end",
        "limited",
        // Where they are counted, this many are made before the next count.
        &[Try::limited("files . 4600").waived_by("counted now and then")],
    ),
    told(61, Claims::ALL, "print without end", "cut off, and the host does not grow", Scenario::Flood),
    told(
        62,
        Claims::ALL,
        "go on printing after the session is closed",
        "dropped",
        Scenario::OutputAfterClose,
    ),
    told(63, Claims::ALL, "a daemon that holds the output open", "the command ends", Scenario::HeldPipe),
    told(64, Claims::ALL, "use the processor without end", "killed", Scenario::Busy),
    row(
        65,
        Claims::ALL,
        "find secrets of the host in environments",
        "none",
        &[Try::denied("environment PATH HOME LANG TMPDIR"), Try::denied("find-secret {secret} {secret-end}")],
    ),
    told(
        66,
        Claims::ALL,
        "print what steers terminals and is no text",
        "bytes, as they are",
        Scenario::OddBytes,
    ),
    told(67, Claims::ALL, "open and close many sessions", "nothing is left", Scenario::Leftovers),
    told(68, Claims::FILTER, "a host without user namespaces", "fails closed", Scenario::NoNamespaces),
    told(69, Claims::ALL, "cancel a command", "ends in time, and its processes are dead", Scenario::Cancel),
    told(70, Claims::ALL, "look for another session", "unseen", Scenario::Neighbours),
];
