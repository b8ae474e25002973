//! Descriptors sent from one process to another.

use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use super::{Errno, Result, recvmsg, sendmsg, socketpair, unit};

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

/// Descriptors that travel together: those of one command.
pub(crate) const FDS_PER_MESSAGE: usize = 4;
const SOL_SOCKET: c_int = 1;
const SCM_RIGHTS: c_int = 1;

/// As C's `struct msghdr`; the padding of musl's narrower fields is zero here.
#[repr(C)]
pub(super) struct Message {
    name: *mut c_void,
    name_length: u32,
    parts: *mut Part,
    part_count: usize,
    control: *mut FdMessage,
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
struct FdMessage {
    length: usize,
    level: c_int,
    kind: c_int,
    fds: [c_int; FDS_PER_MESSAGE],
}

/// Sends bytes with descriptors; gives the number of bytes that were sent.
pub(crate) fn send_with_fds(socket: RawFd, bytes: &[u8], fds: [RawFd; FDS_PER_MESSAGE]) -> Result<usize> {
    const MSG_NOSIGNAL: c_int = 0x4000;
    let mut control = FdMessage { length: size_of::<FdMessage>(), level: SOL_SOCKET, kind: SCM_RIGHTS, fds };
    let mut part = Part { start: bytes.as_ptr().cast_mut().cast(), length: bytes.len() };
    let message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call, and sending only reads them.
    let count = unsafe { sendmsg(socket, &raw const message, MSG_NOSIGNAL) };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Receives bytes, and descriptors when they came with them.
pub(crate) fn receive_with_fds(
    socket: RawFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<[OwnedFd; FDS_PER_MESSAGE]>)> {
    const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
    let mut control = FdMessage { length: 0, level: 0, kind: 0, fds: [-1; FDS_PER_MESSAGE] };
    let mut part = Part { start: buffer.as_mut_ptr().cast(), length: buffer.len() };
    let mut message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call and are as long as said.
    let count = unsafe { recvmsg(socket, &raw mut message, MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).map_err(|_| Errno::last())?;
    let complete = control.level == SOL_SOCKET
        && control.kind == SCM_RIGHTS
        && control.length == size_of::<FdMessage>()
        && control.fds.iter().all(|fd| *fd >= 0);
    // SAFETY: the kernel just made these descriptors for us.
    let fds = complete.then(|| control.fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
    Ok((count, fds))
}

fn message(part: &mut Part, control: &mut FdMessage) -> Message {
    Message {
        name: std::ptr::null_mut(),
        name_length: 0,
        parts: part,
        part_count: 1,
        control,
        control_length: size_of::<FdMessage>(),
        flags: 0,
    }
}
