//! The program of a command: from a process of the helper to the program itself.

use std::ffi::{CString, c_char};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, RawFd};

use crate::sys::{self, Errno};
use crate::wire::{Command, Limits};

/// The descriptor through which a program that cannot be started is reported: four bytes of an error number.
pub(crate) const FAILURE: RawFd = 3;
/// Sent before that with the descriptor at which the filter's questions arrive.
pub(crate) const LISTENS: u8 = 1;
/// The descriptor of the rules that it puts on itself, if there are some.
const RULES: RawFd = 4;

const RLIMIT_CPU: i32 = 0;
const RLIMIT_FSIZE: i32 = 1;
const RLIMIT_DATA: i32 = 2;
const RLIMIT_CORE: i32 = 4;
const RLIMIT_NPROC: i32 = 6;
const RLIMIT_NOFILE: i32 = 7;

/// Everything that the program needs, in the form that the kernel takes.
pub(crate) struct Program {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    /// A filter that hands some calls to the keeper; empty without one.
    filter: Vec<u64>,
}

impl Program {
    /// What a command asks for, in a checkout at `workspace`.
    pub(crate) fn new(command: &Command, workspace: &CString, filter: Vec<u64>) -> Result<Self, Errno> {
        let text = |bytes: &Vec<u8>| CString::new(bytes.as_slice()).map_err(|_| Errno::INVAL);
        let all = |list: &[Vec<u8>]| list.iter().map(text).collect::<Result<Vec<_>, _>>();
        let name = command.argv.first().filter(|name| !name.is_empty()).ok_or(Errno::INVAL)?;
        let search = command.env.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(b"/usr/bin");
        let candidates = if name.contains(&b'/') {
            vec![name.clone()]
        } else {
            search.split(|byte| *byte == b':').map(|dir| [dir, b"/", name].concat()).collect()
        };
        let cwd = [workspace.to_bytes(), b"/", &command.cwd].concat();
        Ok(Self {
            candidates: all(&candidates)?,
            argv: all(&command.argv)?,
            env: all(&command.env)?,
            cwd: text(&cwd)?,
            filter,
        })
    }

    /// Becomes the program, or says why not. The descriptors are those of the program, then the one to report through,
    /// then the rules.
    pub(crate) fn run(&self, fds: &[RawFd], limits: &Limits) -> Errno {
        let ready = sys::place_fds(fds).and_then(|()| self.confine(limits, RULES.lt(&count(fds))));
        match ready {
            Ok(()) => self.exec(),
            Err(error) => error,
        }
    }

    fn confine(&self, limits: &Limits, has_rules: bool) -> Result<(), Errno> {
        use std::os::unix::ffi::OsStrExt as _;
        sys::set_close_on_exec(FAILURE);
        sys::new_session();
        sys::block_child_signal(false);
        sys::ignore_broken_pipes(false);
        // Should the kernel run out of memory, the helper is to survive the command. The files of a process that is closed
        // to others belong to the host's root; until the program starts this one still has the helper's memory.
        sys::set_dumpable(true)?;
        std::fs::write("/proc/self/oom_score_adj", "1000")?;
        sys::set_dumpable(false)?;
        self.bound(limits)?;
        sys::drop_capabilities()?;
        std::env::set_current_dir(std::ffi::OsStr::from_bytes(self.cwd.to_bytes()))?;
        if has_rules {
            sys::set_close_on_exec(RULES);
            // SAFETY: the descriptor was just placed there and stays open.
            let rules = unsafe { BorrowedFd::borrow_raw(RULES) };
            sys::landlock::restrict(rules.as_fd())?;
        }
        if !self.filter.is_empty() {
            let listener = sys::notify::install(&self.filter)?;
            sys::send_with_fds(FAILURE, &[LISTENS], [listener.as_raw_fd()])?;
        }
        Ok(())
    }

    fn bound(&self, limits: &Limits) -> Result<(), Errno> {
        for (resource, value) in [
            (RLIMIT_CPU, limits.cpu_seconds),
            (RLIMIT_FSIZE, limits.disk_bytes),
            (RLIMIT_DATA, limits.data_bytes),
            // With 0 the kernel would still start the host's program for crashes, as the host's root; 1 means neither
            // that nor a file.
            (RLIMIT_CORE, 1),
            (RLIMIT_NOFILE, limits.open_files),
        ] {
            sys::set_limit(resource, value)?;
        }
        if limits.pids > 0 { sys::set_limit(RLIMIT_NPROC, limits.pids) } else { Ok(()) }
    }

    fn exec(&self) -> Errno {
        let list = |strings: &[CString]| -> Vec<*const c_char> {
            strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, env) = (list(&self.argv), list(&self.env));
        let mut error = Errno::NOENT;
        for candidate in &self.candidates {
            match sys::exec(candidate, &argv, &env) {
                Errno::NOENT | Errno::NOTDIR => {}
                other => error = other,
            }
        }
        error
    }
}

fn count(fds: &[RawFd]) -> RawFd {
    RawFd::try_from(fds.len()).unwrap_or(RawFd::MAX)
}
