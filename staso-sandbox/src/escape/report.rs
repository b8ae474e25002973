//! What a run of the suite found.

use std::fmt;

use staso_core::sandbox::IsolationTier;

use super::claims::tier_name;
use super::row::Group;
use super::verdict::Verdict;

/// One row of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowReport {
    /// The number of the row; it never changes its meaning.
    pub number: u16,
    /// What it is about.
    pub group: Group,
    /// What was tried.
    pub title: &'static str,
    /// What a sandbox must make of it.
    pub expected: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// What became of every single attempt; empty for rows that are more than single attempts.
    pub attempts: Vec<AttemptReport>,
}

/// One attempt of a [`RowReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptReport {
    /// The arguments of the probe, with the names of the ground's things in braces.
    pub tried: &'static str,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a run of the suite found. It displays as a table in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The tier that the sessions reached.
    pub tier: IsolationTier,
    /// Protections that the sessions said to be missing.
    pub missing: Vec<String>,
    /// The version of Landlock whose rules held in the sessions, if any.
    pub landlock_abi: Option<u32>,
    /// The release of the kernel.
    pub kernel: String,
    /// The processor.
    pub architecture: &'static str,
    /// The user that the host ran as.
    pub host_user: u32,
    /// Every row, by number.
    pub rows: Vec<RowReport>,
}

impl Report {
    /// The rows that got through, could not be controlled or could not be tried.
    pub fn failures(&self) -> impl Iterator<Item = &RowReport> {
        self.rows.iter().filter(|row| !row.verdict.is_clean())
    }

    /// The rows in which an attempt got through.
    pub fn escapes(&self) -> impl Iterator<Item = &RowReport> {
        self.rows.iter().filter(|row| row.verdict.is_escape())
    }

    /// Says that everything that was claimed held.
    ///
    /// # Panics
    /// With the rows that did not.
    pub fn assert_clean(&self) {
        let failures: Vec<String> = self.failures().map(ToString::to_string).collect();
        assert!(
            failures.is_empty(),
            "{} of {} rows of the escape suite failed on tier {}:\n{}",
            failures.len(),
            self.rows.len(),
            tier_name(self.tier),
            failures.join("\n")
        );
    }

    fn count(&self, wanted: fn(&Verdict) -> bool) -> usize {
        self.rows.iter().filter(|row| wanted(&row.verdict)).count()
    }
}

impl fmt::Display for RowReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
        write!(
            formatter,
            "| {} | {} | {} | {} | {} | {} |",
            self.number,
            self.group.name(),
            cell(self.title),
            cell(self.expected),
            self.verdict.name(),
            cell(self.verdict.detail())
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock_abi.map_or_else(|| "none".to_owned(), |abi| abi.to_string());
        writeln!(
            formatter,
            "Tier {}; Linux {} on {}; Landlock interface {landlock}; host user {}.",
            tier_name(self.tier),
            self.kernel,
            self.architecture,
            self.host_user
        )?;
        writeln!(
            formatter,
            "{} rows: {} held, {} held without control, {} not claimed, {} not applicable, {} failed.\n",
            self.rows.len(),
            self.count(|verdict| matches!(verdict, Verdict::Held(_))),
            self.count(|verdict| matches!(verdict, Verdict::HeldUncontrolled(_))),
            self.count(|verdict| matches!(verdict, Verdict::NotClaimed(_))),
            self.count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
            self.failures().count()
        )?;
        for missing in &self.missing {
            writeln!(formatter, "Missing: {missing}.\n")?;
        }
        writeln!(formatter, "| # | group | tries | expected | verdict | seen |")?;
        writeln!(formatter, "|--|--|--|--|--|--|")?;
        self.rows.iter().try_for_each(|row| writeln!(formatter, "{row}"))
    }
}
