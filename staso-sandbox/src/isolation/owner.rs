//! Names of what a host makes outside of its own memory, so that the next host can tell what nobody owns any more.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

const PREFIX: &str = "staso-sandbox-";

/// A name that no other session has.
pub(super) fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}{}", own_prefix(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How all names of this host begin: with its process namespace, because a process number means nothing in another, and
/// the start time of this process, because the numbers come again.
pub(super) fn own_prefix() -> String {
    let pid = std::process::id();
    format!("{PREFIX}{}-{pid}-{}-", process_namespace().unwrap_or(0), start_time(pid).unwrap_or(0))
}

/// Whether the name is one of a host that is no more. Hosts in other process namespaces cannot be seen, and may live.
pub(super) fn is_abandoned(name: &str) -> bool {
    let Some(owner) = name.strip_prefix(PREFIX) else { return false };
    let mut parts = owner.split('-').map(str::parse::<u64>);
    let (Some(Ok(namespace)), Some(Ok(pid)), Some(Ok(started)), Some(Ok(_)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    process_namespace() == Some(namespace)
        && !u32::try_from(pid).is_ok_and(|pid| start_time(pid) == Some(started))
}

/// The number of the process namespace that this process is in.
fn process_namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// When a process started, in clock ticks since boot: field 22, counted after the name, which may hold anything.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_of_a_process_is_known_and_lasting() {
        let own = start_time(std::process::id());
        assert!(own.is_some_and(|ticks| ticks > 0));
        assert_eq!(own, start_time(std::process::id()));
    }

    #[test]
    fn only_what_a_dead_host_made_is_abandoned() {
        let (one, other) = (new_name(), new_name());
        assert_ne!(one, other);
        assert!(!is_abandoned(&one), "its host lives");
        let namespace = process_namespace().unwrap();
        let later = format!("{PREFIX}{namespace}-{}-1-0", std::process::id());
        assert!(is_abandoned(&later), "the number came again");
        let elsewhere = format!("{PREFIX}{}-{}-1-0", namespace + 1, std::process::id());
        assert!(!is_abandoned(&elsewhere), "who is not here may live");
        let foreign =
            ["staso-sandbox-7", "staso-sandbox-x-1-0", "staso-sandbox-4-1-0-x", "other-1-1-1-1", ""];
        for foreign in foreign {
            assert!(!is_abandoned(foreign), "{foreign} is someone else's");
        }
    }
}
