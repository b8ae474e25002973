//! Output: too much, too late, too odd.

use std::time::{Duration, Instant};

use staso_core::sandbox::{ExecEvent, ExecRequest};

use crate::escape::host::{APPEARS, resident_bytes};
use crate::escape::inside::{Inside, words};
use crate::escape::outcome::Outcome;
use crate::escape::runner::Run;
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, held};

/// How much this process may grow while a session floods it.
const MOST_GROWTH: u64 = 24 << 20;
/// How long the flood may take.
const FLOOD_LIMIT: Duration = Duration::from_secs(120);

/// Row 61.
pub(super) async fn flood(run: &Run<'_>) -> Judged {
    const CONTROL_BYTES: usize = 64 << 20;
    let outside = run.ground.probe.command(&words(&format!("flood {CONTROL_BYTES}"))).output();
    let printed = outside.map_or(0, |output| output.stdout.len());
    control(printed >= CONTROL_BYTES, format!("a host that keeps everything keeps {printed} bytes"))?;
    let inside = run.open().await?;
    let wanted = run.ground.flood_bytes;
    let before = resident_bytes();
    let request = Inside::request(&words(&format!("flood {wanted}"))).with_timeout(FLOOD_LIMIT);
    let mut stream = inside.session.exec(&request, run.ctx).await.or_broken("start the flood")?;
    let start = Instant::now();
    let (mut kept, mut omitted, mut grown, mut exit) = (0u64, 0u64, 0, None);
    while let Some(event) = stream.next().await {
        match event.or_broken("read the flood")? {
            ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes) => kept += bytes.len() as u64,
            ExecEvent::Truncated { bytes } => omitted += bytes,
            ExecEvent::Exit(ended) => exit = Some(ended),
            _ => {}
        }
        grown = grown.max(resident_bytes().saturating_sub(before));
    }
    let limit = run.ground.limits.output_bytes;
    ensure(kept <= limit, format!("{kept} bytes were kept of at most {limit}"))?;
    ensure(grown < MOST_GROWTH, format!("the host grew by {grown} bytes"))?;
    let success = exit.is_some_and(|exit| exit.success());
    // The probe's last line is its verdict.
    let all = kept + omitted >= wanted;
    if !success || !all {
        return Err(Verdict::Broken(format!("{kept} + {omitted} of {wanted} bytes, {exit:?}")));
    }
    held(format!(
        "{wanted} bytes in {} ms: {kept} kept, {omitted} left out, the host grew by {} KiB",
        start.elapsed().as_millis(),
        grown >> 10
    ))
}

/// Row 62.
pub(super) async fn after_close(run: &Run<'_>) -> Judged {
    let inside = run.open().await?;
    let mut stream = inside.start(&words("flood 100000000000")).await?;
    let first = tokio::time::timeout(APPEARS, stream.next()).await;
    control(matches!(first, Ok(Some(Ok(ExecEvent::Stdout(_))))), format!("it prints before: {first:?}"))?;
    inside.session.close().await.or_broken("close the session")?;
    let mut late = 0u64;
    let ended = tokio::time::timeout(run.ground.patience, async {
        while let Some(event) = stream.next().await {
            if let Ok(ExecEvent::Stdout(bytes)) = event {
                late += bytes.len() as u64;
            }
        }
    });
    ensure(ended.await.is_ok(), "the stream does not end")?;
    let limit = run.ground.limits.output_bytes;
    ensure(late <= limit, format!("{late} bytes came after the session was closed"))?;
    held(format!("the stream ended; {late} bytes were on their way"))
}

/// Row 66.
pub(super) async fn odd_bytes(run: &Run<'_>) -> Judged {
    let outside = run.ground.probe.command(&words("bytes")).output().or_broken("run the control")?;
    control(
        outside.stdout.contains(&0x1b) && outside.stdout.contains(&0xff),
        "it prints such bytes outside",
    )?;
    let inside = run.open().await?;
    let output = inside.output(&words("bytes"), APPEARS).await.or_broken("run the command")?;
    if !Outcome::of_output(&output).is_done() {
        return Err(Verdict::Broken(format!("{:?}", output.exit)));
    }
    ensure(output.stdout == outside.stdout, "standard output was changed on its way")?;
    ensure(output.stderr == outside.stderr, "standard error was changed on its way")?;
    let evil = "no-such-\u{1b}]0;title\u{7}\u{1b}[2J-program\u{202e}";
    let refused = match inside.session.exec(&ExecRequest::new([evil]), run.ctx).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let steers = |letter: char| letter.is_control() || letter == '\u{202e}';
    ensure(!refused.contains(steers), "an error steers the terminal of whoever prints it")?;
    held("every byte arrived as it was, and no error repeats them")
}
