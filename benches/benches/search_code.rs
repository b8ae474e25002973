//! `search_code` on a session of the local sandbox, next to the `rg` program on the same tree.
//!
//! `first_search` reads the whole tree out of the session; `first_search_of_a_read_tree` is the first of an agent that had the
//! tree read while its model was thinking; `next_search` is every later call. `rg` is ripgrep as a user
//! starts it, with as many threads as it likes; without that program the bench of it is left out, and says so.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use divan::counter::BytesCount;
use serde_json::json;
use staso_benches::process_context;
use staso_core::agent::tools::SearchCode;
use staso_core::agent::{Shown, Tool as _, ToolReply, ToolScope};
use staso_core::run::RunContext;
use staso_core::sandbox::{Sandbox as _, SandboxSession, SandboxSpec, TreeLimits};
use staso_sandbox::LocalSandbox;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const FILES: usize = 3_000;
const BYTES_PER_FILE: usize = 10_000;
/// In 30 of the files.
const PATTERN: &str = r"refund_\w+_7f3a";

type Failure = Box<dyn std::error::Error>;

fn main() {
    divan::main();
}

struct Tree {
    directory: TempDir,
    bytes: u64,
}

/// The tree, written once a process.
static TREE: LazyLock<Result<Tree, String>> =
    LazyLock::new(|| write_tree().map_err(|error| format!("cannot write the tree: {error}")));

fn write_tree() -> Result<Tree, Failure> {
    const WORDS: [&str; 16] = [
        "order", "return", "total", "def", "class", "if", "customer", "self", "amount", "import", "for",
        "value", "None", "item", "price", "raise",
    ];
    let directory = tempfile::tempdir()?;
    // The session's user must be able to read it.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let (mut state, mut bytes) = (0x2545_f491_4f6c_dd1d_u64, 0);
    for file in 0..FILES {
        let mut text = String::with_capacity(BYTES_PER_FILE + 100);
        while text.len() < BYTES_PER_FILE {
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let word = usize::try_from(state >> 60)?;
                write!(text, "{}_{:x} ", WORDS.get(word).ok_or("no word")?, (state >> 48) & 0xff)?;
            }
            text.push('\n');
        }
        if file % 100 == 0 {
            text.push_str("refund_order_7f3a = 1\n");
        }
        let parent = directory.path().join(format!("package_{}/part_{}", file % 20, file % 7));
        fs::create_dir_all(&parent)?;
        fs::write(parent.join(format!("module_{file}.py")), &text)?;
        bytes += u64::try_from(text.len())?;
    }
    Ok(Tree { directory, bytes })
}

fn tree() -> Result<&'static Tree, Failure> {
    TREE.as_ref().map_err(|error| error.clone().into())
}

struct Bench {
    runtime: Runtime,
    ctx: RunContext,
    shown: Shown,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let ctx = process_context();
        Ok(Self { runtime, ctx, shown: Shown::default() })
    }

    fn open(&self, directory: &Path) -> Result<Box<dyn SandboxSession>, Failure> {
        let sandbox = LocalSandbox::new();
        Ok(self.runtime.block_on(sandbox.open(&SandboxSpec::new(directory), &self.ctx))?)
    }

    fn search(&self, session: &dyn SandboxSession) -> Result<String, Failure> {
        let scope = ToolScope::new("t1", &self.shown, Duration::from_secs(60)).with_session(Some(session));
        let call = SearchCode.call(json!({ "pattern": PATTERN }), &scope, &self.ctx);
        match self.runtime.block_on(call)? {
            ToolReply::Text(text) if text.starts_with("30 matches") => Ok(text),
            other => Err(format!("unexpected: {other:?}").into()),
        }
    }
}

/// A bench that cannot be set up measures nothing.
fn assert_set_up(result: &Result<(), Failure>) {
    assert!(result.is_ok(), "cannot set up the bench: {result:?}");
}

#[divan::bench(sample_count = 40, sample_size = 1)]
fn first_search(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&first(bencher, false));
}

#[divan::bench(sample_count = 40, sample_size = 1)]
fn first_search_of_a_read_tree(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&first(bencher, true));
}

fn first(bencher: divan::Bencher<'_, '_>, is_read: bool) -> Result<(), Failure> {
    let (tree, bench) = (tree()?, Bench::new()?);
    let open = || {
        let session = bench.open(tree.directory.path())?;
        if is_read {
            drop(bench.runtime.block_on(session.tree(&TreeLimits::default(), &bench.ctx))?);
        }
        Ok::<_, Failure>(session)
    };
    bench.search(&*open()?)?;
    bencher
        .counter(BytesCount::new(tree.bytes))
        .with_inputs(|| open().map_err(|error| error.to_string()))
        .bench_values(|session| match session {
            Ok(session) => {
                bench.search(&*session).map(|text| (text, session)).map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        });
    Ok(())
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn next_search(bencher: divan::Bencher<'_, '_>) {
    let run = || {
        let (tree, bench) = (tree()?, Bench::new()?);
        let session = bench.open(tree.directory.path())?;
        bench.search(&*session)?;
        bencher
            .counter(BytesCount::new(tree.bytes))
            .bench(|| bench.search(&*session).map_err(|error| error.to_string()));
        Ok(())
    };
    assert_set_up(&run());
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn rg(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&ripgrep(bencher, &[]));
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn rg_sorted_by_path(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&ripgrep(bencher, &["--sort", "path"]));
}

#[expect(clippy::print_stderr, reason = "a bench that is left out says so")]
fn ripgrep(bencher: divan::Bencher<'_, '_>, more: &[&str]) -> Result<(), Failure> {
    let tree = tree()?;
    let run = || {
        let mut command = Command::new("rg");
        command
            .args(["--line-number", "--no-config"])
            .args(more)
            .arg(PATTERN)
            .arg(tree.directory.path())
            .output()
    };
    match run() {
        Ok(output) if output.stdout.split(|byte| *byte == b'\n').count() == 31 => {
            bencher.counter(BytesCount::new(tree.bytes)).bench(run);
        }
        Ok(output) => return Err(format!("unexpected: {}", String::from_utf8_lossy(&output.stderr)).into()),
        Err(error) => eprintln!("no ripgrep on this machine, nothing to compare with: {error}"),
    }
    Ok(())
}
