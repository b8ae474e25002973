//! What a probe said.

use std::fmt;

use staso_core::sandbox::ExecOutput;

/// What became of one attempt, inside or outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It worked.
    Done(String),
    /// The kernel refused it, with this error.
    Denied(String),
    /// What was wanted is not there.
    Absent(String),
    /// It worked up to a bound.
    Limited(String),
    /// A signal ended the probe.
    Killed(i32),
    /// Its time was over.
    TimedOut,
    /// The attempt was not made, so that nothing is known.
    Broken(String),
}

impl Outcome {
    /// Reads what a probe printed and how it ended.
    pub(super) fn of(printed: &[u8], code: Option<i32>, signal: Option<i32>) -> Self {
        if let Some(signal) = signal {
            return Self::Killed(signal);
        }
        let text = String::from_utf8_lossy(printed);
        let said = text.lines().rev().find_map(|line| line.strip_prefix("verdict: "));
        let Some(said) = said else { return Self::Broken(format!("no verdict, exit code {code:?}")) };
        let (word, detail) = said.split_once(' ').unwrap_or((said, ""));
        let detail = shorten(detail);
        match word {
            "done" => Self::Done(detail),
            "denied" => Self::Denied(detail),
            "absent" => Self::Absent(detail),
            "limited" => Self::Limited(detail),
            _ => Self::Broken(detail),
        }
    }

    /// Reads what a command in a session came to.
    pub(super) fn of_output(output: &ExecOutput) -> Self {
        if output.exit.timed_out {
            return Self::TimedOut;
        }
        // A runtime in between reports the end by a signal as a shell does.
        let by_shell = output.exit.code.filter(|code| (129..160).contains(code)).map(|code| code - 128);
        Self::of(&output.stdout, output.exit.code, output.exit.signal.or(by_shell))
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// Whether it was refused or found nothing: the answer to hostile code.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Absent(_))
    }
}

fn shorten(detail: &str) -> String {
    const MOST: usize = 160;
    detail.chars().filter(|letter| !letter.is_control()).take(MOST).collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(detail) if detail.is_empty() => formatter.write_str("done"),
            Self::Done(detail) => write!(formatter, "done: {detail}"),
            Self::Denied(error) => write!(formatter, "denied, {error}"),
            Self::Absent(error) => write!(formatter, "absent, {error}"),
            Self::Limited(bound) => write!(formatter, "limited: {bound}"),
            Self::Killed(signal) => write!(formatter, "killed by signal {signal}"),
            Self::TimedOut => formatter.write_str("its time was over"),
            Self::Broken(why) => write!(formatter, "no attempt: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_verdict_counts_and_a_signal_outweighs_it() {
        let printed = b"ready 1\nverdict: broken first\nverdict: denied EPERM\n";
        assert_eq!(Outcome::of(printed, Some(0), None), Outcome::Denied("EPERM".to_owned()));
        assert_eq!(Outcome::of(printed, None, Some(31)), Outcome::Killed(31));
        assert!(matches!(Outcome::of(b"", Some(127), None), Outcome::Broken(_)));
        assert!(matches!(Outcome::of(b"verdict: odd\n", Some(0), None), Outcome::Broken(_)));
    }

    #[test]
    fn what_a_probe_says_cannot_steer_a_terminal() {
        let Outcome::Done(detail) = Outcome::of(b"verdict: done a\x1b[2Jb\n", Some(0), None) else {
            unreachable!("it says done")
        };
        assert_eq!(detail, "a[2Jb");
    }
}
