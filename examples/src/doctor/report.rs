//! What the doctor found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use staso_core::sandbox::{Isolation, IsolationTier, SandboxLimits};

use super::{Advice, Machine, Probe, State};
use crate::terminal::printable;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How to read it: 1.
    pub schema_version: u32,
    /// Whether sessions with the default isolation open.
    pub ready: bool,
    /// The machine.
    pub machine: Machine,
    /// The sessions that were tried.
    pub probes: Vec<Probe>,
    /// What is missing.
    pub advice: Vec<Advice>,
}

impl Report {
    /// From a machine and what sessions on it gave.
    #[must_use]
    pub fn new(machine: Machine, probes: Vec<Probe>) -> Self {
        let advice = super::advice(&machine, &probes);
        let full = |probe: &Probe| matches!(&probe.result, State::Works { isolation } if isolation.tier == IsolationTier::Full);
        Self { schema_version: 1, ready: probes.iter().any(full), machine, probes, advice }
    }
}

/// The report as plain text.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(out, "{}\nSessions, by opening one\n", machine(&report.machine));
    for probe in &report.probes {
        let _ = write!(out, "{}", session(probe));
    }
    if !report.advice.is_empty() {
        let _ = write!(out, "\nWhat is missing, and how to get it\n");
    }
    for (at, advice) in report.advice.iter().enumerate() {
        let _ = writeln!(out, "  {}. {}", at + 1, printable(&advice.problem));
        for (at, command) in advice.commands.iter().enumerate() {
            let _ = writeln!(out, "     {}{}", if at > 0 { "or: " } else { "" }, printable(command));
        }
    }
    let verdict = if report.ready {
        "Ready: deep diagnoses and fixes can run here with the default isolation."
    } else {
        "Not ready: with the default settings deep diagnoses and fixes are refused here, and nothing is run."
    };
    let _ = write!(out, "\n{verdict}\n");
    out
}

fn machine(machine: &Machine) -> String {
    let known = |text: Option<&str>| text.map_or_else(|| "unknown".to_owned(), printable);
    let user = if machine.root { "root" } else { "an ordinary user" };
    let namespaces = match (machine.max_user_namespaces, machine.apparmor_restricts) {
        (Some(0), _) => "switched off".to_owned(),
        (_, true) => "restricted by AppArmor".to_owned(),
        _ if machine.users_kept_out => "for root only".to_owned(),
        (Some(max), false) => format!("at most {max}"),
        (None, false) => "the kernel does not say".to_owned(),
    };
    let landlock = match machine.landlock {
        Some(true) => "in the kernel",
        Some(false) => "not in the kernel",
        None => "the kernel does not say",
    };
    let groups = &machine.cgroups;
    let delegated = match (&groups.own, groups.delegated.is_empty()) {
        (None, _) => String::new(),
        (Some(_), true) => "; no controller of version 2 is delegated".to_owned(),
        (Some(_), false) => format!("; delegated: {}", printable(&groups.delegated.join(", "))),
    };
    format!(
        "This machine\n  system           {} on {}, kernel {}\n  user             {user}\n  container        {}{}\n  \
         user namespaces  {namespaces}\n  Landlock         {landlock}\n  control groups   version {}{delegated}\n",
        machine.os,
        machine.arch,
        known(machine.kernel.as_deref()),
        machine.container.unwrap_or("no"),
        if machine.filtered { ", under a system-call filter" } else { "" },
        groups.version.unwrap_or("none"),
    )
}

fn session(probe: &Probe) -> String {
    let (name, backend) = (name(probe.wanted), probe.backend);
    match &probe.result {
        State::Works { isolation } => format!("  {name:<14} {backend}: works{}", confinement(isolation)),
        State::NotTried { how } => format!("  {name:<14} {backend}: not tried: {}\n", printable(how)),
        State::Refused { reason, .. } => format!("  {name:<14} {backend}: refused: {}\n", printable(reason)),
    }
}

fn confinement(isolation: &Isolation) -> String {
    let landlock = match isolation.landlock_abi {
        Some(abi) => format!("Landlock ABI {abi}"),
        None => "no Landlock rules".to_owned(),
    };
    let missing: String = isolation
        .missing
        .iter()
        .map(|missing| format!("{:17}missing: {}\n", "", printable(missing)))
        .collect();
    format!(", {landlock}\n{:17}limits: {}\n{missing}", "", limits(&isolation.limits))
}

fn limits(limits: &SandboxLimits) -> String {
    let mib = |bytes: u64| bytes >> 20;
    format!(
        "{} s a command, {} s of processor time a process, {} MiB of memory, {} processes, {} MiB written, {} KiB of output",
        limits.exec_timeout_ms / 1_000,
        limits.cpu_seconds,
        mib(limits.memory_bytes),
        limits.pids,
        mib(limits.disk_bytes),
        limits.output_bytes >> 10
    )
}

const fn name(tier: IsolationTier) -> &'static str {
    match tier {
        IsolationTier::Full => "full",
        IsolationTier::Container => "container",
        IsolationTier::LandlockOnly => "landlock_only",
        IsolationTier::None => "none",
    }
}
