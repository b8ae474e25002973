//! Checkouts whose files are not all like those of a clone.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_with_git_and_closed_files_is_copied_for_the_session() {
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    let mode = fs::Permissions::from_mode;
    fs::create_dir(checkout.join(".git")).unwrap();
    fs::write(checkout.join(".git/config"), CANARY).unwrap();
    fs::set_permissions(checkout.join("hello.txt"), mode(0o400)).unwrap();
    fs::set_permissions(checkout.join("src"), mode(0o700)).unwrap();
    let session = open(&host, IsolationTier::LandlockOnly).await;
    assert!(session.changes(&host.ctx).await.unwrap().is_empty());
    let script = "test ! -e .git && cat hello.txt && echo more >> hello.txt && ls src && cat src/one.py";
    let output = host.run(&*session, &["sh", "-c", script]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\ndeep\none.py\nprint('one')\n", "{output:?}");
    let changes = session.changes(&host.ctx).await.unwrap();
    assert_eq!(changes.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["hello.txt"]);
    assert_eq!(fs::read_to_string(checkout.join("hello.txt")).unwrap(), "hello\n");
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_several_owners_do_no_harm() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    for foreign in ["hello.txt", "src"] {
        std::os::unix::fs::chown(checkout.join(foreign), Some(4242), Some(4242)).unwrap();
    }
    for (tier, appended) in [(IsolationTier::Full, false), (IsolationTier::LandlockOnly, true)] {
        let session = open(&host, tier).await;
        let output = host.run(&*session, &["sh", "-c", "cat hello.txt; ls src; echo own >> run.sh"]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\ndeep\none.py\n", "{output:?}");
        let output = host.run(&*session, &["sh", "-c", "echo more >> hello.txt"]).await;
        assert_eq!(output.exit.success(), appended, "{tier:?}: {output:?}");
        let changes = session.changes(&host.ctx).await.unwrap();
        let names: Vec<&str> = changes.keys().map(RepoPath::as_str).collect();
        let expected: &[&str] = if appended { &["hello.txt", "run.sh"] } else { &["run.sh"] };
        assert_eq!(names, expected, "{tier:?}");
        session.close().await.unwrap();
    }
    assert_eq!(fs::metadata(checkout.join("hello.txt")).unwrap().uid(), 4242);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mode_that_git_does_not_keep_is_no_change() {
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    fs::set_permissions(checkout.join("hello.txt"), fs::Permissions::from_mode(0o444)).unwrap();
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly] {
        let session = open(&host, tier).await;
        let script = "chmod u+w hello.txt; chmod go-rwx src/one.py src; touch src/deep/two.py";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        assert!(session.changes(&host.ctx).await.unwrap().is_empty(), "{tier:?}");
        let script = "echo more >> src/one.py && echo more >> hello.txt && chmod +x src/deep/two.py";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        assert_eq!(session.changes(&host.ctx).await.unwrap().len(), 3, "{tier:?}");
        session.close().await.unwrap();
    }
}
