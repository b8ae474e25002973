//! Parts of the kernel that no test suite needs and that have the longest record of faults.

use crate::Verb;
use crate::sys::{self, Arg, Errno, anywhere, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("x32", x32),
    ("thirty-two-bit", thirty_two_bit),
    ("bpf", bpf),
    ("io-uring", io_uring),
    ("userfaultfd", userfaultfd),
    ("keyring", keyring),
    ("add-key", add_key),
    ("perf", perf),
    ("load-module", load_module),
    ("load-module-file", load_module_file),
    ("load-kernel", load_kernel),
    ("swap-on", swap_on),
    ("reboot", reboot),
    ("host-name", host_name),
    ("kernel-log", kernel_log),
    ("terminal", terminal),
    ("terminal-input", terminal_input),
    ("find-segment", find_segment),
    ("make-segment", make_segment),
    ("remove-segment", remove_segment),
];

/// Takes an error that shows that the kernel got past the question of rights as success: the calls are made with
/// arguments that do no harm.
fn reached(result: Result<i64, Errno>, errors: &[i32]) -> Attempt {
    match result {
        Err(errno) if errors.contains(&errno.0) => Ok(format!("the kernel went on to {}", errno.name())),
        other => Ok(other.map(|_| String::new())?),
    }
}

/// Makes a system call of the x32 table.
#[cfg(target_arch = "x86_64")]
fn x32(_: &[String]) -> Attempt {
    const X32_BIT: std::ffi::c_long = 0x4000_0000;
    call(X32_BIT | number::GETPID, [])?;
    Ok(String::new())
}

/// Makes a system call of the 32-bit table.
#[cfg(target_arch = "x86_64")]
fn thirty_two_bit(_: &[String]) -> Attempt {
    const GETPID_32: i64 = 20;
    const SIGSEGV: u64 = 11;
    const SIGSYS: i64 = 31;
    let child = sys::fork(0).setup("make a child")?;
    if child == 0 {
        let mut value = GETPID_32;
        // SAFETY: the call takes no arguments and changes no register but its result; the kernel may clear r8 to r11.
        unsafe {
            std::arch::asm!("int 0x80", inout("rax") value, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        sys::exit(i64::from(value & 0xffff_ffff != sys::current_pid()));
    }
    let (_, status) = sys::wait(child).setup("wait for the child")?;
    match status {
        0 => Ok(String::new()),
        // A kernel without the table knows no such interrupt.
        status if status & 0x7f == SIGSEGV || status & 0x7f == 0 => Err(Errno(38).into()),
        _ => {
            let _ = sys::kill(sys::own_pid(), SIGSYS);
            Err(Failure::Broken(format!("the child ended with {status:#x}")))
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn x32(_: &[String]) -> Attempt {
    Err(Failure::broken("this processor has no such table"))
}

#[cfg(not(target_arch = "x86_64"))]
fn thirty_two_bit(_: &[String]) -> Attempt {
    Err(Failure::broken("this processor has no such table"))
}

/// Makes a map for kernel programs: an array of one 8-byte value with 4-byte keys.
fn bpf(_: &[String]) -> Attempt {
    const MAP_CREATE: i64 = 0;
    const ARRAY: u64 = 2;
    const SIZE: i64 = 72;
    let attributes = [ARRAY | 4 << 32, 8 | 1 << 32, 0, 0, 0, 0, 0, 0, 0];
    call(number::BPF, [n(MAP_CREATE), Arg::In(&attributes), n(SIZE)])?;
    Ok(String::new())
}

/// Makes a ring of requests.
fn io_uring(_: &[String]) -> Attempt {
    let mut parameters = [0u64; 16];
    call(anywhere::IO_URING_SETUP, [n(1), Arg::Out(&mut parameters)])?;
    Ok(String::new())
}

/// Handles page faults of this process.
fn userfaultfd(_: &[String]) -> Attempt {
    const USER_MODE_ONLY: i64 = 1;
    call(number::USERFAULTFD, [n(USER_MODE_ONLY)])?;
    Ok(String::new())
}

/// Finds the session's keyring.
fn keyring(_: &[String]) -> Attempt {
    const GET_KEYRING_ID: i64 = 0;
    const SESSION_KEYRING: i64 = -3;
    call(number::KEYCTL, [n(GET_KEYRING_ID), n(SESSION_KEYRING), n(1), n(0), n(0)])?;
    Ok(String::new())
}

/// Puts a key into the kernel.
fn add_key(_: &[String]) -> Attempt {
    const PROCESS_KEYRING: i64 = -2;
    call(
        number::ADD_KEY,
        [Arg::Text(c"user"), Arg::Text(c"staso-probe"), Arg::In(&[1]), n(1), n(PROCESS_KEYRING)],
    )?;
    Ok(String::new())
}

/// Counts events of this process, outside of the kernel.
fn perf(_: &[String]) -> Attempt {
    const SOFTWARE: u64 = 1;
    const SIZE: u64 = 112;
    const DUMMY: u64 = 9;
    const DISABLED_OUTSIDE_OF_KERNEL: u64 = 1 | 1 << 5 | 1 << 6;
    let mut attributes = [0u64; 14];
    attributes[..2].copy_from_slice(&[SOFTWARE | SIZE << 32, DUMMY]);
    attributes[5] = DISABLED_OUTSIDE_OF_KERNEL;
    call(number::PERF_EVENT_OPEN, [Arg::In(&attributes), n(0), n(-1), n(-1), n(0)])?;
    Ok(String::new())
}

/// ENOEXEC, EINVAL, and EKEYREJECTED where every module needs a signature.
const NO_MODULE: &[i32] = &[8, 22, 129];

/// Loads something into the kernel that is no module.
fn load_module(_: &[String]) -> Attempt {
    reached(call(number::INIT_MODULE, [Arg::In(&[0; 16]), n(128), Arg::Text(c"")]), NO_MODULE)
}

/// The same from a file.
fn load_module_file(_: &[String]) -> Attempt {
    let file = sys::open("/dev/null", 0, 0).setup("open a file")?;
    reached(call(number::FINIT_MODULE, [n(file), Arg::Text(c""), n(0)]), NO_MODULE)
}

/// Loads another kernel, with flags that none takes.
fn load_kernel(_: &[String]) -> Attempt {
    reached(call(number::KEXEC_LOAD, [n(0), n(0), n(0), n(0xffff)]), &[22, 99])
}

/// Swaps to a file that does not exist.
fn swap_on(_: &[String]) -> Attempt {
    reached(call(number::SWAPON, [Arg::Text(c"/staso-probe-no-such-file"), n(0)]), &[2])
}

/// Restarts the machine, without the numbers that make the kernel believe it.
fn reboot(_: &[String]) -> Attempt {
    reached(call(number::REBOOT, [n(0), n(0), n(0), n(0)]), &[22])
}

/// Names the machine, with a length that none takes.
fn host_name(_: &[String]) -> Attempt {
    reached(call(number::SETHOSTNAME, [n(0), n(-1)]), &[22])
}

/// Reads the kernel's messages.
fn kernel_log(_: &[String]) -> Attempt {
    const READ_ALL: i64 = 3;
    let mut text = [0u64; 8];
    Ok(format!("{} bytes", call(number::SYSLOG, [n(READ_ALL), Arg::Out(&mut text), n(64)])?))
}

/// Opens the terminal that controls this process.
fn terminal(_: &[String]) -> Attempt {
    sys::open("/dev/tty", sys::O_RDWR, 0)?;
    Ok(String::new())
}

/// Puts a character into the input of a terminal of its own, or if it cannot have one of that at descriptor 0; the
/// argument is added to the number of the request, whose upper half the kernel does not look at.
fn terminal_input(arguments: &[String]) -> Attempt {
    const TIOCSTI: i64 = 0x5412;
    let upper: i64 = parse(arguments, 0)?;
    let own = crate::stage::own_terminal().unwrap_or(0);
    call(number::IOCTL, [n(own), n(TIOCSTI | upper << 32), Arg::In(&[0x78])])?;
    Ok(String::new())
}

const OWN_AND_OTHERS: i64 = 0o666;

/// Finds shared memory by its key.
fn find_segment(arguments: &[String]) -> Attempt {
    call(number::SHMGET, [n(parse(arguments, 0)?), n(0), n(0)])?;
    Ok(String::new())
}

/// Makes shared memory.
pub(crate) fn make_segment(arguments: &[String]) -> Attempt {
    const IPC_CREAT: i64 = 0o1000;
    call(number::SHMGET, [n(parse(arguments, 0)?), n(4096), n(IPC_CREAT | OWN_AND_OTHERS)])?;
    Ok(String::new())
}

/// Removes shared memory.
pub(crate) fn remove_segment(arguments: &[String]) -> Attempt {
    const IPC_RMID: i64 = 0;
    let segment = call(number::SHMGET, [n(parse(arguments, 0)?), n(0), n(0)])?;
    call(number::SHMCTL, [n(segment), n(IPC_RMID), n(0)])?;
    Ok(String::new())
}
