//! The host's memory while a command prints ten gigabytes.

use std::fs;
use std::time::Instant;

use staso_benches::Failure;

use crate::figure;
use crate::host::Host;

const BYTES: u64 = 10_000_000_000;

pub(crate) fn measure() -> Result<(), Failure> {
    let host = Host::new()?;
    let session = host.open()?;
    // Whatever a first command takes is there before.
    host.run(&*session, &["head", "-c", "100000000", "/dev/zero"])?;
    // From here on the peak counts anew.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = peak_kib()?;
    let start = Instant::now();
    let output = host.run(&*session, &["head", "-c", &BYTES.to_string(), "/dev/zero"])?;
    let seconds = start.elapsed().as_secs_f64();
    let grown = peak_kib()?.saturating_sub(before);
    host.close(&*session)?;
    let kept = u64::try_from(output.stdout.len())?;
    if kept + output.omitted_bytes != BYTES {
        return Err(format!("{kept} bytes kept and {} left out", output.omitted_bytes).into());
    }
    let limit = host.spec.limits.output_bytes;
    figure("10 GB of output: time", &format!("{seconds:.1} s"), "");
    figure("10 GB of output: kept", &format!("{} KiB", kept >> 10), "");
    let most = format!("≤ {} KiB, twice the limit of output", (2 * limit) >> 10);
    figure("10 GB of output: growth of the host's peak memory", &format!("{grown} KiB"), &most);
    Ok(())
}

/// The largest resident memory of this process.
fn peak_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
