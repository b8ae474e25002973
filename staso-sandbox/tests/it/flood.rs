//! A session that prints without end: the host keeps what its limit says and does not grow.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::host::Host;
use crate::lifecycle::own_variable;

const HOST_MARK: &str = "STASO_TEST_FLOOD";
const BYTES: u64 = 1_000_000_000;

/// The body of a host with a memory of its own; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_flooded() {
    if own_variable(HOST_MARK).is_none() {
        return;
    }
    let host = Host::new();
    let session = host.open().await;
    let flood = |bytes: u64| ["head".to_owned(), "-c".to_owned(), bytes.to_string(), "/dev/zero".to_owned()];
    let run = async |bytes: u64| {
        let argv = flood(bytes);
        host.run(&*session, &argv.each_ref().map(String::as_str)).await
    };
    // What a first command takes is there before, and the peak counts anew.
    run(BYTES / 20).await;
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_kib();
    let output = run(BYTES).await;
    let grown = peak_kib() - before;
    let limit = host.spec().limits.output_bytes;
    let kept = u64::try_from(output.stdout.len()).unwrap();
    assert!(output.exit.success(), "{:?}", output.exit);
    assert_eq!((kept, kept + output.omitted_bytes), (limit, BYTES));
    assert!(grown <= 4 * limit / 1024, "the host grew by {grown} KiB");
    writeln!(std::io::stderr(), "the host was flooded").unwrap();
}

/// The largest resident memory of this process.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_gigabyte_of_output_leaves_the_host_as_it_was() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "flood::a_host_that_is_flooded", "--nocapture"])
        .env(HOST_MARK, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the host was flooded"), "{said}");
}
