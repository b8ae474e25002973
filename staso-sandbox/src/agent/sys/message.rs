//! Descriptors sent from one process to another.

use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use super::{Errno, Result, recvmsg, sendmsg, setsockopt, socketpair, unit};

/// A connected pair of sockets that are closed on exec.
pub(crate) fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    const AF_UNIX: c_int = 1;
    const STREAM_CLOEXEC: c_int = 1 | 0o2_000_000;
    let mut fds = [0; 2];
    // SAFETY: the array holds two descriptors.
    unit(unsafe { socketpair(AF_UNIX, STREAM_CLOEXEC, 0, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel just made both descriptors for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Lets nobody wait longer for the other end of a socket, at a time.
pub(crate) fn limit_waiting(socket: RawFd, receiving: Duration, sending: Duration) -> Result<()> {
    const RECEIVE: c_int = 20;
    const SEND: c_int = 21;
    for (option, limit) in [(RECEIVE, receiving), (SEND, sending)] {
        let seconds = i64::try_from(limit.as_secs()).map_err(|_| Errno::INVAL)?;
        let time = [seconds, i64::from(limit.subsec_micros())];
        let value = time.as_ptr().cast();
        // SAFETY: the value has the layout of C's `struct timeval` and lives through the call.
        unit(unsafe { setsockopt(socket, SOL_SOCKET, option, value, TIME_BYTES) })?;
    }
    Ok(())
}

const TIME_BYTES: u32 = 16;
const SOL_SOCKET: c_int = 1;
const SCM_RIGHTS: c_int = 1;

/// As C's `struct msghdr`; the padding of musl's narrower fields is zero here.
#[repr(C)]
pub(super) struct Message {
    name: *mut c_void,
    name_length: u32,
    parts: *mut Part,
    part_count: usize,
    control: *mut c_void,
    control_length: usize,
    flags: c_int,
}

/// As C's `struct iovec`.
#[repr(C)]
struct Part {
    start: *mut c_void,
    length: usize,
}

/// As C's `struct cmsghdr`, followed by descriptors.
#[repr(C)]
struct FdMessage<const COUNT: usize> {
    length: usize,
    level: c_int,
    kind: c_int,
    fds: [c_int; COUNT],
}

/// Sends bytes with descriptors; gives the number of bytes that were sent.
pub(crate) fn send_with_fds<const COUNT: usize>(
    socket: RawFd,
    bytes: &[u8],
    fds: [RawFd; COUNT],
) -> Result<usize> {
    const MSG_NOSIGNAL: c_int = 0x4000;
    let length = length_of::<COUNT>();
    let mut control = FdMessage { length, level: SOL_SOCKET, kind: SCM_RIGHTS, fds };
    let mut part = Part { start: bytes.as_ptr().cast_mut().cast(), length: bytes.len() };
    let message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call, and sending only reads them.
    let count = unsafe { sendmsg(socket, &raw const message, MSG_NOSIGNAL) };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Receives bytes, and descriptors when they came with them.
pub(crate) fn receive_with_fds<const COUNT: usize>(
    socket: RawFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<[OwnedFd; COUNT]>)> {
    const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
    let mut control = FdMessage { length: 0, level: 0, kind: 0, fds: [-1; COUNT] };
    let mut part = Part { start: buffer.as_mut_ptr().cast(), length: buffer.len() };
    let mut message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call and are as long as said.
    let count = unsafe { recvmsg(socket, &raw mut message, MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).map_err(|_| Errno::last())?;
    let complete = control.level == SOL_SOCKET
        && control.kind == SCM_RIGHTS
        && control.length == length_of::<COUNT>()
        && control.fds.iter().all(|fd| *fd >= 0);
    // SAFETY: the kernel just made these descriptors for us.
    let fds = complete.then(|| control.fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
    Ok((count, fds))
}

/// The length of a message of descriptors without what only aligns the next one.
const fn length_of<const COUNT: usize>() -> usize {
    std::mem::offset_of!(FdMessage<COUNT>, fds) + COUNT * size_of::<c_int>()
}

fn message<const COUNT: usize>(part: &mut Part, control: &mut FdMessage<COUNT>) -> Message {
    Message {
        name: std::ptr::null_mut(),
        name_length: 0,
        parts: part,
        part_count: 1,
        control: std::ptr::from_mut(control).cast(),
        control_length: size_of::<FdMessage<COUNT>>(),
        flags: 0,
    }
}
