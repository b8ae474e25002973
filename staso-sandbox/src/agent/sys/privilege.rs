//! What a process gives up before it runs what it does not trust.

use std::ffi::{c_int, c_long, c_uint, c_ulong};

use super::{Errno, Result, check, number, prctl, syscall, unit};

const PR_SET_PDEATHSIG: c_int = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_KEEPCAPS: c_int = 8;
const PR_CAPBSET_DROP: c_int = 24;
const PR_SET_CHILD_SUBREAPER: c_int = 36;
const PR_SET_NO_NEW_PRIVS: c_int = 38;
const PR_CAP_AMBIENT: c_int = 47;

fn process_control(option: c_int, value: c_ulong) -> Result<()> {
    // SAFETY: none of the options used here takes a pointer.
    unit(unsafe { prctl(option, value, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) })
}

/// Dies with the parent.
pub(crate) fn die_with_parent() -> Result<()> {
    process_control(PR_SET_PDEATHSIG, 9)
}

/// Whether others of the same user may look into this process.
pub(crate) fn set_dumpable(dumpable: bool) -> Result<()> {
    process_control(PR_SET_DUMPABLE, c_ulong::from(dumpable))
}

/// Makes set-uid bits and file capabilities mean nothing, for ever.
pub(crate) fn no_new_privileges() -> Result<()> {
    process_control(PR_SET_NO_NEW_PRIVS, 1)
}

/// Takes every capability out of the bounding set and the ambient set.
pub(crate) fn drop_bounding_set() -> Result<()> {
    const CLEAR_ALL: c_ulong = 4;
    for capability in 0..64 {
        match process_control(PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(Errno::INVAL) if capability > 30 => break,
            Err(error) => return Err(error),
        }
    }
    process_control(PR_CAP_AMBIENT, CLEAR_ALL)
}

/// Lets the processes that descendants leave behind become children of this one.
pub(crate) fn adopt_orphans() -> Result<()> {
    process_control(PR_SET_CHILD_SUBREAPER, 1)
}

/// Keeps the permitted capabilities when root becomes another user.
pub(crate) fn keep_capabilities() -> Result<()> {
    process_control(PR_SET_KEEPCAPS, 1)
}

/// Gives up every capability.
pub(crate) fn drop_capabilities() -> Result<()> {
    set_capabilities(0)
}

/// Gives up every capability but one to read what others own, if this process has such a one.
pub(crate) fn keep_reading() -> Result<()> {
    const DAC_OVERRIDE: u32 = 1 << 1;
    const DAC_READ_SEARCH: u32 = 1 << 2;
    set_capabilities(DAC_READ_SEARCH)
        .or_else(|_| set_capabilities(DAC_OVERRIDE))
        .or_else(|_| set_capabilities(0))
}

fn set_capabilities(kept: u32) -> Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    // Effective, permitted, inheritable; then the same for capabilities above 31.
    let sets = [kept, kept, 0, 0, 0, 0];
    // SAFETY: header and sets have the layout of version 3 and live through the call.
    check(unsafe { syscall(number::CAPSET, header.as_ptr(), sets.as_ptr()) }).map(|_| ())
}

/// Drops the supplementary groups.
pub(crate) fn drop_groups() -> Result<()> {
    // SAFETY: a length of 0 reads no list.
    check(unsafe { syscall(number::SETGROUPS, 0usize, 0usize) }).map(|_| ())
}

/// Becomes another user and group.
pub(crate) fn become_user(user: u32, group: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { syscall(number::SETRESGID, group, group, group) })?;
    // SAFETY: takes no pointers.
    check(unsafe { syscall(number::SETRESUID, user, user, user) }).map(|_| ())
}

/// Leaves the host's session keyring for an empty one.
pub(crate) fn new_keyring() {
    const JOIN_SESSION_KEYRING: c_long = 1;
    // SAFETY: a null name makes an anonymous keyring. A kernel without keyrings has none to leave.
    unsafe { syscall(number::KEYCTL, JOIN_SESSION_KEYRING, 0usize) };
}

/// Bounds a resource, soft and hard. Where the host is bounded more tightly already, that bound stays.
pub(crate) fn set_limit(resource: c_int, value: u64) -> Result<()> {
    match limit(resource, Some([value, value])) {
        Err(Errno::PERM) => {
            let [_, hard] = limit(resource, None)?;
            let value = value.min(hard);
            limit(resource, Some([value, value])).map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

/// Sets the soft and the hard bound, if there are new ones; gives those from before.
fn limit(resource: c_int, new: Option<[u64; 2]>) -> Result<[u64; 2]> {
    let mut old = [0u64; 2];
    let new = new.as_ref().map_or(std::ptr::null(), |new| new.as_ptr());
    // SAFETY: both are two 64-bit integers, or none, and live through the call.
    check(unsafe { syscall(number::PRLIMIT64, 0usize, resource, new, old.as_mut_ptr()) })?;
    Ok(old)
}

/// As the kernel's `struct sock_fprog`.
#[repr(C)]
pub(super) struct FilterProgram<'a> {
    length: u16,
    filter: *const u64,
    borrowed: std::marker::PhantomData<&'a [u64]>,
}

impl<'a> FilterProgram<'a> {
    /// Points at the instructions.
    pub(super) fn new(program: &'a [u64]) -> Result<Self> {
        let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
        Ok(Self { length, filter: program.as_ptr(), borrowed: std::marker::PhantomData })
    }
}

/// Installs a system-call filter.
pub(crate) fn install_filter(program: &[u64]) -> Result<()> {
    const SET_MODE_FILTER: c_uint = 1;
    let program = FilterProgram::new(program)?;
    // SAFETY: the program is as long as said and lives through the call.
    check(unsafe { syscall(number::SECCOMP, SET_MODE_FILTER, 0usize, &raw const program) }).map(|_| ())
}
