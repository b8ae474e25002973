//! What output of any length costs the host's memory.

use std::fs;
use std::process::Command;

use serde_json::json;
use staso_core::agent::tools::{Bash, ReadFile};

use crate::host::Host;
use crate::tools::call;

/// Of one command; five of them run.
const PRINTED_BYTES: usize = 100_000_000;
/// What all of them together may cost. The sandbox keeps 1 MiB of each.
const MOST_KB: u64 = 10 << 10;
/// What reading a file of 9 MB again and again may cost: the file a few times.
const MOST_READ_KB: u64 = 40 << 10;

/// A line of `/proc/self/status`, in kB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn output_of_any_length_is_cut() {
    let host = Host::new();
    let session = host.open().await;
    call(&Bash, json!({"command": "seq 100000"}), &*session, &host.ctx).await.unwrap();
    let before = status("VmRSS");
    for _ in 0..5 {
        let command = json!({"command": format!("echo start; yes | head -c {PRINTED_BYTES}; echo end")});
        let text = call(&Bash, command, &*session, &host.ctx).await.unwrap();
        assert!(text.starts_with("exit code 0\nstart\n") && text.ends_with("\nend"));
        assert!(text.len() < 16_000 && text.contains("bytes more left out; read .staso/out/3.txt"), "{text}");
    }
    println!("\nprinting {} kB", status("VmHWM").saturating_sub(before));
    let large = "head -c 9000000 /dev/zero | tr '\\0' 'x' > large.txt";
    call(&Bash, json!({ "command": large }), &*session, &host.ctx).await.unwrap();
    for _ in 0..5 {
        let text = call(&ReadFile, json!({"path": "large.txt"}), &*session, &host.ctx).await.unwrap();
        assert!(text.len() < 16_000);
    }
    println!("reading {} kB", status("VmHWM").saturating_sub(before));
}

/// Alone in a process, so that no other test counts.
#[test]
fn output_of_any_length_leaves_the_host_small() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tools_memory::output_of_any_length_is_cut", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let growth = |of: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(of)?.strip_suffix(" kB"));
        line.unwrap().trim().parse().unwrap()
    };
    assert!(growth("printing") < MOST_KB && growth("reading") < MOST_READ_KB, "{text}");
}
