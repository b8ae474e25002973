//! The network and other ways out.

use crate::escape::claims::Claims;
use crate::escape::row::{Expected, Group, Need, Row, Try, attempts, scenario};
use crate::escape::scenarios::Scenario;

const RAW: Need = Need::Capability(13, "CAP_NET_RAW");
const ELSEWHERE: &str = "nothing elsewhere is sure to answer";

const fn row(
    number: u16,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    attempts(number, Group::Network, claims, title, expected, tries)
}

pub(super) const ROWS: &[Row] = &[
    row(
        48,
        Claims::ALL,
        "TCP to an address that is not loopback",
        "denied",
        &[
            Try::denied("tcp {tcp-out}"),
            Try::denied("tcp 1.1.1.1:443").uncontrolled(ELSEWHERE),
            Try::denied("tcp [2606:4700:4700::1111]:443").uncontrolled(ELSEWHERE),
        ],
    ),
    row(
        49,
        Claims::ALL,
        "UDP and DNS",
        "denied",
        &[
            Try::denied("udp {udp-out}"),
            Try::denied("udp 1.1.1.1:53").uncontrolled(ELSEWHERE),
            Try::denied("udp [2606:4700:4700::1111]:53").uncontrolled(ELSEWHERE),
        ],
    ),
    row(
        50,
        Claims::ALL,
        "services of the host on loopback addresses",
        "denied",
        &[Try::denied("tcp {tcp}"), Try::denied("tcp {tcp6}"), Try::denied("udp {udp}")],
    ),
    row(51, Claims::NAMESPACES, "its own loopback", "works", &[Try::expecting("loopback", Expected::Done)]),
    row(
        52,
        Claims::ALL,
        "raw, packet, vsock, netlink and alg sockets",
        "denied",
        &[
            Try::denied("socket 2 3 1").needs(RAW),
            Try::denied("socket 10 3 58").needs(RAW),
            Try::denied("socket 17 3 0").needs(RAW),
            Try::denied("socket 40 1 0").needs(Need::Kernel),
            Try::denied("socket 16 3 0").claimed_by(Claims::FILTER),
            Try::denied("socket 16 3 12").claimed_by(Claims::FILTER).needs(Need::Kernel),
            Try::denied("socket 38 5 0").claimed_by(Claims::FILTER).needs(Need::Kernel),
            Try::denied("socket 44 3 0").needs(RAW),
        ],
    ),
    row(53, Claims::ALL, "abstract unix sockets of the host", "denied", &[Try::denied("abstract {name}")]),
    row(
        54,
        Claims::ALL,
        "unix sockets of the host by path: an engine's, and one that everyone may use",
        "absent",
        &[
            Try::denied("unix {socket}"),
            Try::denied("unix /var/run/docker.sock").uncontrolled("not every host has an engine"),
            Try::denied("unix /run/podman/podman.sock").uncontrolled("not every host has an engine"),
            Try::denied("unix /run/containerd/containerd.sock").uncontrolled("not every host has an engine"),
            Try::denied("unix /run/dbus/system_bus_socket").uncontrolled("not every host has a bus"),
        ],
    ),
    row(
        55,
        Claims::ALL,
        "the metadata service of a cloud",
        "denied",
        &[
            Try::denied("tcp 169.254.169.254:80").uncontrolled("not every host is in a cloud"),
            Try::denied("tcp [fd00:ec2::254]:80").uncontrolled("not every host is in a cloud"),
        ],
    ),
    row(82, Claims::ALL, "shared memory of the host", "absent", &[Try::denied("find-segment {segment}")]),
    scenario(
        83,
        Group::Network,
        Claims::ALL,
        "what the host process itself leaks: an open descriptor, secrets in its environment",
        "nothing arrives",
        Scenario::LeakyHost,
    ),
];
