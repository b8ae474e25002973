//! What confines every command of a session, beside the session's own confinement.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::filter::{self, Audience};
use crate::rules::{self, Rules};
use crate::wire::{Limits, tier};

/// The same for all commands of a session.
#[derive(Debug)]
pub(crate) struct Jail {
    /// Whether each command gets a process namespace of its own.
    pub(crate) namespaces: bool,
    /// Whether the helper is process 1 of a container, which no command outlives.
    pub(crate) contained: bool,
    /// Where the checkout is, as commands see it.
    pub(crate) workspace: CString,
    /// Rules that each program puts on itself.
    pub(crate) rules: Option<Rules>,
    /// Rules that keep the signals of a command and its keeper to themselves, where there are no namespaces.
    pub(crate) scope: Option<OwnedFd>,
    /// Bounds.
    pub(crate) limits: Limits,
    filtered: bool,
}

impl Jail {
    /// For a tier of [`tier`].
    pub(crate) fn new(tier: u8, workspace: CString, rules: Option<Rules>, limits: Limits) -> Self {
        let namespaces = tier == tier::FULL;
        let abi = rules.as_ref().map_or(0, |rules| rules.abi);
        let scope = if namespaces { None } else { rules::signals_kept(abi) };
        let contained = tier == tier::CONTAINER;
        Self { namespaces, contained, workspace, rules, scope, limits, filtered: tier != tier::NONE }
    }

    /// The version of Landlock whose rules hold; 0 without.
    pub(crate) fn landlock_abi(&self) -> u32 {
        self.rules.as_ref().map_or(0, |rules| rules.abi)
    }

    /// The filter of commands; empty without one. `signals_kept` says what a keeper found to be so.
    pub(crate) fn filter(&self, signals_kept: bool) -> Vec<u64> {
        match (self.filtered, self.namespaces || self.contained) {
            (false, _) => Vec::new(),
            (true, true) => filter::program(Audience::Isolated),
            (true, false) => filter::program(Audience::Beside { signals_kept }),
        }
    }

    /// The filter of the helper itself, which all it starts keep.
    pub(crate) fn helper_filter(&self) -> Vec<u64> {
        if self.filtered { filter::program(Audience::Helper) } else { Vec::new() }
    }
}
