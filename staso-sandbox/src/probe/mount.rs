//! Mounts: making, changing and taking them away, and the calls that make a root.

use crate::Verb;
use crate::sys::{self, Arg, anywhere, call, n, number};
use crate::verdict::{Attempt, Setup as _, argument};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("mount", mount),
    ("remount", remount),
    ("set-mount", set_mount),
    ("umount", umount),
    ("fsopen", fsopen),
    ("open-tree", open_tree),
    ("pivot-root", pivot_root),
    ("chroot", chroot),
    ("on-mount", on_mount),
];

const MS_RDONLY: i64 = 1;
const MS_REMOUNT: i64 = 32;
const MS_BIND: i64 = 4096;

/// Where this process may have mounts of its own, the machine's are left alone: an attempt that succeeds must not harm.
fn spare_the_machine() {
    const MS_REC_PRIVATE: i64 = 0x4000 | 1 << 18;
    if call(number::UNSHARE, [n(sys::CLONE_NEWNS)]).is_ok() {
        let _ = call(number::MOUNT, [n(0), Arg::Text(c"/"), n(0), n(MS_REC_PRIVATE), n(0)]);
    }
}

/// Mounts a file system: kind, place.
fn mount(arguments: &[String]) -> Attempt {
    spare_the_machine();
    let kind = sys::text(argument(arguments, 0)?)?;
    let place = sys::text(argument(arguments, 1)?)?;
    call(number::MOUNT, [Arg::Text(&kind), Arg::Text(&place), Arg::Text(&kind), n(0), n(0)])?;
    Ok(String::new())
}

/// Makes a read-only mount writable.
fn remount(arguments: &[String]) -> Attempt {
    spare_the_machine();
    let place = sys::text(argument(arguments, 0)?)?;
    call(number::MOUNT, [n(0), Arg::Text(&place), n(0), n(MS_REMOUNT | MS_BIND), n(0)])?;
    Ok(String::new())
}

/// Makes a read-only mount writable with the newer call.
fn set_mount(arguments: &[String]) -> Attempt {
    const READ_ONLY: u64 = 1;
    spare_the_machine();
    let place = sys::text(argument(arguments, 0)?)?;
    let attributes = [0, READ_ONLY, 0, 0];
    let size = n(32);
    call(anywhere::MOUNT_SETATTR, [n(sys::AT_FDCWD), Arg::Text(&place), n(0), Arg::In(&attributes), size])?;
    Ok(String::new())
}

/// Takes a mount away.
fn umount(arguments: &[String]) -> Attempt {
    const MNT_DETACH: i64 = 2;
    spare_the_machine();
    let place = sys::text(argument(arguments, 0)?)?;
    call(number::UMOUNT2, [Arg::Text(&place), n(MNT_DETACH)])?;
    Ok(String::new())
}

/// Starts a new file system.
fn fsopen(_: &[String]) -> Attempt {
    call(anywhere::FSOPEN, [Arg::Text(c"tmpfs"), n(0)])?;
    Ok(String::new())
}

/// Copies a mount with those below it.
fn open_tree(arguments: &[String]) -> Attempt {
    const OPEN_TREE_CLONE: i64 = 1;
    const AT_RECURSIVE: i64 = 0x8000;
    let place = sys::text(argument(arguments, 0)?)?;
    call(anywhere::OPEN_TREE, [n(sys::AT_FDCWD), Arg::Text(&place), n(OPEN_TREE_CLONE | AT_RECURSIVE)])?;
    Ok(String::new())
}

/// Makes a mount the root.
fn pivot_root(arguments: &[String]) -> Attempt {
    spare_the_machine();
    let place = sys::text(argument(arguments, 0)?)?;
    call(number::PIVOT_ROOT, [Arg::Text(&place), Arg::Text(&place)])?;
    Ok(String::new())
}

/// Makes a directory the root.
fn chroot(arguments: &[String]) -> Attempt {
    let place = sys::text(argument(arguments, 0)?)?;
    call(number::CHROOT, [Arg::Text(&place)])?;
    Ok(String::new())
}

/// Goes on with a read-only mount over a directory: what the controls of the above need. It is a new one, because of what
/// others have set on theirs, nothing can be taken back in a namespace of one's own.
fn on_mount(arguments: &[String]) -> Attempt {
    const STEP: &str = "make a read-only mount";
    let place = sys::text(argument(arguments, 0)?)?;
    call(number::MOUNT, [Arg::Text(c"tmpfs"), Arg::Text(&place), Arg::Text(c"tmpfs"), n(0), n(0)])
        .setup(STEP)?;
    let read_only = n(MS_REMOUNT | MS_BIND | MS_RDONLY);
    call(number::MOUNT, [n(0), Arg::Text(&place), n(0), read_only, n(0)]).setup(STEP)?;
    crate::run(arguments.get(1..).unwrap_or_default())
}
