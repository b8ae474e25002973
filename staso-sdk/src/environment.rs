//! The only place of this crate that reads the process environment.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

/// Where settings that are not given in code come from.
///
/// # Contract
/// `get` returns the value as it stands, or `None` when it is unset or not Unicode. It must not block.
pub trait Environment: Debug + Send + Sync + 'static {
    /// The value of one variable.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this module owns the process environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Environment for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name).cloned()
    }
}

impl Environment for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name).cloned()
    }
}

/// A variable's value without surrounding white space; `None` when nothing is left.
pub(crate) fn non_empty(environment: &dyn Environment, name: &str) -> Option<String> {
    environment.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
