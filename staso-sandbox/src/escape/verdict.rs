//! What a row comes to.

/// What became of one row of the suite, with a sentence that says what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The sandbox held, and the same attempts succeeded outside.
    Held(String),
    /// The sandbox held; outside, this machine could not make every attempt either, and the sentence says why it could
    /// not be otherwise: the host is not root, or its kernel has no such thing.
    HeldUncontrolled(String),
    /// The session's tier, or the session itself, says that it does not give this.
    NotClaimed(String),
    /// There is no such thing to try on this machine or with this ground.
    NotApplicable(String),
    /// The attempt got through.
    Escaped(String),
    /// The same attempt failed outside, so that holding against it means nothing.
    ControlFailed(String),
    /// The attempt could not be made or judged.
    Broken(String),
}

impl Verdict {
    /// Whether the report stays clean.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        !matches!(self, Self::Escaped(_) | Self::ControlFailed(_) | Self::Broken(_))
    }

    /// Whether the attempt got through.
    #[must_use]
    pub const fn is_escape(&self) -> bool {
        matches!(self, Self::Escaped(_))
    }

    /// What was seen.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Held(detail)
            | Self::HeldUncontrolled(detail)
            | Self::NotClaimed(detail)
            | Self::NotApplicable(detail)
            | Self::Escaped(detail)
            | Self::ControlFailed(detail)
            | Self::Broken(detail) => detail,
        }
    }

    /// The verdict in a word or two.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::HeldUncontrolled(_) => "held, without control",
            Self::NotClaimed(_) => "not claimed",
            Self::NotApplicable(_) => "not applicable",
            Self::Escaped(_) => "ESCAPED",
            Self::ControlFailed(_) => "CONTROL FAILED",
            Self::Broken(_) => "BROKEN",
        }
    }

    /// What outweighs what, among the attempts of a row.
    const fn gravity(&self) -> u8 {
        match self {
            Self::Escaped(_) => 6,
            Self::Broken(_) => 5,
            Self::ControlFailed(_) => 4,
            Self::Held(_) => 3,
            Self::HeldUncontrolled(_) => 2,
            Self::NotClaimed(_) => 1,
            Self::NotApplicable(_) => 0,
        }
    }

    /// The verdict of a row whose attempts came to these: the gravest failure, or that it held, with control if any
    /// attempt had one. What did not hold under control is told as well.
    pub(super) fn of_attempts(all: &[Self]) -> Self {
        let gravest = all.iter().max_by_key(|verdict| verdict.gravity());
        let Some(gravest) = gravest else { return Self::Broken("nothing was tried".to_owned()) };
        let told = |verdict: &&Self| match gravest.is_clean() {
            true => !verdict.detail().is_empty(),
            false => verdict.gravity() == gravest.gravity(),
        };
        let shown = |verdict: &Self| match verdict {
            Self::NotClaimed(detail) => format!("{detail} (not claimed)"),
            other => other.detail().to_owned(),
        };
        let details: Vec<String> = all.iter().filter(told).map(shown).collect();
        gravest.clone().with_detail(details.join("; "))
    }

    fn with_detail(self, detail: String) -> Self {
        match self {
            Self::Held(_) => Self::Held(detail),
            Self::HeldUncontrolled(_) => Self::HeldUncontrolled(detail),
            Self::NotClaimed(_) => Self::NotClaimed(detail),
            Self::NotApplicable(_) => Self::NotApplicable(detail),
            Self::Escaped(_) => Self::Escaped(detail),
            Self::ControlFailed(_) => Self::ControlFailed(detail),
            Self::Broken(_) => Self::Broken(detail),
        }
    }
}

/// A verdict, or one that came early.
pub(super) type Judged = Result<Verdict, Verdict>;

/// Shorthands for the ends of a scenario.
pub(super) fn held(detail: impl Into<String>) -> Judged {
    Ok(Verdict::Held(detail.into()))
}

/// As a failure, so that `?` and `return` both serve.
pub(super) fn escaped(detail: impl Into<String>) -> Judged {
    Err(Verdict::Escaped(detail.into()))
}

/// The attempt got through unless this holds.
pub(super) fn ensure(holds: bool, detail: impl Into<String>) -> Result<(), Verdict> {
    if holds { Ok(()) } else { Err(Verdict::Escaped(detail.into())) }
}

/// The control failed unless this holds.
pub(super) fn control(holds: bool, detail: impl Into<String>) -> Result<(), Verdict> {
    if holds { Ok(()) } else { Err(Verdict::ControlFailed(detail.into())) }
}

/// Names the step of something that cannot be judged.
pub(super) trait OrBroken<T> {
    fn or_broken(self, step: &str) -> Result<T, Verdict>;
}

impl<T, E: std::fmt::Display> OrBroken<T> for Result<T, E> {
    fn or_broken(self, step: &str) -> Result<T, Verdict> {
        self.map_err(|error| Verdict::Broken(format!("{step}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_escape_outweighs_everything_else() {
        let all = [
            Verdict::Held("a".to_owned()),
            Verdict::Escaped("b".to_owned()),
            Verdict::Broken("c".to_owned()),
            Verdict::Escaped("d".to_owned()),
        ];
        assert_eq!(Verdict::of_attempts(&all), Verdict::Escaped("b; d".to_owned()));
        assert!(!Verdict::of_attempts(&[]).is_clean(), "nothing tried is nothing held");
    }

    #[test]
    fn one_control_is_enough_and_what_had_none_is_told() {
        let all = [
            Verdict::HeldUncontrolled("a (no such device)".to_owned()),
            Verdict::Held("b".to_owned()),
            Verdict::NotClaimed("c".to_owned()),
        ];
        let told = "a (no such device); b; c (not claimed)".to_owned();
        assert_eq!(Verdict::of_attempts(&all), Verdict::Held(told));
    }
}
