//! The demo's scenarios, as the program runs them: what they leave behind, and that a second run finds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::diagnosis::{FixKind, Locator, Receipt};
use staso_core::heal::{HealPolicy, HealRequest};
use staso_core::id::RunId;
use staso_core::run::{AuditInputs, OutcomeState, RunArtifact, RunContext, Subject, verify_artifact};
use staso_core::vcs::ProposalAction;
use staso_examples::agent_repository::AgentRepository;
use staso_examples::demo::Demo;
use staso_examples::environment::Environment;
use staso_examples::follow::Finished;
use staso_examples::git::Git;
use staso_examples::scenario::{DEFAULTS, FaultClass, Scenario, find};
use staso_examples::station::Station;
use staso_examples::terminal::{Look, Terminal};
use staso_examples::verdict;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::heal_process::heal;
use crate::heal_project::check_files;
use crate::pull_requests::assert_reads_as_before;

struct Stage {
    directory: TempDir,
    station: Station,
    git: Git,
}

impl Stage {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let station = Station::open(directory.path(), None, HealPolicy::default()).await.unwrap();
        Self { directory, station, git: Git::new(Environment::read()) }
    }

    async fn run(&self, scenario: &Scenario) -> Finished {
        let (environment, cancel) = (Environment::read(), CancellationToken::new());
        let mut terminal = Terminal::new(Vec::new(), Look::plain());
        let demo = Demo::new(&self.station, &environment, &cancel);
        demo.run(scenario, &mut terminal).await.unwrap()
    }

    async fn again(&self, artifact: &RunArtifact) -> RunArtifact {
        let Subject::TraceId(trace) = artifact.subject else { panic!("a demo run is about a trace") };
        self.station.healer().heal(HealRequest::new(self.station.workspace.clone(), trace)).await
    }

    fn origin(&self, scenario: &Scenario) -> PathBuf {
        self.directory.path().join(scenario.name).join("origin.git")
    }

    async fn branches(&self, origin: &Path) -> BTreeSet<String> {
        let names = self
            .git
            .run(origin, &["for-each-ref", "--format=%(refname:short)", "refs/heads/"])
            .await
            .unwrap();
        names.lines().map(str::to_owned).collect()
    }

    /// The files that receipts cite, as git has them.
    async fn cited(&self, artifact: &RunArtifact, origin: &Path) -> CodeSnapshot {
        let commit = artifact.source.commit.clone().unwrap();
        let mut code = CodeSnapshot::new(commit.clone(), Vec::new(), true);
        for receipt in &artifact.diagnosis.as_ref().unwrap().receipts {
            if let Locator::File { path, .. } = &receipt.locator {
                code.insert(path.clone(), self.file(origin, commit.as_str(), path).await);
            }
        }
        code
    }

    async fn file(&self, origin: &Path, commit: &str, path: &RepoPath) -> SourceFile {
        let at = format!("{commit}:{path}");
        let blob = self.git.run(origin, &["rev-parse", &at]).await.unwrap();
        let text = self.git.run(origin, &["cat-file", "blob", &at]).await.unwrap();
        SourceFile { blob: blob.parse().unwrap(), text: (text + "\n").into(), executable: false }
    }

    /// Everything that an artifact says is held against trace, code and transcript.
    async fn audit(&self, artifact: &RunArtifact, origin: &Path) {
        check_files(&self.station, artifact);
        let ctx = RunContext::new(
            RunId::from_bytes([7; 16]),
            std::sync::Arc::new(staso::heal::SystemClock::default()),
        );
        let Subject::TraceId(id) = artifact.subject else { panic!("a demo run is about a trace") };
        let trace = self.station.traces.get(&self.station.workspace, id, &ctx).await.unwrap();
        let code = self.cited(artifact, origin).await;
        let file = self.station.artifact_file(artifact.run_id).with_file_name("transcript.jsonl");
        let transcript = std::fs::read_to_string(file).unwrap();
        let inputs = AuditInputs::new(&trace).with_code(&code).with_transcript(&transcript);
        assert_eq!(verify_artifact(artifact, &inputs), []);
    }
}

fn kind(class: FaultClass) -> Option<FixKind> {
    match class {
        FaultClass::Code => Some(FixKind::Code),
        FaultClass::Prompt => Some(FixKind::Prompt),
        FaultClass::Config => Some(FixKind::Config),
        FaultClass::Outage => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_default_scenarios_heal_and_leave_the_whole_record() {
    let stage = Stage::new().await;
    for scenario in DEFAULTS {
        let finished = stage.run(scenario).await;
        let artifact = &finished.artifact;
        assert_eq!(verdict::complaint(scenario.class, artifact), None, "{}", scenario.name);
        let origin = stage.origin(scenario);
        stage.audit(artifact, &origin).await;
        let diagnosis = artifact.diagnosis.as_ref().unwrap();
        assert!(!diagnosis.receipts.is_empty() && diagnosis.receipts.iter().all(Receipt::is_verified));
        let phases: Vec<_> = artifact.timings_ms.keys().map(String::as_str).collect();
        let clone = origin.with_file_name("agent");
        match kind(scenario.class) {
            Some(kind) => {
                assert_eq!(phases, ["fix", "load", "publish", "quick", "reproduce", "resolve", "verify"]);
                assert_eq!(artifact.fix.as_ref().unwrap().kind, kind);
                check_branch(&stage, artifact, &origin).await;
                assert_reads_as_before(scenario.name, artifact);
            }
            None => {
                assert_eq!(phases, ["load", "quick", "resolve"]);
                assert_eq!(stage.branches(&origin).await, BTreeSet::from(["main".to_owned()]));
            }
        }
        assert_eq!(stage.git.run(&clone, &["status", "--porcelain"]).await.unwrap(), "");
        assert_eq!(stage.git.run(&clone, &["rev-parse", "--abbrev-ref", "HEAD"]).await.unwrap(), "main");
        check_repetition(&stage, artifact, &origin).await;
    }
    stage.station.close().await;
}

/// One commit on top of main that changes what the artifact says, and a text that says so.
async fn check_branch(stage: &Stage, artifact: &RunArtifact, origin: &Path) {
    let proposal = artifact.proposal.as_ref().unwrap();
    let branch = proposal.branch.as_str();
    assert_eq!(stage.branches(origin).await, BTreeSet::from(["main".to_owned(), branch.to_owned()]));
    let git = async |arguments: &[&str]| stage.git.run(origin, arguments).await.unwrap();
    assert_eq!(git(&["rev-list", "--count", &format!("main..{branch}")]).await, "1");
    assert_eq!(git(&["rev-parse", &format!("{branch}~1")]).await, git(&["rev-parse", "main"]).await);
    assert_eq!(
        git(&["diff", "--name-only", "main", branch]).await,
        artifact.fix.as_ref().unwrap().files.join("\n")
    );
    assert_eq!(git(&["fsck", "--strict", "--no-progress"]).await, "");
    let Subject::TraceId(trace) = &artifact.subject else { panic!("a demo run is about a trace") };
    assert!(
        proposal.body.trim_end().ends_with(&format!("<!-- staso:diagnosis={trace} -->")),
        "{}",
        proposal.body
    );
    let proof = artifact.verification.as_ref().unwrap();
    assert!(proof.verified && proof.verify_passed && proof.candidates_tried >= 1);
    for (name, patched) in
        [("reproduction", false), ("tests", false), ("reproduction", true), ("tests", true)]
    {
        let held = |check: &&staso_core::run::CheckRecord| check.name == name && check.patched == patched;
        assert_eq!(proof.checks.iter().find(held).unwrap().ok, Some(true), "{name} {patched}");
    }
    assert!(artifact.isolation.is_some());
}

/// The same trace again: the same diagnosis to the byte, and the branch that is there.
async fn check_repetition(stage: &Stage, first: &RunArtifact, origin: &Path) {
    let before = stage.branches(origin).await;
    let again = stage.again(first).await;
    let text = |artifact: &RunArtifact| serde_json::to_string(&artifact.diagnosis).unwrap();
    assert_eq!(text(&again), text(first));
    assert_eq!((&again.engine, &again.trace_digest), (&first.engine, &first.trace_digest));
    assert_eq!(stage.branches(origin).await, before);
    if let (Some(old), Some(new)) = (&first.proposal, &again.proposal) {
        assert_eq!((&new.branch, &new.head), (&old.branch, &old.head));
        assert_eq!((old.action, new.action), (ProposalAction::Created, ProposalAction::Reused));
        assert_eq!(again.fix.as_ref().unwrap().diff, first.fix.as_ref().unwrap().diff);
    } else {
        assert_eq!(again.outcome, first.outcome);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_faults_of_the_same_classes_heal_too() {
    let stage = Stage::new().await;
    for name in [
        "variant-key-price",
        "variant-missing-default",
        "variant-comparison",
        "variant-prompt-typo",
        "variant-model-retired",
        "variant-outage-unavailable",
    ] {
        let scenario = find(name).unwrap();
        let finished = stage.run(scenario).await;
        assert_eq!(verdict::complaint(scenario.class, &finished.artifact), None, "{name}");
        let healed = finished.artifact.outcome.state == OutcomeState::Completed;
        assert_eq!(healed, scenario.class != FaultClass::Outage, "{name}");
    }
    stage.station.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_run_of_the_agent_is_healed_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment::read();
    let scenario = find("variant-key-size").unwrap();
    let git = Git::new(environment.clone());
    let repository = AgentRepository::create(directory.path(), Some(scenario), &git).await.unwrap();
    let file = directory.path().join("run.json");
    let recorder = concat!(env!("CARGO_MANIFEST_DIR"), "/record.py");
    let recorded = tokio::process::Command::new("python3")
        .args([recorder, file.to_str().unwrap(), "python3", "-B", "-m", "support", scenario.ticket])
        .current_dir(repository.clone_directory())
        .output()
        .await
        .unwrap();
    assert_eq!(recorded.status.code(), Some(1), "the exit code is the agent's");
    assert!(String::from_utf8(recorded.stderr).unwrap().contains("record.py: 1 traces"));
    let data = directory.path().join("kept");
    let arguments = ["--trace", file.to_str().unwrap(), "--data", data.to_str().unwrap(), "--json"];
    let ended = heal(&arguments).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.artifacts()[0].outcome.code, "fix_published");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_without_sandboxes_names_the_cause_and_says_how_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let ended = heal(&["--scenario", "code", "--no-sandbox", "--json", "--data", data]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let artifacts = ended.artifacts();
    let [artifact] = artifacts.as_slice() else { panic!("one run, one artifact: {artifacts:?}") };
    assert_eq!(artifact.outcome.code, "sandbox_disabled");
    assert!(artifact.outcome.reason.ends_with("leave out --no-sandbox"), "{}", artifact.outcome.reason);
    assert!(artifact.diagnosis.as_ref().is_some_and(|found| found.root_cause.is_some()));
    assert!(artifact.fix.is_none() && artifact.isolation.is_none());
}
