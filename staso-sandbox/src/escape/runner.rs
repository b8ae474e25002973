//! Runs the rows.

use std::fs;
use std::os::unix::process::CommandExt as _;

use staso_core::run::RunContext;
use staso_core::sandbox::{Isolation, IsolationTier, Sandbox, SandboxLimits};

use super::control::{Restrictions, STAGE};
use super::ground::Ground;
use super::host;
use super::inside::{Inside, words};
use super::outcome::Outcome;
use super::probe::outcome_of;
use super::report::{AttemptReport, Report, RowReport};
use super::row::{Expected, Group, Kind, Row, Try};
use super::rows;
use super::scenarios;
use super::verdict::Verdict;

/// Another user than root, for controls that must not have its rights.
const NOBODY: u32 = 65_534;

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
    let mut host = Restrictions::of_this_host(&ground.directory);
    let staged = ground.probe.attempt(&words(&format!("{STAGE}exists /")));
    host.no_namespaces = (!staged.is_done()).then(|| staged.to_string());
    let run = Run { sandbox, ground, ctx, tier, missing: isolation.missing, host };
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
    pub(super) host: Restrictions,
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
        let control = self.host.judge(attempt, &self.outside(&there, attempt.outside_unprivileged));
        let outcome = inside.attempt(&here).await;
        let seen = format!("`{}`: {outcome}", attempt.inside);
        if !meets(attempt.expected, &outcome) {
            return if got_through(attempt.expected, &outcome) {
                Verdict::Escaped(seen)
            } else {
                Verdict::Broken(seen)
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

/// Whether an attempt that did not come to what is expected shows an escape. One that was ended, or could not be made,
/// shows nothing.
fn got_through(expected: Expected, outcome: &Outcome) -> bool {
    match (expected, outcome) {
        (Expected::Done, _) | (_, Outcome::Broken(_)) => false,
        // What has no bound goes on until its time is over.
        (Expected::Limited, _) => true,
        (_, other) => !matches!(other, Outcome::TimedOut | Outcome::Killed(_)),
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
            outcome.is_refused() || matches!(outcome, Outcome::Limited(_)) || is_killed_for_more(outcome)
        }
    }
}

/// Whether a signal ended it that is sent for taking too much: by the kernel, for a file too large, or by the process
/// itself when it got no memory.
pub(super) const fn is_killed_for_more(outcome: &Outcome) -> bool {
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    const SIGXFSZ: i32 = 25;
    matches!(outcome, Outcome::Killed(SIGABRT | SIGKILL | SIGXFSZ))
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
    fn what_ends_for_another_reason_is_no_bound_and_no_escape() {
        for signal in [9, 6, 25] {
            assert!(meets(Expected::Limited, &Outcome::Killed(signal)));
        }
        // The probe's own time, and a fault of its own.
        for signal in [14, 11] {
            assert!(!meets(Expected::Limited, &Outcome::Killed(signal)));
        }
        assert!(got_through(Expected::Limited, &Outcome::TimedOut));
        assert!(got_through(Expected::Denied, &Outcome::Done(String::new())));
        for outcome in [Outcome::Killed(9), Outcome::TimedOut, Outcome::Broken(String::new())] {
            assert!(!got_through(Expected::Denied, &outcome), "{outcome}");
        }
        assert!(!got_through(Expected::Done, &Outcome::Denied("EPERM".to_owned())));
        assert!(got_through(Expected::Exactly("ENOSYS"), &Outcome::Denied("EPERM".to_owned())));
    }

    #[test]
    fn attempts_over_the_network_go_to_addresses_of_this_machine_alone() {
        for attempt in rows::all().iter().flat_map(|row| match row.kind {
            Kind::Attempts(tries) => tries,
            Kind::Scenario(_) => &[],
        }) {
            for sentence in [attempt.inside, attempt.outside] {
                let (verb, rest) = sentence.split_once(' ').unwrap_or((sentence, ""));
                assert!(!matches!(verb, "tcp" | "udp") || rest.starts_with('{'), "{sentence}");
            }
        }
    }
}
