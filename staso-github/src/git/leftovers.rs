//! What killed gits leave in a repository.

use std::fs;
use std::io;
use std::path::Path;

/// Removes lock files and half-received packs. Nobody may be at work in the repository.
pub(super) fn remove_leftovers(directory: &Path) -> io::Result<()> {
    let mut pending = vec![directory.join("refs"), directory.join("objects/pack")];
    for name in ["HEAD.lock", "packed-refs.lock", "shallow.lock", "config.lock"] {
        remove_if_there(&directory.join(name))?;
    }
    while let Some(parent) = pending.pop() {
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if is_leftover(&name) {
                remove_if_there(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// `.keep` marks a pack that is just being received, and would keep it from ever being joined with others.
fn is_leftover(name: &str) -> bool {
    name.ends_with(".lock")
        || name.ends_with(".keep")
        || name.starts_with("tmp_")
        || name.starts_with("pack_git2_")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
