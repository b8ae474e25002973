//! The directory of a session that copies its checkout.
//!
//! What is in it was written by hostile code, which may still run when a host was killed. So nothing is followed, no
//! path is longer than two names, and nothing is as deep as the tree: directories are moved to the top before they are
//! emptied.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::helper::effective_ids;
use super::owner;

/// How long emptying a directory may take: what fills it up again may still run.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);

/// A private directory. Dropping removes it with everything in it.
#[derive(Debug)]
pub(super) struct SessionDirectory {
    path: PathBuf,
}

impl SessionDirectory {
    /// Makes one in `parent` that only this user can enter, and removes those of hosts that are no more.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent);
        // A name that is taken is someone else's: making the directory fails then.
        let path = parent.canonicalize()?.join(owner::new_name());
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// Where it is, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SessionDirectory {
    fn drop(&mut self) {
        // What cannot be removed now is left to the next host.
        drop(remove(&self.path, REMOVAL_LIMIT));
    }
}

/// Removes the directories of hosts that are no more.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let abandoned = entry.file_name().to_str().is_some_and(owner::is_abandoned);
        if abandoned && entry.file_type().is_ok_and(|kind| kind.is_dir()) && may_remove(&entry.path()) {
            drop(remove(&entry.path(), REMOVAL_LIMIT));
        }
    }
}

/// Root removes what it gave to a session's user; others only what is their own.
fn may_remove(path: &Path) -> bool {
    let (user, _) = effective_ids();
    user == 0 || fs::symlink_metadata(path).is_ok_and(|found| found.uid() == user)
}

fn remove(path: &Path, limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let top = open_dir(path)?;
        match empty(&top, deadline).and_then(|()| fs::remove_dir(path)) {
            // Something fills it up again.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < deadline => {}
            ended => return ended,
        }
    }
}

/// Removes everything in an open directory.
fn empty(top: &File, deadline: Instant) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let mut found = false;
        for entry in fs::read_dir(inside(top, ""))? {
            let name = entry?.file_name();
            found = true;
            let path = inside(top, "").join(&name);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                flatten(top, &open_dir(&path)?, &mut moved, deadline)?;
                fs::remove_dir(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
            in_time(deadline)?;
        }
        if !found {
            return Ok(());
        }
    }
}

fn in_time(deadline: Instant) -> io::Result<()> {
    if Instant::now() < deadline { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

/// Empties a directory: its directories go to the top, where their turn comes.
fn flatten(top: &File, directory: &File, moved: &mut u64, deadline: Instant) -> io::Result<()> {
    for entry in fs::read_dir(inside(directory, ""))? {
        in_time(deadline)?;
        let path = inside(directory, "").join(entry?.file_name());
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            fs::remove_file(&path)?;
            continue;
        }
        // Moving a directory changes it, which its owner may have forbidden.
        drop(open_dir(&path)?);
        while let Err(error) = fs::rename(&path, inside(top, &format!("{moved}"))) {
            let taken = [io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::NotADirectory];
            if !taken.contains(&error.kind()) {
                return Err(error);
            }
            *moved += 1;
        }
        *moved += 1;
    }
    Ok(())
}

/// Opens a directory and makes sure that its owner may change it.
fn open_dir(path: &Path) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let place = OpenOptions::new().read(true).custom_flags(flags | libc::O_PATH).open(path)?;
    let itself = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    if place.metadata()?.mode() & 0o700 != 0o700 {
        fs::set_permissions(&itself, fs::Permissions::from_mode(0o700))?;
    }
    // The link leads to the very directory that was just looked at.
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(&itself)
}

fn inside(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_private_and_goes_with_whatever_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let outside = parent.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        let directory = SessionDirectory::create(parent.path()).unwrap();
        let root = directory.path().to_path_buf();
        assert_eq!(fs::metadata(&root).unwrap().mode() & 0o7777, 0o700);
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        // Deeper than any path may be long, closed, and with names that moved directories would take.
        let mut deep = open_dir(&root).unwrap();
        for _ in 0..3_000 {
            let next = inside(&deep, "0");
            fs::create_dir(&next).unwrap();
            fs::write(inside(&deep, "1"), "x").unwrap();
            deep = open_dir(&next).unwrap();
        }
        std::os::unix::fs::symlink(&outside, inside(&deep, "link")).unwrap();
        fs::set_permissions(root.join("0/0"), fs::Permissions::from_mode(0o000)).unwrap();
        drop(directory);
        assert!(!root.exists(), "nothing is left");
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept", "nothing was followed");
    }

    #[test]
    fn those_of_dead_hosts_go_with_the_next_one() {
        let parent = tempfile::tempdir().unwrap();
        let own = owner::own_prefix();
        let dead = own.rsplitn(3, '-').last().unwrap();
        let abandoned = parent.path().join(format!("{dead}-1-0"));
        fs::create_dir_all(abandoned.join("workspace")).unwrap();
        let living = SessionDirectory::create(parent.path()).unwrap();
        let other = SessionDirectory::create(parent.path()).unwrap();
        assert!(!abandoned.exists() && living.path().exists() && other.path().exists());
    }

    #[test]
    fn a_directory_that_fills_up_again_is_given_up() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("filled");
        fs::create_dir(&path).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let names = (0_u64..).map(|number| path.join(number.to_string()));
                for name in names.take_while(|_| !stop.load(std::sync::atomic::Ordering::Relaxed)) {
                    drop(File::create(name));
                }
            });
            while fs::read_dir(&path).unwrap().next().is_none() {}
            // Whoever fills it may be slower for a moment; the end is what counts.
            drop(remove(&path, Duration::from_millis(300)));
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
