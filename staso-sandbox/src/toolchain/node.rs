//! Node with npm's packages.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::named::{Found, Lacking, place, text};
use super::question::ask;

const INSTALLATION: [&str; 2] = ["-p", "require('path').dirname(require('path').dirname(process.execPath))"];
/// The contents of the cache and what they are; beside them are logs.
const CACHE: &str = "_cacache";
/// Entries of the cache's index that are looked at, and how much of each.
const MAX_ENTRIES: usize = 100_000;
const MAX_ENTRY_BYTES: u64 = 4 << 20;

pub(super) fn find() -> Result<Found, Lacking> {
    let installation = ask("node", &INSTALLATION).as_deref().and_then(place).ok_or_else(|| Lacking {
        reason: "`node` on the PATH of the host's process does not say where it is installed".to_owned(),
        remedy: "install Node.js, and put it on the PATH of the host's process".to_owned(),
    })?;
    let mut found = Found::default();
    found.install(&installation)?;
    if let Some(global) = ask("npm", &["root", "--global"]).as_deref().and_then(place) {
        found.show(&global)?;
        found.set("NODE_PATH", text(&global)?);
    }
    if let Some(home) = ask("npm", &["config", "get", "cache"]).as_deref().and_then(place) {
        let cache = home.join(CACHE);
        if cache.is_dir() {
            check(&cache)?;
            found.show(&cache)?;
            found.set("npm_config_cache", text(&home)?);
        }
    }
    for (setting, value) in
        [("offline", "true"), ("audit", "false"), ("fund", "false"), ("update_notifier", "false")]
    {
        found.set(&format!("npm_config_{setting}"), value);
    }
    found.set("npm_config_logs_max", "0");
    Ok(found)
}

/// Refuses a cache that keeps what requests were authorized with: npm writes it down when a registry's answers vary
/// with it.
fn check(cache: &Path) -> Result<(), Lacking> {
    let remedy = "empty it on the host: `npm cache clean --force`".to_owned();
    let mut directories: Vec<PathBuf> = vec![cache.join("index-v5")];
    let mut entries = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            entries += 1;
            if entries > MAX_ENTRIES {
                let reason = format!(
                    "npm's cache {} is too large to be looked through for credentials",
                    cache.display()
                );
                return Err(Lacking { reason, remedy });
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            } else if names_authorization(&path) {
                let reason = format!("npm's cache keeps credentials in {}", path.display());
                return Err(Lacking { reason, remedy });
            }
        }
    }
    Ok(())
}

/// Whether an entry holds more than can be read, or the header.
fn names_authorization(entry: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(entry).and_then(|file| file.take(MAX_ENTRY_BYTES + 1).read_to_end(&mut bytes));
    let whole = read.is_ok_and(|count| u64::try_from(count).is_ok_and(|count| count <= MAX_ENTRY_BYTES));
    bytes.make_ascii_lowercase();
    let header = b"authorization\"";
    !whole || bytes.windows(header.len()).any(|window| window == header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_keeps_credentials_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(check(cache.path()), Ok(()), "an empty one has none");
        let place = cache.path().join("index-v5/aa/bb");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("one"), "x\t{\"metadata\":{\"reqHeaders\":{\"accept\":\"x\"}}}").unwrap();
        assert_eq!(check(cache.path()), Ok(()));
        fs::write(place.join("two"), "x\t{\"metadata\":{\"reqHeaders\":{\"Authorization\":\"Bearer x\"}}}")
            .unwrap();
        let lacking = check(cache.path()).unwrap_err();
        assert!(lacking.reason.contains("two") && lacking.remedy.contains("npm cache clean"), "{lacking:?}");
    }
}
