//! What commands print.

use super::Fixture;
use super::working::{close, next, open, open_with, run, shell, start, text};
use crate::run::RunContext;
use crate::sandbox::{ExecEvent, ExecExit, ExecRequest, Sandbox, SandboxLimits};

/// Output beyond the limit loses its middle, not its end.
///
/// # Panics
/// When more is kept or something else is lost.
pub async fn output_is_cut_in_the_middle(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    const LIMIT: usize = 10_000;
    let limits = SandboxLimits { output_bytes: LIMIT as u64, ..SandboxLimits::default() };
    let session = open_with(sandbox, fixture.spec().with_limits(limits), ctx).await;
    let script = "echo start; yes | head -c 1000000; echo end";
    let mut stream = start(&*session, script, ctx).await;
    let (mut head, mut tail, mut omitted, mut ended) = (Vec::new(), Vec::new(), 0, false);
    while let Some(event) = next(&mut stream, ctx).await {
        assert!(!ended, "nothing comes after the end: {event:?}");
        ended = matches!(event, Ok(ExecEvent::Exit(_)));
        match event {
            Ok(ExecEvent::Stdout(bytes)) if omitted == 0 => head.extend(bytes),
            Ok(ExecEvent::Stdout(bytes)) => tail.extend(bytes),
            Ok(ExecEvent::Truncated { bytes }) => omitted += bytes,
            Ok(ExecEvent::Exit(exit)) => assert!(exit.success(), "a talkative command is not disturbed"),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(head.len() + tail.len() <= LIMIT, "no more than the limit is kept");
    assert!(head.starts_with(b"start\n") && tail.ends_with(b"end\n"), "start and end of the output are kept");
    assert_eq!(head.len() as u64 + tail.len() as u64 + omitted, 1_000_010, "what was left out is counted");
    let small = run(&*session, &ExecRequest::new(["sh", "-c", "yes | head -c 10000"]), ctx).await;
    assert_eq!((small.stdout.len(), small.omitted_bytes), (LIMIT, 0), "what fits is kept whole");
    let loud = shell(&*session, "yes | head -c 1000000 >&2; yes | head -c 9000", ctx).await;
    assert!(loud.stderr.len() <= LIMIT && loud.stdout.len() == 9_000, "each stream has the limit to itself");
    assert_eq!(loud.stderr.len() as u64 + loud.omitted_bytes, 1_000_000, "standard error is counted as well");
    close(&*session).await;
}

/// Output arrives while the command runs, byte for byte, and all of it before the end.
///
/// # Panics
/// When some of it is late, lost or changed.
pub async fn output_arrives_whole_and_early(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let script = "echo out; while [ ! -e go ]; do sleep 0.02; done; echo err >&2; while [ ! -e on ]; do sleep 0.02; done";
    let mut stream = start(session, script, ctx).await;
    for (printed, asked) in
        [(ExecEvent::Stdout(b"out\n".into()), "go"), (ExecEvent::Stderr(b"err\n".into()), "on")]
    {
        let event = next(&mut stream, ctx).await;
        assert!(matches!(&event, Some(Ok(event)) if *event == printed), "{printed:?} comes first: {event:?}");
        assert!(shell(session, &format!("echo > {asked}"), ctx).await.exit.success());
    }
    let end = next(&mut stream, ctx).await;
    let success = matches!(&end, Some(Ok(ExecEvent::Exit(exit))) if ExecExit::success(exit));
    assert!(success && next(&mut stream, ctx).await.is_none(), "then the command ends: {end:?}");
    // Every byte value, in no regular order, more than any buffer on the way.
    let bytes: Vec<u8> = (0..900_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let output = run(session, &ExecRequest::new(["cat"]).with_stdin(bytes.clone()), ctx).await;
    assert!(output.stdout == bytes && output.omitted_bytes == 0, "{} bytes arrive as they are", bytes.len());
    let output = shell(session, "yes out | head -c 600000 & yes err | head -c 600000 >&2; wait", ctx).await;
    assert_eq!(
        (output.stdout.len(), output.stderr.len(), output.omitted_bytes),
        (600_000, 600_000, 0),
        "of both"
    );
    assert!(text(&output.stdout).lines().all(|line| line == "out"), "each stream holds its own");
    close(session).await;
}
