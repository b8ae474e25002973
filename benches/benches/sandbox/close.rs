//! The end of a session: of an empty one, and of one with a hundred processes.
//!
//! Shells that wait for programs are what a build leaves; interpreters have more memory, which the kernel takes down.

use std::thread;
use std::time::{Duration, Instant};

use staso_benches::{Failure, Way, turns};
use staso_core::sandbox::{ExecEvent, ExecRequest};

use crate::host::Host;
use crate::{figure, times};

const ROUNDS: usize = 60;
const SETTLE: Duration = Duration::from_millis(150);
/// A hundred processes that wait: a shell, nine that it started, and ten programs of each of these.
const SHELLS: &str = "\
for shell in 1 2 3 4 5 6 7 8 9; do
    setsid sh -c 'for program in 1 2 3 4 5 6 7 8 9 10; do sleep 600 & done; echo ..........; wait' &
done
wait
";
/// A hundred interpreters that wait, some in sessions of their own.
const INTERPRETERS: &str = "\
import os, time
def start(children, inner):
    for _ in range(children):
        if os.fork() == 0:
            if inner: os.setsid(); start(inner, 0)
            else: os.write(1, b'.')
            time.sleep(600)
start(9, 10)
time.sleep(600)
";
/// The processes that say so when they are there.
const SAID: usize = 90;

pub(crate) fn measure() -> Result<(), Failure> {
    let host = Host::new()?;
    let mut empty = || {
        let session = host.open()?;
        host.run(&*session, &["/usr/bin/true"])?;
        let start = Instant::now();
        host.close(&*session)?;
        Ok(start.elapsed())
    };
    let mut shells = || with_processes(&host, &["sh", "-c", SHELLS]);
    let mut interpreters = || with_processes(&host, &["python3", "-I", "-S", "-c", INTERPRETERS]);
    let ways: Vec<Way<'_>> = vec![
        ("close: nothing runs", &mut empty),
        ("close: 100 shells and programs run", &mut shells),
        ("close: 100 interpreters run", &mut interpreters),
    ];
    let found = turns(ROUNDS, ways)?;
    found.iter().for_each(times);
    for times in found.iter().skip(1) {
        figure(&format!("{}, p95", times.name), &format!("{:.2} ms", times.percentile_ms(95)), "≤ 20 ms");
    }
    Ok(())
}

fn with_processes(host: &Host, argv: &[&str]) -> Result<Duration, Failure> {
    let session = host.open()?;
    let request = ExecRequest::new(argv.iter().copied());
    let stream = host.runtime.block_on(async {
        let mut stream = session.exec(&request, &host.ctx).await?;
        let mut said = 0;
        while said < SAID {
            match stream.next().await {
                Some(Ok(ExecEvent::Stdout(bytes))) => {
                    said += bytes.iter().filter(|byte| **byte == b'.').count();
                }
                other => return Err(Failure::from(format!("the tree does not grow: {other:?}"))),
            }
        }
        Ok(stream)
    })?;
    // The last of them are still being started.
    thread::sleep(SETTLE);
    let start = Instant::now();
    host.close(&*session)?;
    let took = start.elapsed();
    drop(stream);
    Ok(took)
}
