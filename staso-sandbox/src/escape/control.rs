//! Controls: whether an attempt outside shows that the one inside means something, and what excuses it when not.
//!
//! That a control failed excuses nothing. What does is what can be seen of the host apart from it: a capability that it
//! lacks, a setting of its kernel, a filter that it runs under itself.

use std::fs;
use std::path::{Path, PathBuf};

use super::host;
use super::outcome::Outcome;
use super::row::{Need, Setting, Try};

/// What the kernel says when it has no such thing at all.
const NOT_IN_THE_KERNEL: [&str; 4] = ["ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];
/// How a filter of system calls refuses.
const OF_A_FILTER: [&str; 3] = ["EPERM", "EACCES", "ENOSYS"];
/// The verb that makes a namespace before the attempt, which not every host may.
pub(super) const STAGE: &str = "rooted ";
const CAP_SETUID: u8 = 7;
const CAP_SYS_MODULE: u8 = 16;
const CAP_SYS_BOOT: u8 = 22;

/// What keeps the host itself from an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Restrictions {
    /// The effective capabilities, one bit each.
    capabilities: u64,
    /// Whether this is a user namespace below that of the machine: capabilities are good for less there.
    below: bool,
    /// Whether system calls of the host are filtered.
    filtered: bool,
    /// Whether programs of the host can get no privileges.
    no_new_privileges: bool,
    /// Whether the ground's file system honours no set-user programs.
    no_set_user: bool,
    /// Why modules and kernels cannot be loaded, whoever asks.
    no_loading: Option<String>,
    /// Why there are no namespaces, whoever asks: what became of making some and nothing else in them.
    pub(super) no_namespaces: Option<String>,
}

impl Restrictions {
    /// Those of this process, with a ground in `directory`.
    pub(super) fn of_this_host(directory: &Path) -> Self {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Self {
            capabilities: host::capabilities(),
            below: map.split_whitespace().ne(["0", "0", "4294967295"]),
            filtered: host::status("Seccomp").is_some_and(|mode| mode != "0"),
            no_new_privileges: host::status("NoNewPrivs").is_some_and(|set| set != "0"),
            no_set_user: fs::read_to_string("/proc/self/mountinfo")
                .is_ok_and(|mounts| ignores_set_user(&mounts, directory)),
            no_loading: no_loading(),
            no_namespaces: None,
        }
    }

    fn has(&self, capability: u8) -> bool {
        self.capabilities & (1 << capability) != 0
    }

    /// Whether a control shows something: `None`, or why it could not have; as an error what became of it otherwise.
    pub(super) fn judge(&self, attempt: &Try, outcome: &Outcome) -> Result<Option<String>, String> {
        if outcome.is_done() {
            return Ok(None);
        }
        let refused =
            |errors: &[&str]| matches!(outcome, Outcome::Denied(error) if errors.contains(&&**error));
        let staged = attempt.need == Need::Namespaces || attempt.outside.starts_with(STAGE);
        if let Some(why) = self.no_namespaces.as_ref().filter(|_| staged) {
            return Ok(Some(format!("this host makes no namespaces: {why}")));
        }
        let unknown = refused(&NOT_IN_THE_KERNEL);
        let lacks = unknown || matches!(outcome, Outcome::Absent(_));
        let excuse = match attempt.need {
            Need::Nothing | Need::Namespaces => None,
            Need::Luck(why) => outcome.is_refused().then(|| why.to_owned()),
            Need::Capability(number, name) if !self.has(number) => Some(format!("the host lacks {name}")),
            Need::Capability(..) if refused(&["EROFS"]) => Some("it is read-only on this host".to_owned()),
            Need::Capability(..) if self.below && outcome.is_refused() => {
                Some("the host is root of a user namespace only".to_owned())
            }
            Need::Capability(CAP_SYS_MODULE | CAP_SYS_BOOT, _) if self.no_loading.is_some() => {
                self.no_loading.clone()
            }
            Need::SetUser if !self.has(CAP_SETUID) => Some("the host lacks CAP_SETUID".to_owned()),
            Need::SetUser if self.no_new_privileges => Some("nor has the host's own process any".to_owned()),
            Need::SetUser if self.no_set_user => {
                Some("the ground's file system honours no set-user programs".to_owned())
            }
            Need::SetUser => None,
            Need::Setting(setting) if self.forbids(setting, value_of(setting.file)) => {
                Some(format!("{} forbids it", setting.file))
            }
            Need::Setting(_) => unknown.then(|| not_there(outcome)),
            Need::Kernel | Need::Capability(..) => lacks.then(|| not_there(outcome)),
        };
        let filtered = || {
            let so = self.filtered && refused(&OF_A_FILTER);
            so.then(|| format!("the host's own system calls are filtered: {outcome}"))
        };
        excuse.or_else(filtered).map_or_else(|| Err(outcome.to_string()), |why| Ok(Some(why)))
    }

    fn forbids(&self, setting: Setting, value: Option<i64>) -> bool {
        let privileged = setting.capability.is_some_and(|capability| self.has(capability));
        value.is_some_and(|value| value > if privileged { setting.most_privileged } else { setting.most })
    }
}

fn not_there(outcome: &Outcome) -> String {
    format!("not in this machine's kernel: {outcome}")
}

fn value_of(setting: &str) -> Option<i64> {
    fs::read_to_string(setting).ok()?.trim().parse().ok()
}

fn no_loading() -> Option<String> {
    let locked =
        fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|state| !state.contains("[none]"));
    let switches = ["/proc/sys/kernel/modules_disabled", "/proc/sys/kernel/kexec_load_disabled"];
    let switched = switches.into_iter().find(|switch| value_of(switch) == Some(1));
    let locked = locked.then(|| "this machine's kernel is locked down".to_owned());
    locked.or_else(|| switched.map(|switch| format!("{switch} forbids it")))
}

/// Whether the mount that a directory lies on, of those that `mountinfo` lists, ignores set-user programs.
fn ignores_set_user(mountinfo: &str, directory: &Path) -> bool {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
    let mounts = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let place = PathBuf::from(fields.next()?.replace("\\040", " "));
        directory.starts_with(&place).then_some((place.as_os_str().len(), fields.next()?))
    });
    // Of several on one place the last one counts.
    mounts
        .max_by_key(|(length, _)| *length)
        .is_some_and(|(_, options)| options.split(',').any(|o| o == "nosuid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: &str) -> Outcome {
        Outcome::Denied(error.to_owned())
    }

    fn judge(host: &Restrictions, need: Need, outcome: &Outcome) -> Result<Option<String>, String> {
        host.judge(&Try::denied("verb").needs(need), outcome)
    }

    #[test]
    fn a_control_that_fails_needs_a_reason() {
        let host = Restrictions { capabilities: u64::MAX, ..Restrictions::default() };
        assert_eq!(judge(&host, Need::Nothing, &Outcome::Done(String::new())), Ok(None));
        assert!(judge(&host, Need::Nothing, &refused("EPERM")).is_err());
        assert!(judge(&host, Need::Nothing, &refused("ENOSYS")).is_err());
        assert!(judge(&host, Need::Kernel, &refused("EPERM")).is_err(), "a refusal is not a lack");
        assert!(judge(&host, Need::Kernel, &refused("ENOSYS")).is_ok());
        assert!(judge(&host, Need::Namespaces, &refused("EPERM")).is_err());
        assert!(judge(&host, Need::SetUser, &refused("EPERM")).is_err());
        let capability = Need::Capability(CAP_SYS_BOOT, "CAP_SYS_BOOT");
        assert!(judge(&host, capability, &refused("EPERM")).is_err());
        assert!(judge(&host, capability, &refused("EROFS")).is_ok());
        assert!(judge(&Restrictions::default(), capability, &refused("EPERM")).is_ok());
        assert!(judge(&host, Need::Luck("why"), &refused("ENOENT")).is_ok());
        assert!(judge(&host, Need::Luck("why"), &Outcome::Broken(String::new())).is_err());
    }

    #[test]
    fn what_the_host_itself_may_not_do_is_a_reason_where_it_is_seen() {
        let host = Restrictions { capabilities: u64::MAX, ..Restrictions::default() };
        let boot = Need::Capability(CAP_SYS_BOOT, "CAP_SYS_BOOT");
        let admin = Need::Capability(21, "CAP_SYS_ADMIN");
        let denied = refused("EPERM");
        let filtered = Restrictions { filtered: true, ..host.clone() };
        assert!(judge(&filtered, Need::Nothing, &denied).is_ok());
        assert!(judge(&filtered, Need::Nothing, &refused("EROFS")).is_err(), "no filter says that");
        assert!(judge(&Restrictions { below: true, ..host.clone() }, admin, &denied).is_ok());
        let locked = Restrictions { no_loading: Some("locked".to_owned()), ..host.clone() };
        assert!(judge(&locked, boot, &denied).is_ok() && judge(&locked, admin, &denied).is_err());
        for so in [
            Restrictions { no_new_privileges: true, ..host.clone() },
            Restrictions { no_set_user: true, ..host.clone() },
        ] {
            assert!(judge(&so, Need::SetUser, &denied).is_ok() && judge(&so, admin, &denied).is_err());
        }
        let alone = Restrictions { no_namespaces: Some("ENOSPC".to_owned()), ..host.clone() };
        assert!(judge(&alone, Need::Namespaces, &denied).is_ok() && judge(&alone, admin, &denied).is_err());
        let staged = Try::denied("verb").outside("rooted verb");
        assert!(alone.judge(&staged, &denied).is_ok() && host.judge(&staged, &denied).is_err());
    }

    #[test]
    fn a_setting_forbids_more_to_who_lacks_its_capability() {
        let setting = Setting { file: "/proc/x", most: 1, most_privileged: 2, capability: Some(19) };
        let (with, without) =
            (Restrictions { capabilities: 1 << 19, ..Restrictions::default() }, Restrictions::default());
        let forbidden =
            |host: &Restrictions| [None, Some(1), Some(2), Some(3)].map(|value| host.forbids(setting, value));
        assert_eq!(forbidden(&without), [false, false, true, true]);
        assert_eq!(forbidden(&with), [false, false, false, true]);
    }

    #[test]
    fn the_nearest_mount_says_whether_set_user_programs_count() {
        let mounts = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
                      30 22 0:30 / /no\\040such rw,nosuid,nodev - tmpfs tmpfs rw\n\
                      31 30 0:31 / /no\\040such/inner rw - tmpfs tmpfs rw\n";
        assert!(!ignores_set_user(mounts, Path::new("/no")));
        assert!(ignores_set_user(mounts, Path::new("/no such/place")));
        assert!(!ignores_set_user(mounts, Path::new("/no such/inner/place")));
        assert!(!ignores_set_user("", Path::new("/")));
    }
}
