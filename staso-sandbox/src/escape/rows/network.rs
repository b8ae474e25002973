//! The network and other ways out.

use crate::escape::claims::Claims;
use crate::escape::row::{Expected, Group, Need, Row, Try, attempts, scenario};
use crate::escape::scenarios::Scenario;

const RAW: Need = Need::Capability(13, "CAP_NET_RAW");
/// Nobody has the addresses of examples, and the kernel is only asked for the way: nothing leaves this machine, whatever the
/// sandbox is worth.
const NO_WAY: &str = "the host has no way there itself";

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
            Try::denied("route 192.0.2.1:443").where_there_is(NO_WAY),
            Try::denied("route [2001:db8::1]:443").where_there_is(NO_WAY),
        ],
    ),
    row(
        49,
        Claims::ALL,
        "UDP and DNS",
        "denied",
        &[
            Try::denied("udp {udp-out}"),
            Try::denied("route 198.51.100.53:53").where_there_is(NO_WAY),
            Try::denied("route [2001:db8::53]:53").where_there_is(NO_WAY),
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
            Try::denied("unix /var/run/docker.sock").where_there_is("not every host has an engine"),
            Try::denied("unix /run/podman/podman.sock").where_there_is("not every host has an engine"),
            Try::denied("unix /run/containerd/containerd.sock")
                .where_there_is("not every host has an engine"),
            Try::denied("unix /run/dbus/system_bus_socket").where_there_is("not every host has a bus"),
        ],
    ),
    row(
        55,
        Claims::ALL,
        "the metadata service of a cloud",
        "denied",
        &[
            Try::denied("route 169.254.169.254:80").where_there_is(NO_WAY),
            Try::denied("route [fd00:ec2::254]:80").where_there_is(NO_WAY),
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
