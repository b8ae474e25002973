//! Reading and writing files.

use super::Fixture;
use super::working::{close, open, path, shell, text};
use crate::run::RunContext;
use crate::sandbox::{Sandbox, SandboxError};

/// Files are read and written with their content, size limits and modes.
///
/// # Panics
/// When they are not.
pub async fn files_are_read_and_written(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let read = session.read_file(&path("hello.txt"), 6, ctx).await;
    assert_eq!(read.ok().as_deref(), Some(b"hello\n".as_slice()), "a file of just the limit is read");
    let read = session.read_file(&path("hello.txt"), 5, ctx).await;
    assert!(
        matches!(read, Err(SandboxError::TooLarge { limit_bytes: 5, .. })),
        "a larger one is not: {read:?}"
    );
    for missing in ["no", "no/no", "src/no.py"] {
        let read = session.read_file(&path(missing), 5, ctx).await;
        assert!(matches!(read, Err(SandboxError::NotFound { .. })), "{missing} is not there: {read:?}");
    }
    let read = session.read_file(&path("src"), 5, ctx).await;
    assert!(matches!(read, Err(SandboxError::Denied { .. })), "a directory is no file: {read:?}");
    for (name, executable) in [("new/a/b.sh", true), ("hello.txt", false)] {
        let written = session.write_file(&path(name), b"#!/bin/sh\necho new\n", executable, ctx).await;
        assert!(written.is_ok(), "{name} is written: {written:?}");
    }
    assert_eq!(
        text(&shell(session, "new/a/b.sh; cat hello.txt | tail -1", ctx).await.stdout),
        "new\necho new\n"
    );
    assert!(shell(session, "echo other > hello.txt; rm new/a/b.sh", ctx).await.exit.success());
    let read = session.read_file(&path("hello.txt"), 100, ctx).await;
    assert_eq!(read.ok().as_deref(), Some(b"other\n".as_slice()), "what commands wrote is read");
    let read = session.read_file(&path("new/a/b.sh"), 100, ctx).await;
    assert!(matches!(read, Err(SandboxError::NotFound { .. })), "what they removed is not: {read:?}");
    let written = session.write_file(&path("run.sh"), b"", false, ctx).await;
    assert!(
        written.is_ok() && shell(session, "[ ! -s run.sh ] && [ ! -x run.sh ]", ctx).await.exit.success()
    );
    let every: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    let written = session.write_file(&path("binary"), &every, false, ctx).await;
    let read = session.read_file(&path("binary"), 300_000, ctx).await;
    assert!(written.is_ok() && read.is_ok_and(|read| read == every), "any bytes come back as they were");
    let written = session.write_file(&path("hello.txt/x"), b"", false, ctx).await;
    assert!(matches!(written, Err(SandboxError::Denied { .. })), "a file is no directory: {written:?}");
    close(session).await;
}

/// No path leads out of the checkout, by whatever link.
///
/// # Panics
/// When one does.
pub async fn paths_stay_in_the_checkout(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let script = "ln -s / root; ln -s /etc etc; ln -s .. src/up; mkfifo pipe; ln -s src/one.py inside";
    assert!(shell(session, script, ctx).await.exit.success());
    for name in ["out", "link", "inside", "root/etc/hostname", "etc/hostname", "src/up/hello.txt", "pipe"] {
        let read = session.read_file(&path(name), 1 << 20, ctx).await;
        assert!(matches!(read, Err(SandboxError::Denied { .. })), "{name} is not read: {read:?}");
        let written = session.write_file(&path(name), b"x", false, ctx).await;
        assert!(matches!(written, Err(SandboxError::Denied { .. })), "{name} is not written: {written:?}");
    }
    let written = session.write_file(&path("root/tmp/x"), b"x", false, ctx).await;
    assert!(matches!(written, Err(SandboxError::Denied { .. })), "no directory through a link: {written:?}");
    close(session).await;
}
