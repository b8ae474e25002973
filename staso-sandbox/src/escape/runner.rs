//! Runs the rows.

use std::fs;
use std::os::unix::process::CommandExt as _;

use staso_core::run::RunContext;
use staso_core::sandbox::{Isolation, IsolationTier, Sandbox, SandboxLimits};

use super::ground::Ground;
use super::host;
use super::inside::Inside;
use super::outcome::Outcome;
use super::probe::outcome_of;
use super::report::{AttemptReport, Report, RowReport};
use super::row::{Expected, Group, Kind, Need, Row, Try};
use super::rows;
use super::scenarios;
use super::verdict::Verdict;

/// Another user than root, for controls that must not have its rights.
const NOBODY: u32 = 65_534;
/// What the kernel says when it has no such thing at all.
const NOT_IN_THE_KERNEL: [&str; 4] = ["ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];

/// Runs every row against a sandbox. It takes up to a minute and loads the machine.
///
/// Nothing fails here: what went wrong is in the report. Call [`Report::assert_clean`] on it.
pub async fn run(sandbox: &dyn Sandbox, ground: &Ground, ctx: &RunContext) -> Report {
    let first = Inside::open(sandbox, &ground.spec(), ctx).await;
    let isolation = match &first {
        Ok(inside) => inside.session.isolation().clone(),
        Err(_) => Isolation::new(ground.min_tier, ground.limits.clone()),
    };
    let tier = ground.judged_as.unwrap_or(isolation.tier);
    let run = Run { sandbox, ground, ctx, tier, missing: isolation.missing };
    let mut shared = first;
    let mut reports = Vec::new();
    for row in rows::all() {
        let mut attempts = Vec::new();
        let verdict = run.verdict(row, &mut shared, &mut attempts).await;
        let &Row { number, group, title, expected, .. } = row;
        reports.push(RowReport { number, group, title, expected, verdict, attempts });
    }
    Report {
        tier: isolation.tier,
        missing: run.missing,
        landlock_abi: isolation.landlock_abi,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        architecture: std::env::consts::ARCH,
        host_user: host::user(),
        rows: reports,
    }
}

/// One run of the suite.
pub(super) struct Run<'a> {
    pub(super) sandbox: &'a dyn Sandbox,
    pub(super) ground: &'a Ground,
    pub(super) ctx: &'a RunContext,
    pub(super) tier: IsolationTier,
    pub(super) missing: Vec<String>,
}

impl<'a> Run<'a> {
    /// Opens a session of its own for a row.
    pub(super) async fn open(&self) -> Result<Inside<'a>, Verdict> {
        self.open_with(&self.ground.limits).await
    }

    pub(super) async fn open_with(&self, limits: &SandboxLimits) -> Result<Inside<'a>, Verdict> {
        Inside::open(self.sandbox, &self.ground.spec().with_limits(limits.clone()), self.ctx).await
    }

    async fn verdict(
        &self,
        row: &Row,
        shared: &mut Result<Inside<'a>, Verdict>,
        reports: &mut Vec<AttemptReport>,
    ) -> Verdict {
        if !row.claims.include(self.tier) {
            return Verdict::NotClaimed(String::new());
        }
        let tries = match row.kind {
            Kind::Scenario(scenario) => return scenarios::run(self, scenario).await,
            Kind::Attempts(tries) => tries,
        };
        // An abused session, and one that died of it, is no place for other rows.
        let own = match (row.group, &*shared) {
            (Group::Abuse, _) => Some(self.open().await),
            (_, Ok(inside)) if inside.lives().await => None,
            _ => {
                *shared = self.open().await;
                None
            }
        };
        let inside = match own.as_ref().unwrap_or(shared) {
            Ok(inside) => inside,
            Err(verdict) => return verdict.clone(),
        };
        for attempt in tries {
            reports.push(AttemptReport { tried: attempt.inside, verdict: self.judge(inside, attempt).await });
        }
        let verdicts: Vec<Verdict> = reports.iter().map(|report| report.verdict.clone()).collect();
        Verdict::of_attempts(&verdicts)
    }

    /// Makes one attempt, outside and inside.
    async fn judge(&self, inside: &Inside<'_>, attempt: &Try) -> Verdict {
        if attempt.x86_only && std::env::consts::ARCH != "x86_64" {
            return Verdict::NotApplicable("only on x86-64".to_owned());
        }
        if attempt.claims.is_some_and(|claims| !claims.include(self.tier)) {
            return Verdict::NotClaimed(format!("`{}`", attempt.inside));
        }
        if let Some(word) = attempt.waived_by
            && let Some(missing) = self.missing.iter().find(|missing| missing.contains(word))
        {
            return Verdict::NotClaimed(format!("`{}`: the session says that {missing}", attempt.inside));
        }
        let (here, there) = (self.fill(attempt.inside), self.fill(attempt.outside));
        let (Some(here), Some(there)) = (here, there) else {
            return Verdict::NotApplicable(format!("`{}`: this machine has no such address", attempt.inside));
        };
        let control = match attempt.need {
            Need::Never(why) => Ok(Some(why.to_owned())),
            need => control(need, &self.outside(&there, attempt.outside_unprivileged)),
        };
        let outcome = inside.attempt(&here).await;
        let seen = format!("`{}`: {outcome}", attempt.inside);
        if !meets(attempt.expected, &outcome) {
            return match (&outcome, attempt.expected) {
                (Outcome::Broken(_), _) | (_, Expected::Done) => Verdict::Broken(seen),
                _ => Verdict::Escaped(seen),
            };
        }
        match control {
            Ok(None) => Verdict::Held(seen),
            Ok(Some(why)) => Verdict::HeldUncontrolled(format!("{seen} ({why})")),
            Err(why) => Verdict::ControlFailed(format!("`{}` outside: {why}", attempt.outside)),
        }
    }

    fn outside(&self, arguments: &[String], unprivileged: bool) -> Outcome {
        let mut command = self.ground.probe.command(arguments);
        if unprivileged && host::user() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        outcome_of(command)
    }

    /// The arguments of an attempt with the ground's own names; none when this machine has no such thing.
    pub(super) fn fill(&self, template: &str) -> Option<Vec<String>> {
        template.split(' ').map(|word| self.fill_word(word)).collect()
    }

    fn fill_word(&self, word: &str) -> Option<String> {
        let Some((before, rest)) = word.split_once('{') else { return Some(word.to_owned()) };
        let (name, after) = rest.split_once('}')?;
        Some(format!("{before}{}{after}", self.ground.place(name)?))
    }
}

/// Whether an attempt outside shows that the one inside means something; otherwise why it could not.
fn control(need: Need, outcome: &Outcome) -> Result<Option<String>, String> {
    let lacks = match outcome {
        Outcome::Done(_) => return Ok(None),
        Outcome::Denied(error) => NOT_IN_THE_KERNEL.contains(&error.as_str()),
        Outcome::Absent(_) => true,
        _ => false,
    };
    match need {
        Need::Capability(number, name) if host::capabilities() & (1 << number) == 0 => {
            Ok(Some(format!("the host lacks {name}")))
        }
        Need::Capability(..) | Need::Kernel if lacks => {
            Ok(Some(format!("not in this machine's kernel: {outcome}")))
        }
        _ => Err(outcome.to_string()),
    }
}

fn meets(expected: Expected, outcome: &Outcome) -> bool {
    const SIGSYS: i32 = 31;
    match expected {
        Expected::Denied => outcome.is_refused(),
        Expected::Exactly(error) => matches!(outcome, Outcome::Denied(seen) if seen == error),
        Expected::DeniedOrKilled => outcome.is_refused() || *outcome == Outcome::Killed(SIGSYS),
        Expected::Done => outcome.is_done(),
        Expected::Limited => {
            outcome.is_refused() || matches!(outcome, Outcome::Limited(_) | Outcome::Killed(_))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_a_denial() {
        let denied = |outcome| meets(Expected::Denied, &outcome);
        assert!(denied(Outcome::Denied("EPERM".to_owned())) && denied(Outcome::Absent("ENOENT".to_owned())));
        for other in [
            Outcome::Done(String::new()),
            Outcome::Limited(String::new()),
            Outcome::Killed(9),
            Outcome::TimedOut,
            Outcome::Broken(String::new()),
        ] {
            assert!(!denied(other.clone()), "{other}");
        }
        assert!(!meets(Expected::Exactly("ENOSYS"), &Outcome::Denied("EPERM".to_owned())));
    }

    #[test]
    fn a_control_that_fails_needs_a_reason() {
        let refused = Outcome::Denied("EPERM".to_owned());
        assert!(control(Need::Nothing, &refused).is_err());
        assert!(control(Need::Kernel, &refused).is_err(), "a refusal is not a lack");
        assert!(control(Need::Kernel, &Outcome::Denied("ENOSYS".to_owned())).is_ok());
        assert_eq!(control(Need::Nothing, &Outcome::Done(String::new())), Ok(None));
        // No host has the last capability.
        assert!(control(Need::Capability(63, "CAP_OF_THE_FUTURE"), &refused).is_ok());
    }
}
