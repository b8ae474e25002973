//! Runs that are cancelled, interrupted or killed in each phase: bounded, recorded, and nothing stays behind.

use std::time::{Duration, Instant};

use staso::heal::SystemClock;
use staso_core::heal::{HealPolicy, HealRequest};
use staso_core::run::{Clock as _, EventKind, OutcomeState, Phase, RunArtifact};
use staso_core::verify::TestCommand;
use staso_examples::own_work;
use staso_examples::station::Station;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;

use crate::heal_process::{command, heal};
use crate::heal_project::{Failing, Project, check_files};
use crate::processes::{alive, descendants, marked, soon};

const PHASES: [Phase; 7] =
    [Phase::Load, Phase::Resolve, Phase::Quick, Phase::Fix, Phase::Reproduce, Phase::Verify, Phase::Publish];

/// A test command that takes a moment and whose processes can be told from all others.
fn slow_tests(mark: &str, seconds: f32) -> String {
    format!(
        "{mark}=1 python3 -c 'import time; time.sleep({seconds})' && {mark}=1 python3 -m unittest -v test_shop"
    )
}

fn mark(name: &str) -> String {
    format!("MARK_{name}_{}_{}", std::process::id(), SystemClock::default().now().as_nanos())
}

async fn check_repository(project: &Project, published: bool) {
    assert_eq!(project.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]).await, "");
    assert_eq!(project.git(&["status", "--porcelain"]).await, "");
    let fixes = project.fixes().await;
    assert_eq!(fixes.len(), usize::from(published), "{fixes:?}");
    for fix in fixes {
        assert_eq!(project.git(&["rev-list", "--count", &format!("main..{fix}")]).await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_in_any_phase_ends_the_run_in_two_seconds() {
    for phase in PHASES {
        let project = Project::shop().await;
        let mark = mark(phase.name());
        let station =
            Station::open(&project.directory().join("kept"), None, HealPolicy::default()).await.unwrap();
        let trace = project.trace(&Failing::shop()).await;
        let parts =
            staso::ingest::parse_any(trace.as_bytes(), &staso::ingest::IngestLimits::default()).unwrap();
        let ids = own_work::keep(&station, parts, "key".to_owned()).await.unwrap();
        let request = HealRequest::new(station.workspace.clone(), ids[0])
            .with_test_command(TestCommand::shell(slow_tests(&mark, 0.3)));
        let mut run = station.healer().start(request);
        let mut cancelled = None;
        let mut reached = false;
        while let Some(event) = run.next_event().await {
            reached |= matches!(event.event, EventKind::PhaseChanged { phase: now } if now == phase);
            // Where code runs, wait until it does.
            let running = !matches!(phase, Phase::Reproduce | Phase::Verify)
                || matches!(&event.event, EventKind::CheckStarted { name, .. } if name == "tests");
            if reached && running && cancelled.is_none() {
                run.cancel();
                cancelled = Some(Instant::now());
            }
        }
        let artifact = run.artifact().await.unwrap();
        assert!(cancelled.unwrap().elapsed() < Duration::from_secs(2), "{phase:?}");
        let published = artifact.proposal.is_some();
        if !(phase == Phase::Publish && published) {
            let outcome = &artifact.outcome;
            assert_eq!(
                (outcome.state, outcome.code.as_str()),
                (OutcomeState::Cancelled, "cancelled"),
                "{phase:?}"
            );
            assert!(!published);
        }
        check_files(&station, &artifact);
        assert!(soon(|| marked(&mark).is_empty()).await, "{phase:?}: its processes outlive it");
        check_repository(&project, published).await;
        station.close().await;
    }
}

/// A running `heal --trace`, its lines read as they come.
struct Running {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Running {
    async fn start(project: &Project, tests: &str) -> Self {
        let trace = project.directory().join("trace.json");
        std::fs::write(&trace, project.trace(&Failing::shop()).await).unwrap();
        let kept = project.directory().join("kept");
        let arguments =
            ["--trace", trace.to_str().unwrap(), "--data", kept.to_str().unwrap(), "--test", tests];
        let mut child = command("heal", &arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line_with(&mut self, text: &str) {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.contains(text) {
                return;
            }
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        panic!("{text:?} was never said; {stderr}");
    }

    fn id(&self) -> u32 {
        self.child.id().unwrap()
    }
}

fn control_groups(of: u32) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(&format!("staso-sandbox-{of}-")) {
                    found.push(name);
                } else {
                    directories.push(entry.path());
                }
            }
        }
    }
    found
}

fn mounts_below(project: &Project) -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = project.directory().to_str().unwrap();
    mounts.lines().filter(|line| line.contains(below)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_any_phase_leaves_a_sound_repository_and_no_process() {
    let project = Project::shop().await;
    let mark = mark("kill");
    let tests = slow_tests(&mark, 0.3);
    let mut killed = Vec::new();
    for phase in PHASES {
        let mut running = Running::start(&project, &tests).await;
        running.line_with(&format!("  {:<9}  ", phase.name())).await;
        if matches!(phase, Phase::Reproduce | Phase::Verify) {
            assert!(soon(|| !marked(&mark).is_empty()).await, "{phase:?}: nothing runs");
        }
        let children = descendants(running.id());
        killed.push(running.id());
        running.child.kill().await.unwrap();
        assert!(
            soon(|| alive(&children).is_empty() && marked(&mark).is_empty()).await,
            "{phase:?}: {children:?}"
        );
        assert_eq!(mounts_below(&project), Vec::<String>::new(), "{phase:?}");
        let published = !project.fixes().await.is_empty();
        assert!(!published || phase == Phase::Publish, "{phase:?} left a branch");
        check_repository(&project, published).await;
    }
    let mut last = Running::start(&project, &tests).await;
    last.line_with("branch fix/staso-").await;
    last.line_with("everything is kept in").await;
    assert_eq!(last.child.wait().await.unwrap().code(), Some(0));
    check_repository(&project, true).await;
    for pid in killed {
        assert_eq!(control_groups(pid), Vec::<String>::new(), "the next run removes what a killed one left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_and_keeps_the_artifact() {
    let project = Project::shop().await;
    let mark = mark("interrupt");
    let mut running = Running::start(&project, &slow_tests(&mark, 20.0)).await;
    running.line_with("reproduction at failing commit: raises").await;
    assert!(soon(|| !marked(&mark).is_empty()).await);
    let begun = Instant::now();
    let interrupt = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    running.line_with("cancelled").await;
    running.line_with("run.json").await;
    running.line_with("everything is kept in").await;
    assert_eq!(running.child.wait().await.unwrap().code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(soon(|| marked(&mark).is_empty()).await);
    assert_eq!(kept_artifact(&project).outcome.state, OutcomeState::Cancelled);
    check_repository(&project, false).await;
}

/// The artifact of the only run.
fn kept_artifact(project: &Project) -> RunArtifact {
    let runs: Vec<_> = std::fs::read_dir(project.directory().join("kept/data/runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let file = runs[0].as_ref().unwrap().path().join("run.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_the_run_quietly() {
    let project = Project::shop().await;
    let mut running = Running::start(&project, &slow_tests(&mark("pipe"), 0.2)).await;
    running.line_with("load").await;
    let Running { mut child, lines } = running;
    drop(lines);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    assert_eq!((child.wait().await.unwrap().code(), stderr.as_str()), (Some(1), ""));
    assert_eq!(kept_artifact(&project).outcome.state, OutcomeState::Cancelled);
    check_repository(&project, false).await;
}

#[tokio::test]
async fn json_is_artifacts_alone_one_a_line() {
    let project = Project::shop().await;
    let trace = project.directory().join("trace.json");
    std::fs::write(&trace, project.trace(&Failing::shop()).await).unwrap();
    let kept = project.directory().join("kept");
    let (trace, kept) = (trace.to_str().unwrap(), kept.to_str().unwrap());
    for action in ["created", "reused"] {
        let ended = heal(&["--trace", trace, "--data", kept, "--json"]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let artifacts = ended.artifacts();
        assert_eq!(artifacts.len(), 1);
        let found = serde_json::to_value(artifacts[0].proposal.as_ref().unwrap().action).unwrap();
        assert_eq!(found, action);
    }
    assert_eq!(project.fixes().await.len(), 1);
}
