//! No new module stands in for one that tests or programs import by the same name.

use super::PolicyViolation;
use crate::code::RepoPath;
use crate::fix::PatchFile;

/// Refuses a new Python module with the name of one of the standard library or of a test tool: where the interpreter
/// finds it first, it decides what a test run says.
pub(super) fn check(path: &RepoPath, file: &PatchFile) -> Result<(), PolicyViolation> {
    let taken = file.is_new().then(|| module(path)).flatten().filter(|name| is_taken(name));
    let Some(name) = taken else { return Ok(()) };
    let reason = format!("{path} would stand in for the module {name}, which others import");
    Err(PolicyViolation::new("shadowed-modules", reason))
}

/// The module that a file makes importable: its own name, or that of its package.
fn module(path: &RepoPath) -> Option<String> {
    let mut parts = path.components().rev();
    let name = parts.next()?.to_lowercase();
    let (stem, extension) = name.split_once('.')?;
    let is_module = ["py", "pyc", "pyw"].contains(&extension) || extension.ends_with("so");
    match stem {
        _ if !is_module => None,
        "__init__" | "__main__" => parts.next().map(str::to_lowercase),
        _ => Some(stem.to_owned()),
    }
}

fn is_taken(name: &str) -> bool {
    [STANDARD, TEST_TOOLS].iter().any(|names| names.split_whitespace().any(|taken| taken == name))
}

/// `sys.stdlib_module_names` of Python 3.11 and 3.13, without those that begin with `_`.
const STANDARD: &str = "abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 \
    bdb binascii bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall \
    compression concurrent configparser contextlib contextvars copy copyreg cprofile crypt csv ctypes curses dataclasses \
    datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp \
    fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq \
    hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale \
    logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt \
    ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform \
    plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri \
    random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site \
    smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string \
    stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap \
    this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing \
    unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc \
    zipapp zipfile zipimport zlib zoneinfo";
const TEST_TOOLS: &str = "pytest _pytest pluggy iniconfig packaging pygments exceptiongroup tomli nose nose2 coverage hypothesis \
    xdist anyio mock _io _thread _weakref _collections_abc _py_abc _pydecimal _strptime _bootlocale __future__ zope twisted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_a_file() {
        for (path, name) in [
            ("unittest.py", Some("unittest")),
            ("UnitTest/__init__.py", Some("unittest")),
            ("src/unittest/__main__.py", Some("unittest")),
            ("json.cpython-311-x86_64-linux-gnu.so", Some("json")),
            ("unittest/x.py", Some("x")),
            ("json.txt", None),
        ] {
            assert_eq!(module(&RepoPath::new(path).unwrap()).as_deref(), name, "{path}");
        }
        assert!(is_taken("argparse") && is_taken("pytest") && !is_taken("shop"));
    }
}
