//! What leaves a session as data.

use super::working::{close, open, path, shell, text};
use super::{FILES, Fixture, LINKS};
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{
    Sandbox, SandboxError, SandboxSession, SessionChange, SessionEntry, SessionNode, TreeLimits,
};

/// Every kind of change is listed, and nothing that is as before.
///
/// # Panics
/// When something is missing or invented.
pub async fn changes_are_complete(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    assert_eq!(session.changes(ctx).await.ok().map(|changes| changes.len()), Some(0), "nothing changed yet");
    let script = "echo changed > hello.txt; chmod -x run.sh; rm -r src; mkdir src; echo 3 > src/three.py; \
                  cat link > /dev/null; ln -s /nowhere dangling; ln -sf run.sh out; mkfifo pipe; \
                  mkdir -p .staso/driver; echo x > .staso/driver/x; mkdir empty";
    let output = shell(session, script, ctx).await;
    assert!(output.exit.success(), "{}", text(&output.stderr));
    let changes = match session.changes(ctx).await {
        Ok(changes) => changes,
        Err(error) => panic!("changes are listed: {error}"),
    };
    let written = |content: &str| SessionChange::Written { content: content.into(), executable: false };
    let link = |target: &str| SessionChange::Symlink { target: target.into() };
    let expected = [
        ("dangling", link("/nowhere")),
        ("hello.txt", written("changed\n")),
        ("out", link("run.sh")),
        ("run.sh", written("#!/bin/sh\necho ran\n")),
        ("src/deep/two.py", SessionChange::Deleted),
        ("src/one.py", SessionChange::Deleted),
        ("src/three.py", written("3\n")),
    ];
    for (name, change) in &expected {
        assert_eq!(changes.get(&path(name)), Some(change), "{name}");
    }
    let pipe = changes.get(&path("pipe"));
    assert!(matches!(pipe, Some(SessionChange::Refused { .. })), "a pipe does not leave: {pipe:?}");
    assert_eq!(changes.len(), expected.len() + 1, "nothing else changed: {:?}", changes.keys());
    let undo = "echo hello > hello.txt; chmod +x run.sh; rm dangling pipe; ln -sf /etc/hostname out; \
                rm src/three.py; mkdir src/deep; echo \"print('one')\" > src/one.py; echo \"print('two')\" > src/deep/two.py";
    assert!(shell(session, undo, ctx).await.exit.success());
    let left = session.changes(ctx).await;
    assert!(matches!(&left, Ok(left) if left.is_empty()), "what is as before is no change: {left:?}");
    host_writes_count(session, ctx).await;
    let script =
        "mkdir -p .git/objects sub/.GIT; echo x > .git/HEAD; echo x > sub/.GIT/config; ln -s / sub/git~1";
    assert!(shell(session, script, ctx).await.exit.success());
    let left = session.changes(ctx).await;
    assert!(matches!(&left, Ok(left) if left.is_empty()), "git's directories are no content: {left:?}");
    assert!(shell(session, "echo x > 'sub/back\\slash'", ctx).await.exit.success());
    let refused = session.changes(ctx).await;
    assert!(
        matches!(&refused, Err(SandboxError::InvalidRequest { reason, .. }) if reason.contains("sub/back")),
        "a path that cannot be named safely is named in the error: {refused:?}"
    );
    close(session).await;
}

/// The tree holds every file with its content, links and pipes without, and what commands changed.
///
/// # Panics
/// When something is missing, invented, followed or beyond the limits.
pub async fn trees_are_complete(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let limits = TreeLimits::default();
    let file = |content: &str, in_checkout| SessionEntry {
        node: SessionNode::File(content.as_bytes().into()),
        in_checkout,
    };
    let link = |target: &str, in_checkout| SessionEntry {
        node: SessionNode::Symlink { target: target.into() },
        in_checkout,
    };
    let mut expected: Vec<(&str, SessionEntry)> =
        FILES.iter().map(|(name, content, _)| (*name, file(content, true))).collect();
    expected.extend(LINKS.iter().map(|(name, target)| (*name, link(target, true))));
    same_tree(session, &limits, expected.clone(), ctx).await;
    same_tree(session, &limits, expected.clone(), ctx).await;
    let script = "echo changed > hello.txt; rm -r src/deep; echo 3 > src/three.py; ln -s /nowhere dangling; \
                  mkfifo pipe; mkdir -p .staso/driver sub/.git empty; echo x > .staso/driver/x; echo x > sub/.git/HEAD; \
                  head -c 70000 /dev/zero > zeros; rm run.sh; mkdir run.sh; echo in > run.sh/in";
    let output = shell(session, script, ctx).await;
    assert!(output.exit.success(), "{}", text(&output.stderr));
    expected.retain(|(name, _)| !["hello.txt", "src/deep/two.py", "run.sh"].contains(name));
    let special = SessionEntry { node: SessionNode::Special, in_checkout: false };
    expected.extend([
        ("hello.txt", file("changed\n", true)),
        ("src/three.py", file("3\n", false)),
        ("dangling", link("/nowhere", false)),
        ("pipe", special),
        ("run.sh/in", file("in\n", false)),
        ("zeros", file(&"\0".repeat(70_000), false)),
    ]);
    same_tree(session, &limits, expected.clone(), ctx).await;
    for (name, entry) in &mut expected {
        if matches!(*name, "zeros") {
            entry.node = SessionNode::Unread { size_bytes: Some(70_000) };
        }
    }
    same_tree(session, &limits.with_file_bytes(65_000), expected.clone(), ctx).await;
    let undo = "echo hello > hello.txt; rm -r src/three.py dangling pipe zeros run.sh";
    assert!(shell(session, undo, ctx).await.exit.success());
    expected.retain(|(name, _)| !["src/three.py", "dangling", "pipe", "zeros", "run.sh/in"].contains(name));
    for (name, entry) in &mut expected {
        if *name == "hello.txt" {
            *entry = file("hello\n", true);
        }
    }
    same_tree(session, &limits, expected, ctx).await;
    assert!(shell(session, "echo x > 'line\nbreak'", ctx).await.exit.success());
    let odd = session.tree(&limits, ctx).await;
    assert!(odd.is_ok_and(|tree| tree.unnamed >= 1), "a path that cannot be named safely is counted");
    let cut = session.tree(&limits.with_entries(2), ctx).await;
    assert!(
        cut.is_ok_and(|tree| tree.cut && tree.entries.len() <= 4),
        "more paths than the limit are cut, and it says so"
    );
    close(session).await;
}

async fn same_tree(
    session: &dyn SandboxSession,
    limits: &TreeLimits,
    mut expected: Vec<(&str, SessionEntry)>,
    ctx: &RunContext,
) {
    let tree = match session.tree(limits, ctx).await {
        Ok(tree) => tree,
        Err(error) => panic!("the tree is read: {error}"),
    };
    expected.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = tree.entries.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "the paths, sorted");
    for (name, entry) in expected {
        assert!(tree.entries.get(&path(name)) == Some(&entry), "{name}: {:?}", tree.entries.get(&path(name)));
    }
    assert!(!tree.cut && tree.unnamed == 0, "nothing is left out");
}

/// What the host writes is a change as what commands write. Leaves none.
async fn host_writes_count(session: &dyn SandboxSession, ctx: &RunContext) {
    let limits = TreeLimits::default();
    let (content, executable) = (b"by the host\n".to_vec(), true);
    let written = session.write_file(&path("host/new"), &content, executable, ctx).await;
    assert!(written.is_ok(), "{written:?}");
    let changes = session.changes(ctx).await.unwrap_or_default();
    let change = SessionChange::Written { content: content.clone(), executable };
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(path("host/new"), change)], "it is listed at once");
    let node = |tree: &crate::sandbox::SessionTree| {
        tree.entries.get(&path("host/new")).map(|entry| entry.node.clone())
    };
    let tree = session.tree(&limits, ctx).await.ok();
    assert_eq!(tree.as_deref().and_then(node), Some(SessionNode::File(content.into())), "it is in the tree");
    assert!(shell(session, "rm -r host", ctx).await.exit.success());
    let tree = session.tree(&limits, ctx).await.ok();
    assert!(tree.is_some_and(|tree| node(&tree).is_none()), "and goes with the file");
}
