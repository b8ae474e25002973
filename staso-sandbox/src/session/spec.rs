//! What a caller may ask for, whatever the backend.

use std::collections::BTreeMap;

use staso_core::sandbox::{SandboxError, SandboxSpec};

use super::refused::invalid;

/// Where programs are when nobody says otherwise.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// Refuses bounds and variables that make no sense.
pub(crate) fn check_spec(spec: &SandboxSpec) -> Result<(), SandboxError> {
    let limits = &spec.limits;
    let bounds = [
        ("exec_timeout_ms", limits.exec_timeout_ms),
        ("memory_bytes", limits.memory_bytes),
        ("pids", u64::from(limits.pids)),
        ("cpu_seconds", limits.cpu_seconds),
        ("disk_bytes", limits.disk_bytes),
        ("output_bytes", limits.output_bytes),
    ];
    // A file system of size 0 is one without a limit.
    if let Some((name, _)) = bounds.into_iter().find(|(_, bound)| *bound == 0) {
        return Err(invalid("open a session", format!("the limit {name} is 0")));
    }
    check_env("open a session", &spec.env)
}

/// Refuses variables that no environment can hold.
pub(super) fn check_env(operation: &'static str, env: &BTreeMap<String, String>) -> Result<(), SandboxError> {
    let bad = |(key, value): &(&String, &String)| {
        key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')
    };
    match env.iter().find(bad) {
        None => Ok(()),
        Some((key, _)) => {
            Err(invalid(operation, format!("the variable {key:?} cannot be put into an environment")))
        }
    }
}

/// The variables of every command: the four that each session has, and those of the caller.
pub(crate) fn environment(path: String, spec: &SandboxSpec) -> BTreeMap<String, String> {
    let basics = [("PATH", path), ("HOME", "/tmp/home".to_owned())];
    let basics = basics.into_iter().chain([("LANG", "C.UTF-8".to_owned()), ("TMPDIR", "/tmp".to_owned())]);
    let mut env: BTreeMap<String, String> = basics.map(|(key, value)| (key.to_owned(), value)).collect();
    env.extend(spec.env.clone());
    env
}
