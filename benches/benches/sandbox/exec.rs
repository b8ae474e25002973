//! A command in an open session next to a plain start of the same program.

use std::process::Command;
use std::time::Instant;

use staso_benches::{Failure, turns};

use crate::host::Host;
use crate::{figure, times};

const ROUNDS: usize = 300;
const PROGRAM: &str = "/usr/bin/true";

pub(crate) fn measure() -> Result<(), Failure> {
    let host = Host::new()?;
    let session = host.open()?;
    let mut inside = || {
        let start = Instant::now();
        let output = host.run(&*session, &[PROGRAM])?;
        let took = start.elapsed();
        if output.exit.success() { Ok(took) } else { Err("the program fails in a session".into()) }
    };
    let mut outside = || {
        let start = Instant::now();
        let output = Command::new(PROGRAM).output()?;
        let took = start.elapsed();
        if output.status.success() { Ok(took) } else { Err("the program fails".into()) }
    };
    let found = turns(ROUNDS, vec![("exec in a session", &mut inside), ("plain spawn", &mut outside)])?;
    host.close(&*session)?;
    found.iter().for_each(times);
    if let [inside, outside] = &found[..] {
        figure("beyond a plain spawn, p50", &format!("{:.2} ms", inside.beyond_ms(outside)), "≤ 1 ms");
    }
    Ok(())
}
