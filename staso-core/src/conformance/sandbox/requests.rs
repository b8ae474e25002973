//! Requests that cannot be carried out.

use super::Fixture;
use super::working::{close, open, path, shell, text};
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, Sandbox, SandboxError, SandboxLimits, SandboxSpec};

/// What cannot be carried out as written is refused before anything runs, and the session goes on.
///
/// # Panics
/// When it is taken for something else.
pub async fn bad_requests_are_refused(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    for checkout in
        [fixture.checkout.join("no such directory"), fixture.checkout.join("hello.txt"), "src".into()]
    {
        let spec = SandboxSpec { checkout, ..fixture.spec() };
        let refused = sandbox.open(&spec, ctx).await.map(|_| ());
        assert!(
            matches!(refused, Err(SandboxError::InvalidRequest { .. })),
            "{} is no checkout: {refused:?}",
            spec.checkout.display()
        );
    }
    let limits = SandboxLimits { memory_bytes: 0, ..SandboxLimits::default() };
    let refused = sandbox.open(&fixture.spec().with_limits(limits), ctx).await.map(|_| ());
    assert!(matches!(refused, Err(SandboxError::InvalidRequest { .. })), "a limit of 0 is none: {refused:?}");
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let touch = || ExecRequest::new(["touch", "ran"]);
    for (what, request) in [
        ("no program", ExecRequest::new(Vec::<String>::new())),
        ("an unknown program", ExecRequest::new(["no-such-program"])),
        ("an argument with a NUL", ExecRequest::new(["touch", "ran", "a\0b"])),
        ("a variable without a name", touch().with_env("", "x")),
        ("a name with a sign of equality", touch().with_env("A=B", "x")),
        ("a value with a NUL", touch().with_env("A", "a\0b")),
        (
            "an argument of 4 MB",
            ExecRequest::new(["touch".to_owned(), "ran".to_owned(), "x".repeat(4 << 20)]),
        ),
        ("a directory that is not there", touch().with_cwd(path("no/such"))),
        ("a file as directory", touch().with_cwd(path("hello.txt"))),
    ] {
        let refused = session.exec(&request, ctx).await.map(|_| ());
        assert!(
            matches!(refused, Err(SandboxError::InvalidRequest { .. })),
            "{what} is refused: {refused:?}"
        );
    }
    let output = shell(session, "ls ran; echo alive", ctx).await;
    assert_eq!(text(&output.stdout), "alive\n", "nothing ran, and the session goes on");
    close(session).await;
}
