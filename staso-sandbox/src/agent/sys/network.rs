//! The network of a session: nothing but its own loopback interface.

use std::ffi::{c_int, c_long, c_ulong};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::{Result, check, fd, ioctl, setns, socket, unit, unshare};

const CLONE_NEWNET: c_int = 0x4000_0000;

/// Puts the calling thread into a network namespace of its own.
pub(crate) fn new_network() -> Result<()> {
    // SAFETY: takes no pointers.
    unit(unsafe { unshare(CLONE_NEWNET) })
}

/// Puts the calling thread into a network namespace that is there.
pub(crate) fn enter_network(namespace: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes no pointers.
    unit(unsafe { setns(namespace.as_raw_fd(), CLONE_NEWNET) })
}

/// Brings the loopback interface up; gives the network namespace of the calling thread.
pub(crate) fn loopback_up() -> Result<OwnedFd> {
    const AF_INET: c_int = 2;
    const SOCK_DGRAM: c_int = 2 | 0o2_000_000;
    const SIOCSIFFLAGS: c_ulong = 0x8914;
    const SIOCGSKNS: c_ulong = 0x894C;
    const IFF_UP_RUNNING: u8 = 0x41;
    // SAFETY: takes no pointers.
    let socket = fd(c_long::from(unsafe { socket(AF_INET, SOCK_DGRAM, 0) }))?;
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16] = IFF_UP_RUNNING;
    // SAFETY: the request has the size of `struct ifreq`.
    unit(unsafe { ioctl(socket.as_raw_fd(), SIOCSIFFLAGS, request.as_ptr()) })?;
    // SAFETY: takes no pointers; the kernel makes a descriptor that is closed on exec.
    fd(check(c_long::from(unsafe { ioctl(socket.as_raw_fd(), SIOCGSKNS) }))?)
}
