//! Failure cases of proposals and contents, on a local repository and on a remote one.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use staso_core::id::{BlobId, CommitId};
use staso_core::testing::test_context;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{
    ChangeSet, FileContent, FileEdit, NewContent, Proposal, ProposalAction, VcsError, VcsProvider,
};
use staso_github::GitLimits;

use crate::fixture::{GitFixture, branch, commit_id, git, path, write};

/// The repository as a local one and as a remote one, each with proposals of its own name.
fn both(fixture: &GitFixture, limits: &GitLimits) -> [(&'static str, Arc<dyn VcsProvider>); 2] {
    let local = fixture.provider().with_limits(limits.clone());
    let remote = fixture.remote().with_limits(limits.clone());
    [("local", Arc::new(local)), ("remote", Arc::new(remote))]
}

fn text(bytes: &[u8]) -> Option<NewContent> {
    Some(NewContent { bytes: bytes.to_vec(), executable: false })
}

/// The edit of a file of `main`.
fn edit(fixture: &GitFixture, at: &str, after: Option<NewContent>) -> FileEdit {
    let (found, blob) =
        crate::fixture::try_git(&fixture.repository, &["rev-parse", "--verify", &format!("main:{at}")]);
    FileEdit { path: path(at), before: found.then(|| BlobId::new(blob).unwrap()), after }
}

fn main(fixture: &GitFixture) -> CommitId {
    commit_id(&fixture.git(&["rev-parse", "main"]))
}

async fn propose(
    fixture: &GitFixture,
    provider: &dyn VcsProvider,
    name: &str,
    edits: Vec<FileEdit>,
) -> Result<Proposal, VcsError> {
    let changes = ChangeSet::new(main(fixture), edits, "Fix it", "Why.");
    fixture.propose_change(provider, name, &changes).await
}

async fn read(fixture: &GitFixture, provider: &dyn VcsProvider, commit: &CommitId, at: &str) -> FileContent {
    provider.read_file(&fixture.reference(), commit, &path(at), 1000, &test_context()).await.unwrap()
}

/// The bytes of a file, as git has them.
fn bytes(fixture: &GitFixture, commit: &CommitId, at: &str) -> Vec<u8> {
    let repository = git2::Repository::open(&fixture.repository).unwrap();
    let object = repository.revparse_single(&format!("{commit}:{at}")).unwrap();
    object.peel_to_blob().unwrap().content().to_vec()
}

fn branches(fixture: &GitFixture) -> String {
    fixture.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"])
}

/// Commits files to `main` as someone else.
fn commit_files(fixture: &GitFixture, files: &[(&str, &[u8])]) {
    let clone = fixture.clone_of("main");
    for (at, bytes) in files {
        write(&clone, at, bytes);
    }
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-qm", "files"]);
    fixture.push(&clone, "main");
}

#[tokio::test]
async fn case_29_a_fix_that_does_not_fit_names_its_files_and_leaves_nothing() {
    let fixture = GitFixture::bare();
    let ours = edit(&fixture, "app/tools.py", text(b"ours\n"));
    let still = edit(&fixture, "app/agent.py", text(b"ours, too\n"));
    commit_files(&fixture, &[("app/tools.py", b"theirs\n")]);
    let before = branches(&fixture);
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        // For the commit that the run saw, and for the newest one.
        for base in [fixture.tip.clone(), main(&fixture)] {
            let edits = vec![still.clone(), ours.clone()];
            let changes = ChangeSet::new(base, edits, "Fix it", "Why.");
            match fixture.propose_change(&*provider, name, &changes).await {
                Err(VcsError::Conflict { branch: base, paths }) => {
                    assert_eq!((base, paths), (branch("main"), vec![path("app/tools.py")]), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    assert_eq!(branches(&fixture), before);
}

#[tokio::test]
async fn case_30_a_branch_that_is_there_is_not_even_moved_forward() {
    let fixture = GitFixture::bare();
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        for (number, commit) in [(1, &fixture.tip), (2, &fixture.previous)] {
            fixture.git(&["branch", &format!("fix/staso-{name}-{number}"), commit.as_str()]);
        }
        let before = branches(&fixture);
        let made =
            propose(&fixture, &*provider, name, vec![edit(&fixture, "a", text(b"a\n"))]).await.unwrap();
        assert_eq!(made.branch, branch(&format!("fix/staso-{name}-3")));
        fixture.git(&["update-ref", "-d", &format!("refs/heads/{}", made.branch)]);
        assert_eq!(branches(&fixture), before, "{name}: everything else is where it was");
    }
}

#[tokio::test]
async fn case_34_what_the_base_has_already_is_nothing_to_propose() {
    let fixture = GitFixture::bare();
    let wanted = edit(&fixture, "app/tools.py", text(b"fixed\n"));
    commit_files(&fixture, &[("app/tools.py", b"fixed\n")]);
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let refused = propose(&fixture, &*provider, name, vec![wanted.clone()]).await;
        assert!(matches!(refused, Err(VcsError::NothingToPropose)), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn case_42_too_many_files_or_bytes_name_the_limit() {
    let fixture = GitFixture::bare();
    let limits = GitLimits::default().with_proposal_files(3).with_proposal_bytes(100);
    let new = |count: usize, size: usize| {
        let edits = (0..count).map(|n| edit(&fixture, &format!("f{n}"), text(&vec![b'x'; size])));
        edits.collect::<Vec<_>>()
    };
    for (name, provider) in both(&fixture, &limits) {
        for (edits, limit) in [(new(4, 1), "3"), (new(1, 101), "100 bytes"), (new(2, 51), "100 bytes")] {
            match propose(&fixture, &*provider, name, edits).await {
                Err(error @ VcsError::TooLarge { .. }) => {
                    assert!(error.to_string().contains(limit), "{error}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        propose(&fixture, &*provider, name, new(2, 50)).await.unwrap();
    }
}

#[tokio::test]
async fn case_43_a_binary_file_is_replaced_as_a_whole() {
    let fixture = GitFixture::bare();
    let (old, new) = (b"\x89PNG\0\xff\xfeold".as_slice(), b"\x89PNG\0\xff\xfenew\r\n\0".as_slice());
    commit_files(&fixture, &[("logo.png", old)]);
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let read = read(&fixture, &*provider, &main(&fixture), "logo.png").await;
        assert_eq!(read, FileContent::Binary { size_bytes: old.len() as u64 });
        let made =
            propose(&fixture, &*provider, name, vec![edit(&fixture, "logo.png", text(new))]).await.unwrap();
        assert_eq!(bytes(&fixture, &made.head, "logo.png"), new, "{name}");
    }
    fixture.assert_sound();
}

#[tokio::test]
async fn case_44_a_pointer_of_git_lfs_is_told_and_not_edited() {
    let fixture = GitFixture::bare();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    commit_files(&fixture, &[("model.bin", pointer), (".gitattributes", b"*.bin filter=lfs\n")]);
    let before = branches(&fixture);
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let read = read(&fixture, &*provider, &main(&fixture), "model.bin").await;
        assert_eq!(read, FileContent::LfsPointer);
        for after in [text(b"content\n"), None] {
            match propose(&fixture, &*provider, name, vec![edit(&fixture, "model.bin", after)]).await {
                Err(VcsError::InvalidChange { reason }) => assert!(reason.contains("Git LFS"), "{reason}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    assert_eq!(branches(&fixture), before);
}

#[tokio::test]
async fn case_45_another_repository_inside_is_neither_entered_nor_edited() {
    let fixture = GitFixture::bare();
    let clone = fixture.clone_of("main");
    let canary = fixture.root().join("canary");
    let modules = format!(
        "[submodule \"dep\"]\n\tpath = lib/dep\n\turl = ext::sh -c \"echo ran > {}\"\n",
        canary.display()
    );
    write(&clone, ".gitmodules", modules.as_bytes());
    git(&clone, &["add", ".gitmodules"]);
    git(&clone, &["update-index", "--add", "--cacheinfo", &format!("160000,{},lib/dep", fixture.previous)]);
    git(&clone, &["commit", "-qm", "submodule"]);
    fixture.push(&clone, "main");
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let checkout =
            provider.checkout(&fixture.reference(), &main(&fixture), &test_context()).await.unwrap();
        assert_eq!(fs::read_dir(checkout.path.join("lib/dep")).unwrap().count(), 0, "{name}");
        for at in ["lib/dep", "lib/dep/file"] {
            let refused = propose(&fixture, &*provider, name, vec![edit(&fixture, at, text(b"x\n"))]).await;
            assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{name}: {at}: {refused:?}");
        }
        let made =
            propose(&fixture, &*provider, name, vec![edit(&fixture, "beside", text(b"x\n"))]).await.unwrap();
        let tree = fixture.git(&["ls-tree", made.head.as_str(), "lib/dep"]);
        assert!(tree.starts_with("160000 commit"), "{name}: it stays what it is: {tree}");
    }
    assert!(!canary.exists());
}

#[tokio::test]
async fn case_46_links_stay_links_and_executable_files_executable() {
    let fixture = GitFixture::bare();
    let clone = fixture.clone_of("main");
    symlink("run.sh", clone.join("link")).unwrap();
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-qm", "link"]);
    fixture.push(&clone, "main");
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let refused = propose(&fixture, &*provider, name, vec![edit(&fixture, "link", text(b"x\n"))]).await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{name}: {refused:?}");
        let script = NewContent { bytes: b"#!/bin/sh\nexit\n".to_vec(), executable: true };
        let tool = NewContent { bytes: b"def run():\n    return 1\n".to_vec(), executable: true };
        let edits = vec![edit(&fixture, "app/tools.py", Some(tool)), edit(&fixture, "run.sh", Some(script))];
        let made = propose(&fixture, &*provider, name, edits).await.unwrap();
        let tree = fixture.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", made.head.as_str()]);
        for line in ["120000 link", "100755 run.sh", "100755 app/tools.py", "100644 app/agent.py"] {
            assert!(tree.lines().any(|found| found == line), "{name}: {line} in {tree}");
        }
    }
    fixture.assert_sound();
}

#[tokio::test]
async fn case_47_line_ends_and_marks_are_kept_byte_for_byte() {
    let fixture = GitFixture::bare();
    commit_files(
        &fixture,
        &[(".gitattributes", b"bytes/* text=auto eol=crlf ident working-tree-encoding=UTF-16\n")],
    );
    let contents: [&[u8]; 5] = [b"a\r\nb\r\n", b"a\nb", b"\xef\xbb\xbfa\n", b"a\r\nb\n\rc", b"$Id$\r"];
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let at = |number: usize| format!("bytes/{number}.txt");
        let edits =
            contents.iter().enumerate().map(|(number, bytes)| edit(&fixture, &at(number), text(bytes)));
        let made = propose(&fixture, &*provider, name, edits.collect()).await.unwrap();
        let checkout = provider.checkout(&fixture.reference(), &made.head, &test_context()).await.unwrap();
        for (number, expected) in contents.iter().enumerate() {
            assert_eq!(&bytes(&fixture, &made.head, &at(number)), expected, "{name}: in the commit");
            assert_eq!(
                &fs::read(checkout.path.join(at(number))).unwrap(),
                expected,
                "{name}: in the checkout"
            );
        }
    }
}

#[tokio::test]
async fn case_48_unusual_paths_are_carried_and_read() {
    let fixture = GitFixture::bare();
    let paths = [
        "sp ace/ünï.py",
        "q\"uote's.py",
        "100%2F/%41.py",
        "-rf",
        "#a?b&c+d.py",
        ":(glob)*.py",
        "a[1]\u{1F980}.py",
    ];
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let edits = paths.iter().map(|at| edit(&fixture, at, text(at.as_bytes()))).collect();
        let made = propose(&fixture, &*provider, name, edits).await.unwrap();
        let tree = provider.list_tree(&fixture.reference(), &made.head, 100, &test_context()).await.unwrap();
        for at in paths {
            assert!(tree.entries.iter().any(|entry| entry.path.as_str() == at), "{name}: {at} is listed");
            let read = read(&fixture, &*provider, &made.head, at).await;
            assert!(matches!(read, FileContent::Text { text, .. } if &*text == at), "{name}: {at} is read");
        }
        assert_eq!(tree.unusable_paths, 0);
    }
    fixture.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_55_attempts_at_once_from_several_machines_make_one_branch() {
    let fixture = Arc::new(GitFixture::bare());
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                let data = fixture.root().join(format!("machine{}", number % 3));
                let provider = fixture.remote_at(&data);
                fixture.propose(&provider, "race", &[("app/tools.py", "fixed\n")]).await.unwrap()
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    assert!(all.iter().any(|made| made.action == ProposalAction::Created));
    assert!(all.iter().all(|made| (&made.branch, &made.head) == (&all[0].branch, &all[0].head)));
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix"]).lines().count(), 1);
    fixture.assert_sound();
}

#[tokio::test]
async fn case_60_a_commit_of_a_fork_is_said_to_be_one_and_the_fix_is_for_the_base() {
    let fixture = GitFixture::bare();
    // As a forge keeps the objects of forks: reachable by id, but from no branch of this repository.
    let fork = fixture.clone_of("main");
    write(&fork, "fork.txt", b"fork\n");
    git(&fork, &["add", "-A"]);
    git(&fork, &["commit", "-qm", "in the fork"]);
    let commit = commit_id(&git(&fork, &["rev-parse", "HEAD"]));
    let objects = fork.join(".git/objects");
    fs::write(fixture.repository.join("objects/info/alternates"), format!("{}\n", objects.display()))
        .unwrap();
    let recorded = SourceRevision {
        commit: Some(commit.clone()),
        branch: Some(branch("their-topic")),
        ..fixture.source()
    };
    let refs_of_fork = git(&fork, &["for-each-ref"]);
    for (name, provider) in both(&fixture, &GitLimits::default()) {
        let found = provider.resolve(&recorded, &test_context()).await.unwrap();
        assert_eq!((found.commit, found.base_branch), (commit.clone(), branch("main")), "{name}");
        let notes = found.notes.join("\n");
        assert!(
            notes.contains("their-topic is gone") && notes.contains("not in the history of main"),
            "{notes}"
        );
        if name == "remote" {
            assert!(notes.contains("fork"), "{notes}");
        }
        let made =
            propose(&fixture, &*provider, name, vec![edit(&fixture, "a", text(b"a\n"))]).await.unwrap();
        assert_eq!(fixture.git(&["rev-parse", &format!("{}~1", made.head)]), fixture.tip.as_str(), "{name}");
        let unknown = SourceRevision { commit: Some(commit_id(&"12".repeat(20))), ..fixture.source() };
        let unknown = provider.resolve(&unknown, &test_context()).await;
        assert!(matches!(unknown, Err(VcsError::CommitNotFound { .. })), "{name}: {unknown:?}");
    }
    assert_eq!(git(&fork, &["for-each-ref"]), refs_of_fork, "nothing is pushed into the fork");
}
