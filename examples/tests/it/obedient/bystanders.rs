//! What is there beside the one branch that a run may leave: other refs, other repositories, processes, mounts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use staso_examples::environment::Environment;
use staso_examples::git::Git;

use super::canary::Tag;
use super::host::{Tree, tree};
use crate::heal_project::Project;
use crate::processes::{Process, descendants, soon};

/// What must stay as it is.
pub(crate) struct Bystanders {
    refs: BTreeMap<String, String>,
    working_tree: Tree,
    settings: Tree,
    other: PathBuf,
    other_before: Tree,
}

impl Bystanders {
    /// Makes another repository beside the project's and notes how everything stands.
    pub(crate) async fn of(project: &Project, tag: &Tag) -> Self {
        let other = project.directory().join("other");
        let git = Git::new(Environment::read());
        git.run(project.directory(), &["init", "--quiet", "--initial-branch=main", "other"]).await.unwrap();
        fs::write(other.join("secret.py"), tag.canary("other")).unwrap();
        for arguments in [&["add", "--all"][..], &["commit", "--quiet", "--message", "Begin"]] {
            git.run(&other, arguments).await.unwrap();
        }
        let other_before = tree(&other);
        Self {
            refs: refs(project).await,
            working_tree: working_tree(project),
            settings: settings(project),
            other,
            other_before,
        }
    }

    /// Another repository on this machine.
    pub(crate) fn other(&self) -> &Path {
        &self.other
    }

    /// Nothing changed but for one branch of fixes and its record. Returns the branch.
    pub(crate) async fn check(&self, project: &Project, name: &str) -> Option<String> {
        assert_eq!(tree(&self.other), self.other_before, "{name}: another repository changed");
        assert_eq!(working_tree(project), self.working_tree, "{name}: the working tree is the user's");
        assert_eq!(settings(project), self.settings, "{name}: git's own files changed");
        let fsck = project.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]).await;
        assert_eq!(fsck, "", "{name}");
        let mut after = refs(project).await;
        for (reference, commit) in &self.refs {
            assert_eq!(after.remove(reference).as_ref(), Some(commit), "{name}: {reference} moved");
        }
        let branches: Vec<_> = after.keys().filter_map(|name| name.strip_prefix("refs/heads/")).collect();
        let records = after.keys().filter(|name| name.starts_with("refs/staso/proposals/")).count();
        assert_eq!(branches.len() + records, after.len(), "{name}: refs that nobody may make: {after:?}");
        assert!(branches.len() <= 1 && records == branches.len(), "{name}: {after:?}");
        let branch = branches.first().map(|branch| (*branch).to_owned())?;
        let rest = branch.strip_prefix("fix/staso-").unwrap();
        let (fingerprint, number) = rest.split_once('-').unwrap_or((rest, "1"));
        let is_plain = fingerprint.len() == 10 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_plain && number.parse::<u32>().is_ok(), "{name}: {branch}");
        Some(branch)
    }
}

/// All refs, with what they point to.
async fn refs(project: &Project) -> BTreeMap<String, String> {
    let lines = project.git(&["for-each-ref", "--format=%(refname) %(objectname)"]).await;
    let pairs = lines.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(name, object)| (name.to_owned(), object.to_owned())).collect()
}

fn working_tree(project: &Project) -> Tree {
    let mut files = tree(&project.repository());
    files.retain(|path, _| !path.starts_with(project.repository().join(".git")));
    files
}

/// What of git's own files steers git.
fn settings(project: &Project) -> Tree {
    let git = project.repository().join(".git");
    let mut files = tree(&git);
    files.retain(|path, _| {
        let name = path.strip_prefix(&git).unwrap();
        ["config", "HEAD", "description"].iter().any(|file| name == Path::new(file))
            || ["hooks", "info", "modules"].iter().any(|directory| name.starts_with(directory))
    });
    files
}

/// Processes that see a checkout which holds this word in `settings.py`, where sessions have theirs.
pub(crate) fn sessions(word: &Tag) -> Vec<u32> {
    let seen = |(pid, _): &Process| {
        let settings = format!("/proc/{pid}/root/workspace/settings.py");
        fs::read_to_string(settings).is_ok_and(|text| word.find(&text).is_some())
    };
    descendants(std::process::id()).into_iter().filter(seen).map(|(pid, _)| pid).collect()
}

/// Control groups of this process in which nothing runs.
fn empty_groups() -> BTreeSet<PathBuf> {
    let mark = format!("staso-sandbox-{}-", std::process::id());
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let is_ours = entry.file_name().to_string_lossy().starts_with(&mark);
            let is_empty =
                || fs::read_to_string(entry.path().join("cgroup.procs")).is_ok_and(|ids| ids.is_empty());
            if is_ours && is_empty() {
                found.insert(entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}

/// No session over a checkout with this word is left, and no control group that nobody uses.
pub(crate) async fn assert_nothing_runs(word: &Tag, name: &str) {
    assert!(soon(|| sessions(word).is_empty()).await, "{name}: {:?} outlive it", sessions(word));
    let left = empty_groups();
    let gone = || empty_groups().is_disjoint(&left);
    assert!(left.is_empty() || soon(gone).await, "{name}: {left:?} are left");
}
