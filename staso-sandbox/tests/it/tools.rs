//! The tools of agents on real sessions: what they reach, and what a hostile tree does to them.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staso_core::agent::tools::{Bash, ListFiles, ReadFile, SearchCode};
use staso_core::agent::{Shown, Tool, ToolError, ToolProblemCode, ToolReply, ToolScope};
use staso_core::conformance::tool::keeps_the_contract;
use staso_core::run::RunContext;
use staso_core::sandbox::{SandboxSession, SandboxSpec, TreeLimits};
use tokio_util::sync::CancellationToken;

use crate::host::{CANARY, Host, eventually, processes_with};

/// How long anything may take after a run was cancelled.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

pub(crate) async fn call(
    tool: &dyn Tool,
    arguments: Value,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<String, ToolError> {
    let shown = Shown::default();
    let scope = ToolScope::new("t3", &shown, Duration::from_secs(300)).with_session(Some(session));
    match tool.call(arguments, &scope, ctx).await? {
        ToolReply::Text(text) => Ok(text),
        other => panic!("this tool ends nothing: {other:?}"),
    }
}

async fn text(tool: &dyn Tool, arguments: Value, session: &dyn SandboxSession, host: &Host) -> String {
    call(tool, arguments, session, &host.ctx).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tools_keep_the_contract() {
    let host = Host::new();
    let session = host.open().await;
    let tools: [&dyn Tool; 4] = [&Bash, &ListFiles, &ReadFile, &SearchCode];
    for tool in tools {
        keeps_the_contract(tool, Some(&*session)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_prints_in_order_and_what_it_wrote_is_found() {
    let host = Host::new();
    let session = host.open().await;
    let command = "echo one; echo two >&2; echo three; pwd; echo $PAGER; mkdir lib; echo 'fresh words' > lib/new.py; exit 3";
    let answer = text(&Bash, json!({ "command": command }), &*session, &host).await;
    assert_eq!(answer, "exit code 3\none\ntwo\nthree\n/workspace\ncat");
    let search = || text(&SearchCode, json!({"pattern": "fresh"}), &*session, &host);
    assert_eq!(search().await, "1 match; 5 files searched:\n\nlib/new.py\n1: fresh words");
    text(
        &Bash,
        json!({"command": "sed -i s/fresh/stale/ lib/new.py; echo fresh > hello.txt"}),
        &*session,
        &host,
    )
    .await;
    assert_eq!(search().await, "1 match; 5 files searched:\n\nhello.txt\n1: fresh");
    text(&Bash, json!({"command": "echo hello > hello.txt"}), &*session, &host).await;
    assert!(search().await.starts_with("no match"));
    let read = text(&ReadFile, json!({"path": "/workspace/lib/new.py"}), &*session, &host).await;
    assert!(read.contains("stale words"), "{read}");
    let list = text(&ListFiles, json!({}), &*session, &host).await;
    assert!(
        list.starts_with("lib/  (1 file)\nsrc/  (2 files)\nhello.txt")
            && list.contains("out -> /etc/hostname")
    );
    let loud = text(&Bash, json!({"command": "seq 1 20000"}), &*session, &host).await;
    assert!(loud.contains("read .staso/out/3.txt"), "{loud}");
    let saved = json!({"path": ".staso/out/3.txt", "start_line": 19_999});
    assert!(text(&ReadFile, saved, &*session, &host).await.contains("20000\n[lines 19999-20000 of 20000]"));
    assert!(
        !text(&SearchCode, json!({"pattern": "^20000$"}), &*session, &host)
            .await
            .contains("match;\n\n.staso")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_host_is_reached_through_any_tool() {
    let host = Host::new();
    let canary = host.fixture.host_file.display().to_string();
    assert_eq!(fs::read_to_string(&canary).unwrap(), CANARY, "the control: the host reads it");
    assert!(
        !fs::read("/proc/self/environ").unwrap().is_empty(),
        "the control: the host reads its environment"
    );
    let root = &host.fixture.checkout;
    symlink(&canary, root.join("to-canary")).unwrap();
    symlink("/proc/self/environ", root.join("to-environ")).unwrap();
    symlink(host.directory.path(), root.join("up")).unwrap();
    let session = host.open().await;
    let places = [
        canary.as_str(),
        "/proc/1/environ",
        "/proc/self/environ",
        "/workspace/../proc/1/environ",
        "../canary",
        "src/../../canary",
        "to-canary",
        "to-environ",
        "up/canary",
        "out",
    ];
    for place in places {
        let calls: [(&dyn Tool, Value); 3] = [
            (&ReadFile, json!({ "path": place })),
            (&ListFiles, json!({ "path": place })),
            (&SearchCode, json!({ "path": place, "pattern": "." })),
        ];
        for (tool, arguments) in calls {
            match call(tool, arguments, &*session, &host.ctx).await {
                Err(ToolError::Problem(_)) => {}
                Ok(text) => assert!(text.starts_with("no match; 0 files"), "{place}: {text}"),
                Err(error) => panic!("{place}: {error}"),
            }
        }
    }
    let all = text(&SearchCode, json!({"pattern": "canary|PATH="}), &*session, &host).await;
    assert!(all.starts_with("no match"), "no link is followed: {all}");
    for file in [canary.as_str(), "to-canary", "up/canary", "/proc/1/environ"] {
        let answer = text(&Bash, json!({"command": format!("cat {file}")}), &*session, &host).await;
        assert!(answer.starts_with("exit code 1") && !answer.contains(CANARY), "{file}: {answer}");
    }
    let environment =
        text(&Bash, json!({"command": "cat /proc/self/environ | tr '\\0' '\\n'"}), &*session, &host).await;
    assert!(environment.contains("PAGER=cat") && !environment.contains("CARGO"), "its own: {environment}");
}

/// A checkout with everything that is no plain file.
fn hostile_checkout(host: &Host) -> SandboxSpec {
    let root = host.directory.path().join("hostile");
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("src/plain.py"), "needle\n").unwrap();
    fs::write(root.join("line\nbreak.py"), "needle\n").unwrap();
    fs::write(root.join("bell\u{7}.py"), "needle\n").unwrap();
    fs::write(root.join("back\\slash.py"), "needle\n").unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".git/config"), "needle\n").unwrap();
    fs::File::create(root.join("sparse.bin")).unwrap().set_len(1 << 30).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    drop(UnixListener::bind(root.join("socket")).unwrap());
    for (program, arguments) in [("mkfifo", vec!["pipe"]), ("mknod", vec!["device", "c", "1", "5"])] {
        let made = Command::new(program).args(arguments).current_dir(&root).status().unwrap();
        // Only root makes devices.
        assert!(made.success() || program == "mknod");
    }
    SandboxSpec::new(root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn special_files_neither_hang_nor_appear() {
    let host = Host::new();
    let session = host.open_with(&hostile_checkout(&host)).await;
    let session = &*session;
    text(
        &Bash,
        json!({"command": "mkfifo src/pipe2; truncate -s 400M src/sparse2; touch $'src/esc\\x1b[2J.py'"}),
        session,
        &host,
    )
    .await;
    let started = Instant::now();
    let found = text(&SearchCode, json!({"pattern": "needle"}), session, &host).await;
    assert!(found.starts_with("1 match; 1 file searched:\n\nsrc/plain.py\n1: needle\n"), "{found}");
    assert!(found.contains("2 too large, such as sparse.bin, src/sparse2"), "{found}");
    assert!(found.contains("[not searched: 4 with unusual characters"), "{found}");
    let list = text(&ListFiles, json!({}), session, &host).await;
    for line in ["pipe  (a device", "socket  (a device", "sparse.bin  (1073741824 bytes)", "loop -> loop"] {
        assert!(list.contains(line), "{line}: {list}");
    }
    assert!(!list.contains('\u{7}') && !list.contains(".git"), "{list}");
    for (name, code) in [
        ("pipe", ToolProblemCode::Denied),
        ("src/pipe2", ToolProblemCode::Denied),
        ("socket", ToolProblemCode::Denied),
        ("loop", ToolProblemCode::Denied),
        ("sparse.bin", ToolProblemCode::TooLarge),
        ("src", ToolProblemCode::BadArgs),
        ("line\nbreak.py", ToolProblemCode::BadArgs),
    ] {
        match call(&ReadFile, json!({ "path": name }), session, &host.ctx).await {
            Err(ToolError::Problem(problem)) => assert_eq!(problem.code, code, "{name}: {problem:?}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_of_any_size_stays_within_its_limits() {
    let host = Host::new();
    let root = host.directory.path().join("large");
    fs::create_dir_all(root.join("many")).unwrap();
    for at in 0..300 {
        fs::write(root.join(format!("many/{at:03}")), vec![b'x'; 10_000]).unwrap();
    }
    let session = host.open_with(&SandboxSpec::new(root)).await;
    let limits = TreeLimits::default().with_total_bytes(1_000_000);
    let tree = session.tree(&limits, &host.ctx).await.unwrap();
    let read = |tree: &staso_core::sandbox::SessionTree| {
        let nodes = tree.entries.values();
        nodes.filter(|entry| matches!(entry.node, staso_core::sandbox::SessionNode::File(_))).count()
    };
    assert_eq!((tree.entries.len(), read(&tree)), (300, 100));
    let answer = text(
        &Bash,
        json!({"command": "mkdir more; for i in $(seq 400); do head -c 5000 /dev/zero > more/$i; done"}),
        &*session,
        &host,
    )
    .await;
    assert!(answer.starts_with("exit code 0"), "{answer}");
    let tree = session.tree(&limits, &host.ctx).await.unwrap();
    assert_eq!((tree.entries.len(), read(&tree), tree.cut), (700, 100, false));
    let tree = session.tree(&limits.with_entries(350), &host.ctx).await.unwrap();
    assert_eq!((tree.entries.len(), tree.cut), (350, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_is_cancelled_at_any_moment_returns_soon() {
    let host = Host::new();
    let root = host.directory.path().join("large");
    fs::create_dir_all(&root).unwrap();
    for at in 0..400 {
        fs::write(root.join(format!("{at:03}.py")), "order total value\n".repeat(2_000)).unwrap();
    }
    for moment in 0..25 {
        let token = CancellationToken::new();
        let ctx = host.ctx.clone().with_cancellation(token.clone());
        let session = host.open_with(&SandboxSpec::new(&root)).await;
        let pattern = json!({"pattern": r"([a-z]+ ){3,40}([a-z]+\s){2,30}nowhere"});
        let search = call(&SearchCode, pattern, &*session, &ctx);
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(moment * 3)).await;
            token.cancel();
            Instant::now()
        };
        let (ended, cancelled) = tokio::join!(search, cancel);
        assert!(cancelled.elapsed() < CANCEL_LIMIT, "took {:?}", cancelled.elapsed());
        assert!(matches!(ended, Err(ToolError::Cancelled) | Ok(_)), "{ended:?}");
        let after = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
        assert_eq!(after.entries.len(), 400, "the session is as good as before");
        session.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_cancelled_leaves_no_process() {
    let host = Host::new();
    let token = CancellationToken::new();
    let ctx = host.ctx.clone().with_cancellation(token.clone());
    let session = host.open().await;
    let marker = "86399.4711";
    let command = format!("trap '' TERM INT; setsid sleep {marker} & sleep {marker}; sleep {marker}");
    let run = call(&Bash, json!({"command": command, "timeout_s": 300}), &*session, &ctx);
    let cancel = async {
        let is_running = || processes_with(marker).len() >= 2;
        assert!(eventually(Duration::from_secs(10), is_running).await, "the command runs");
        token.cancel();
        Instant::now()
    };
    let (ended, cancelled) = tokio::join!(run, cancel);
    assert!(cancelled.elapsed() < CANCEL_LIMIT, "took {:?}", cancelled.elapsed());
    assert!(matches!(ended, Err(ToolError::Cancelled)), "{ended:?}");
    assert!(eventually(CANCEL_LIMIT, || processes_with(marker).is_empty()).await, "no process is left");
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_over_its_time_is_killed_and_says_what_it_printed() {
    let host = Host::new();
    let session = host.open().await;
    let command = json!({"command": "echo began; sleep 86398.4711", "timeout_s": 1});
    match call(&Bash, command, &*session, &host.ctx).await {
        Err(ToolError::Problem(problem)) => {
            assert_eq!(problem.code, ToolProblemCode::Timeout);
            assert_eq!(problem.message, "the command was killed after 1 s; it printed:\nbegan");
        }
        other => panic!("{other:?}"),
    }
    assert!(eventually(CANCEL_LIMIT, || processes_with("86398.4711").is_empty()).await, "no process is left");
}
