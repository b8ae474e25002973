//! Rows: what is tried, what is expected, and who promises it.

use super::claims::Claims;
use super::scenarios::Scenario;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Group {
    /// Files of the host and of the system.
    Files,
    /// Processes of the host and of the session.
    Processes,
    /// Privileges and system calls.
    Privileges,
    /// The network and other ways out.
    Network,
    /// Taking more than is due, and what is left behind.
    Abuse,
}

impl Group {
    /// The group in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Processes => "processes",
            Self::Privileges => "privileges",
            Self::Network => "network",
            Self::Abuse => "abuse",
        }
    }
}

/// One promise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) number: u16,
    pub(super) group: Group,
    /// What hostile code tries.
    pub(super) title: &'static str,
    /// What is to become of it.
    pub(super) expected: &'static str,
    pub(super) claims: Claims,
    pub(super) kind: Kind,
}

/// How a row is tried.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// By single attempts, all of which must come to what is expected.
    Attempts(&'static [Try]),
    /// By more than that.
    Scenario(Scenario),
}

/// What is expected of an attempt in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Refused, or there is nothing.
    Denied,
    /// Refused with this error.
    Exactly(&'static str),
    /// Refused, or the probe is killed by the filter.
    DeniedOrKilled,
    /// It works.
    Done,
    /// It works up to a bound, or is killed there.
    Limited,
}

/// What an attempt needs outside to succeed; where that lacks, the row has no control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing that not every host has.
    Nothing,
    /// This capability, by number and name.
    Capability(u8, &'static str),
    /// A kernel that has it, by its own word.
    Kernel,
    /// A kernel that has it, and a setting that lets the host.
    Setting(Setting),
    /// Namespaces that the host may make. What is tried on the stage `rooted` needs them anyway.
    Namespaces,
    /// Programs that run as their owner.
    SetUser,
    /// What not every machine has, and why.
    Luck(&'static str),
}

/// A setting of the kernel that forbids something from some value on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    /// Where the kernel shows it; a kernel without the file does not forbid it.
    pub(super) file: &'static str,
    /// The highest value that lets everyone.
    pub(super) most: i64,
    /// The highest value that lets who has the capability.
    pub(super) most_privileged: i64,
    pub(super) capability: Option<u8>,
}

/// One attempt: the arguments of the probe, with placeholders of the ground in braces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    pub(super) inside: &'static str,
    /// The arguments outside, when they differ.
    pub(super) outside: &'static str,
    pub(super) expected: Expected,
    pub(super) need: Need,
    /// Who promises it, when not all who promise the row.
    pub(super) claims: Option<Claims>,
    /// A session that lists a missing protection with this word does not promise it.
    pub(super) waived_by: Option<&'static str>,
    /// Whether the control runs as another user than root.
    pub(super) outside_unprivileged: bool,
    /// Whether only x86-64 has it.
    pub(super) x86_only: bool,
}

impl Try {
    const fn new(inside: &'static str, expected: Expected) -> Self {
        Self {
            inside,
            outside: inside,
            expected,
            need: Need::Nothing,
            claims: None,
            waived_by: None,
            outside_unprivileged: false,
            x86_only: false,
        }
    }

    pub(super) const fn denied(inside: &'static str) -> Self {
        Self::new(inside, Expected::Denied)
    }

    pub(super) const fn expecting(inside: &'static str, expected: Expected) -> Self {
        Self::new(inside, expected)
    }

    pub(super) const fn limited(inside: &'static str) -> Self {
        Self::new(inside, Expected::Limited)
    }

    pub(super) const fn outside(mut self, arguments: &'static str) -> Self {
        self.outside = arguments;
        self
    }

    pub(super) const fn needs(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    pub(super) const fn where_there_is(self, why: &'static str) -> Self {
        self.needs(Need::Luck(why))
    }

    pub(super) const fn claimed_by(mut self, claims: Claims) -> Self {
        self.claims = Some(claims);
        self
    }

    pub(super) const fn waived_by(mut self, word: &'static str) -> Self {
        self.waived_by = Some(word);
        self
    }

    pub(super) const fn unprivileged_outside(mut self) -> Self {
        self.outside_unprivileged = true;
        self
    }

    pub(super) const fn on_x86_only(mut self) -> Self {
        self.x86_only = true;
        self
    }
}

/// A row of single attempts.
pub(super) const fn attempts(
    number: u16,
    group: Group,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    tries: &'static [Try],
) -> Row {
    Row { number, group, title, expected, claims, kind: Kind::Attempts(tries) }
}

/// A row that takes more.
pub(super) const fn scenario(
    number: u16,
    group: Group,
    claims: Claims,
    title: &'static str,
    expected: &'static str,
    scenario: Scenario,
) -> Row {
    Row { number, group, title, expected, claims, kind: Kind::Scenario(scenario) }
}
