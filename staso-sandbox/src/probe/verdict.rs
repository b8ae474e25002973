//! What became of an attempt, and how it is told.

use std::io::Write as _;

use crate::sys::Errno;

/// What an attempt comes to: a detail when it worked.
pub(crate) type Attempt = Result<String, Failure>;

/// Why an attempt did not work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The kernel refused it.
    Refused(Errno),
    /// It worked up to a bound.
    Limited(String),
    /// The attempt could not be made, so that nothing is known.
    Broken(String),
}

impl Failure {
    pub(crate) fn broken(why: &str) -> Self {
        Self::Broken(why.to_owned())
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(Errno::from(error))
    }
}

/// Marks a call that only prepares an attempt: its failure says nothing about the attempt.
pub(crate) trait Setup<T> {
    fn setup(self, step: &str) -> Result<T, Failure>;
}

impl<T, E: Into<Errno>> Setup<T> for Result<T, E> {
    fn setup(self, step: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::Broken(format!("{step}: {}", error.into().name())))
    }
}

/// An argument by position.
pub(crate) fn argument(arguments: &[String], at: usize) -> Result<&str, Failure> {
    arguments.get(at).map(String::as_str).ok_or_else(|| Failure::Broken(format!("argument {at} is missing")))
}

/// A numeric argument by position.
pub(crate) fn number<N: std::str::FromStr>(arguments: &[String], at: usize) -> Result<N, Failure> {
    argument(arguments, at)?.parse().map_err(|_| Failure::Broken(format!("argument {at} is no number")))
}

/// Prints the verdict. Nobody listening is no reason to fail.
pub(crate) fn tell(attempt: &Attempt) {
    let line = match attempt {
        Ok(detail) => format!("done {detail}"),
        Err(Failure::Refused(errno)) => errno.verdict(),
        Err(Failure::Limited(detail)) => format!("limited {detail}"),
        Err(Failure::Broken(why)) => format!("broken {why}"),
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "verdict: {}", line.replace(['\n', '\r'], " ").trim_end());
    let _ = out.flush();
}
