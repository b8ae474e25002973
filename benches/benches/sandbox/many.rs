//! Sixty-four sessions at the same time, and a thousand one after the other: none may fail, nothing may stay.

use std::sync::Arc;
use std::time::Instant;

use staso_benches::Failure;
use staso_core::sandbox::{ExecRequest, Sandbox as _, SandboxError, SandboxSessionExt as _};

use crate::host::Host;
use crate::leftovers::Leftovers;
use crate::{figure, say};

const AT_ONCE: usize = 64;
const IN_A_ROW: usize = 1_000;

pub(crate) fn measure() -> Result<(), Failure> {
    let host = Arc::new(Host::new()?);
    let before = Leftovers::count(host.directory.path())?;
    let start = Instant::now();
    let failed = at_once(&host);
    let took = start.elapsed().as_millis();
    figure(&format!("{AT_ONCE} at once, each with a command: failures"), &failed.to_string(), "0");
    figure(&format!("{AT_ONCE} at once: all of it"), &format!("{took} ms"), "");
    let start = Instant::now();
    let failed = (0..IN_A_ROW).filter(|number| one(&host, *number).is_err()).count();
    let took = start.elapsed().as_millis();
    figure(&format!("{IN_A_ROW} in a row, each with a command: failures"), &failed.to_string(), "0");
    figure(&format!("{IN_A_ROW} in a row: all of it"), &format!("{took} ms"), "");
    let after = Leftovers::count(host.directory.path())?;
    figure("left behind", if before == after { "nothing" } else { "SOMETHING" }, "nothing");
    say(&format!("  before: {before:?}\n  after:  {after:?}"));
    Ok(())
}

fn at_once(host: &Arc<Host>) -> usize {
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let host = Arc::clone(host);
            host.runtime.handle().clone().spawn(async move { life(&host, number).await })
        })
        .collect();
    tasks.into_iter().filter_map(|task| host.runtime.block_on(task).ok()).filter(Result::is_err).count()
}

fn one(host: &Host, number: usize) -> Result<(), SandboxError> {
    host.runtime.block_on(life(host, number))
}

/// Opens a session, runs a command in it that prints something of its own, and closes it.
async fn life(host: &Host, number: usize) -> Result<(), SandboxError> {
    let session = host.sandbox.open(&host.spec, &host.ctx).await?;
    let output = session.run(&ExecRequest::new(["echo".to_owned(), number.to_string()]), &host.ctx).await?;
    session.close().await?;
    let right = output.exit.success() && output.stdout == format!("{number}\n").as_bytes();
    if right { Ok(()) } else { Err(SandboxError::Closed) }
}
