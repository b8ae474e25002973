//! Using up the machine: processes, memory, disk, output, time.

use std::time::{Duration, Instant};

use serde_json::json;
use staso_core::agent::ToolCall;
use staso_core::testing::tool_call;

use super::attack::{Attack, bash};
use super::stage::Stage;
use crate::processes::{marked, soon};

fn hasty(command: &str) -> ToolCall {
    tool_call("bash", &json!({ "command": command, "timeout_s": 2 }))
}

/// Space left where the stage stands, in KiB.
fn free_kib(stage: &Stage) -> u64 {
    let output = std::process::Command::new("df").arg("-kP").arg(stage.project.directory()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().nth(1).unwrap().split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cannot_use_up_the_machine() {
    let stage = Stage::new().await;
    let mark = format!("MARK_{}", stage.host.abstract_name().rsplit('-').next().unwrap());
    let free = free_kib(&stage);
    let begun = Instant::now();
    let bombs = [
        ("fork bomb", format!("export {mark}=1; f() {{ f | f & f; }}; f; sleep 5")),
        ("disk", "head -c 2G /dev/zero > fill; head -c 2G /dev/zero > /tmp/fill; head -c 2G /dev/zero > /dev/shm/fill; ls -la fill; rm -f fill".to_owned()),
        ("inodes", "mkdir n && cd n && seq 200000 | xargs touch; cd .. && rm -rf n".to_owned()),
        ("output", "yes canary | head -c 3000000000".to_owned()),
        ("sleep", format!("export {mark}=1; trap '' TERM INT HUP; sleep 100 & sleep 100; sleep 100")),
        ("memory", "python3 -c 'x = bytearray(3 << 30); print(len(x))'".to_owned()),
        ("daemon", format!("{mark}=1 setsid nohup sh -c 'sleep 100 & sleep 100' >/dev/null 2>&1 & disown; echo away")),
        ("busy", "while :; do :; done".to_owned()),
    ];
    let calls: Vec<_> = bombs.iter().map(|(_, command)| hasty(command)).collect();
    let attack = Attack::new("using up the machine").investigating(calls);
    let aftermath = stage.suffer(attack).await;
    aftermath.assert_mended();
    assert!(begun.elapsed() < Duration::from_secs(35), "it took {:?}", begun.elapsed());
    let outputs = aftermath.outputs();
    for ((name, _), output) in bombs.iter().zip(&outputs) {
        assert!(output.len() < 20_000, "{name}: {} bytes", output.len());
    }
    assert!(outputs[5].contains("exit code 1") || outputs[5].contains("killed"), "memory: {}", outputs[5]);
    assert!(soon(|| marked(&mark).is_empty()).await, "processes outlive their session");
    let used = free.saturating_sub(free_kib(&stage));
    assert!(used < 1 << 20, "{used} KiB of the disk were used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_end_ends_the_call_only() {
    let stage = Stage::new().await;
    let calls = vec![
        bash("head -c 30000000 /dev/zero | tr '\\0' x > long.py; yes 'x = 1' | head -c 9000000 > many.py"),
        tool_call("read_file", &json!({"path": "long.py"})),
        tool_call("read_file", &json!({"path": "many.py", "start_line": 400_000, "lines": 400})),
        tool_call("search_code", &json!({"pattern": "(x+x+)+y"})),
        tool_call("search_code", &json!({"pattern": "(?:x{1,1000}){1,1000}"})),
        tool_call("search_code", &json!({"pattern": "x", "max": 100, "context": 3})),
        tool_call("list_files", &json!({"glob": "{".repeat(400)})),
        bash("rm long.py many.py"),
    ];
    let aftermath = stage.suffer(Attack::new("files without end").investigating(calls)).await;
    aftermath.assert_mended();
    assert!(aftermath.outputs().iter().all(|output| output.len() < 20_000));
}
