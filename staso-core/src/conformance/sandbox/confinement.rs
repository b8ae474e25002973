//! What a session is kept from.

use super::working::{close, open, path, run, shell, text};
use super::{FILES, Fixture, LINKS};
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, IsolationTier, Sandbox, SandboxError, SandboxLimits, TreeLimits};

/// Capabilities and the session's own account agree, and the tier is at least the one asked for.
///
/// # Panics
/// When they do not.
pub async fn says_what_it_gives(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let capabilities = sandbox.capabilities(ctx).await;
    let Ok(capabilities) = capabilities else {
        panic!("the sandbox must know its capabilities: {capabilities:?}")
    };
    let session = open(sandbox, fixture, ctx).await;
    assert_eq!(session.isolation().tier, capabilities.tier, "a session reaches the tier that was announced");
    assert!(session.isolation().tier <= fixture.min_tier, "the tier is at least the one that was asked for");
    assert_eq!(session.isolation().limits, SandboxLimits::default(), "the limits are those of the request");
    close(&*session).await;
    let tiers =
        [IsolationTier::Full, IsolationTier::Container, IsolationTier::LandlockOnly, IsolationTier::None];
    for stronger in tiers.into_iter().filter(|tier| *tier < capabilities.tier) {
        let refused = sandbox.open(&fixture.spec().with_min_tier(stronger), ctx).await.map(|_| ());
        assert!(
            matches!(&refused, Err(SandboxError::Unavailable { wanted, .. }) if *wanted == stronger),
            "a tier that cannot be given is refused, never replaced by a weaker one: {refused:?}"
        );
    }
}

/// Sessions over the same checkout do not see each other, and leave the checkout as it was.
///
/// # Panics
/// When they do not.
pub async fn sessions_are_separate(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let (first, second) = tokio::join!(open(sandbox, fixture, ctx), open(sandbox, fixture, ctx));
    let script =
        "echo mine > hello.txt; echo mine > \"$TMPDIR/mine\"; rm run.sh; cat hello.txt \"$TMPDIR/mine\"";
    let one = shell(&*first, script, ctx).await;
    assert_eq!(text(&one.stdout), "mine\nmine\n", "a session sees its own writes");
    let written = first.write_file(&path("src/mine"), b"mine", false, ctx).await;
    assert!(written.is_ok(), "{written:?}");
    let two =
        shell(&*second, "cat hello.txt; ls run.sh src/mine \"$TMPDIR/mine\" /tmp/mine; true", ctx).await;
    assert_eq!(text(&two.stdout), "hello\nrun.sh\n", "and not those of another");
    let read = second.read_file(&path("src/mine"), 10, ctx).await;
    assert!(matches!(read, Err(SandboxError::NotFound { .. })), "nor what its host wrote: {read:?}");
    let changed = second.changes(ctx).await;
    assert!(matches!(&changed, Ok(changed) if changed.is_empty()), "nor its changes: {changed:?}");
    let tree = second.tree(&TreeLimits::default(), ctx).await;
    assert!(tree.is_ok_and(|tree| tree.entries.len() == FILES.len() + LINKS.len()), "nor its files");
    close(&*first).await;
    assert!(shell(&*second, "true", ctx).await.exit.success(), "closing one leaves the other");
    close(&*second).await;
    let third = open(sandbox, fixture, ctx).await;
    let changed = third.changes(ctx).await;
    assert!(matches!(&changed, Ok(changed) if changed.is_empty()), "a new session starts clean: {changed:?}");
    assert_eq!(
        text(&shell(&*third, "cat hello.txt run.sh", ctx).await.stdout),
        "hello\n#!/bin/sh\necho ran\n"
    );
    close(&*third).await;
    checkout_is_as_it_was(fixture);
}

/// Looks from outside, where no session stands in between.
fn checkout_is_as_it_was(fixture: &Fixture) {
    for (name, content, _) in FILES {
        let found = std::fs::read_to_string(fixture.checkout.join(name)).ok();
        assert_eq!(found.as_deref(), Some(content), "{name} of the checkout is as it was");
    }
    let names = |directory: &str| {
        let entries = std::fs::read_dir(fixture.checkout.join(directory)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(""), ["hello.txt", "link", "out", "run.sh", "src"], "nothing was put into the checkout");
    assert_eq!(names("src"), ["deep", "one.py"], "nor into a directory of it");
}

/// No file, variable, process or service of the host is reachable.
///
/// # Panics
/// When one is.
pub async fn the_host_is_out_of_reach(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let output = run(session, &ExecRequest::new(["env"]), ctx).await;
    let names: Vec<String> =
        text(&output.stdout).lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    assert_eq!(names.len(), 4, "four variables and no more: {names:?}");
    assert!(["PATH", "HOME", "LANG", "TMPDIR"].iter().all(|name| names.iter().any(|seen| seen == name)));
    let host_file = fixture.host_file.display().to_string();
    let output = run(session, &ExecRequest::new(["cat", &host_file]), ctx).await;
    assert!(
        !output.exit.success() && output.stdout.is_empty(),
        "a file of the host is not there: {output:?}"
    );
    let connect = "import socket, sys\n\
                   try:\n\
                   \x20   own = socket.socket(); own.bind(('127.0.0.1', 0)); own.listen()\n\
                   \x20   socket.create_connection(own.getsockname(), 2); print('own')\n\
                   except OSError: print('none')\n\
                   for place in (('127.0.0.1', int(sys.argv[1])), ('1.1.1.1', 53), ('169.254.169.254', 80)):\n\
                   \x20   try: socket.create_connection(place, 1); print('reached', place)\n\
                   \x20   except OSError: pass\n\
                   try: socket.getaddrinfo('example.com', 80); print('resolved')\n\
                   except OSError: pass\n";
    let port = fixture.host_port.to_string();
    let output = run(session, &ExecRequest::new(["python3", "-c", connect, &port]), ctx).await;
    // Without a network namespace there is no loopback that is not the host's.
    let shared = session.isolation().tier == IsolationTier::LandlockOnly;
    let loopback = if shared { "none\n" } else { "own\n" };
    assert_eq!(text(&output.stdout), loopback, "its own loopback and nothing else: {}", text(&output.stderr));
    close(session).await;
}
