//! The switch of sandboxes: what is refused when it is off, before a model is asked, and what still answers.

use std::sync::Arc;

use staso_core::deep::DeepDiagnoser;
use staso_core::diagnosis::{Diagnosis, FixKind};
use staso_core::fix::{AgentFixer, FixCandidate, FixError, FixRequest, Fixer, Patch, Replacement};
use staso_core::heal::{HealerBuilder, SandboxSwitch, StoppingPoint};
use staso_core::id::{BranchName, WorkspaceId};
use staso_core::run::{EventKind, OutcomeState, RunArtifact, RunContext};
use staso_core::sandbox::SessionChange;
use staso_core::testing::{FixedDiagnoser, MemorySandbox, MemorySink, ScriptedModel, memory_commit};

use super::ended;
use super::escalation::{marked, unsure};
use super::world::{World, path, request, sandbox, tests, url, workspace};

const PLACE: &str = "Settings › Sandbox";

/// A world with a model at work wherever one may be, all of it in one sandbox.
struct Switched {
    world: World,
    model: ScriptedModel,
    sandbox: MemorySandbox,
    sink: MemorySink,
}

impl Switched {
    fn new(mut world: World) -> Self {
        world.policy = world.policy.with_sandboxes(SandboxSwitch::off().with_place(PLACE));
        Self { world, model: ScriptedModel::new(), sandbox: sandbox(), sink: MemorySink::default() }
    }

    async fn builder(&self) -> HealerBuilder {
        let (model, sandbox) = (Arc::new(self.model.clone()), Arc::new(self.sandbox.clone()));
        let builder = self.world.builder().await.with_sandbox(sandbox.clone(), tests());
        builder
            .with_deep(Arc::new(DeepDiagnoser::new(model.clone(), sandbox.clone())))
            .with_fixer(Arc::new(AgentFixer::new(model, sandbox)))
    }

    async fn heal(&self, until: StoppingPoint) -> RunArtifact {
        let request = request().until(until).with_sink(Arc::new(self.sink.clone()));
        self.builder().await.build().heal(request).await
    }

    #[track_caller]
    fn nothing_was_asked_or_run(&self) {
        assert_eq!(self.model.requests().len(), 0, "no model turn is spent");
        assert!(self.sandbox.calls().is_empty(), "no session is opened");
    }
}

#[tokio::test]
async fn a_change_of_code_is_refused_and_the_quick_answer_stands() {
    for until in [StoppingPoint::Propose, StoppingPoint::Verify, StoppingPoint::Publish] {
        let switched = Switched::new(World::new());
        let artifact = switched.heal(until).await;
        assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "sandbox_disabled"), "{until}");
        assert!(artifact.outcome.reason.contains(PLACE), "{}", artifact.outcome.reason);
        assert_eq!(artifact.sandbox_disabled.as_deref(), Some(&*artifact.outcome.reason));
        assert!(artifact.fix.is_none() && artifact.isolation.is_none() && artifact.verification.is_none());
        assert!(artifact.diagnosis.is_some_and(|found| found.root_cause.is_some()), "rules answer");
        assert!(switched.world.vcs.repository(&url()).unwrap().proposals().is_empty());
        switched.nothing_was_asked_or_run();
    }
}

#[tokio::test]
async fn a_diagnosis_is_not_disturbed_and_says_that_nothing_could_run() {
    let switched = Switched::new(World::new());
    let artifact = switched.heal(StoppingPoint::Diagnose).await;
    assert_eq!(ended(&artifact), (OutcomeState::Completed, "diagnosed"));
    assert!(artifact.sandbox_disabled.is_some_and(|why| why.contains(PLACE)));
    assert!(artifact.diagnosis.unwrap().missing.is_empty(), "nothing was needed that was refused");
    switched.nothing_was_asked_or_run();
}

#[tokio::test]
async fn deep_is_refused_and_what_was_found_before_says_so() {
    let mut world = unsure();
    world.policy = world.policy.with_deep_from(StoppingPoint::Diagnose);
    let switched = Switched::new(world);
    let artifact = switched.heal(StoppingPoint::Diagnose).await;
    assert_eq!(ended(&artifact), (OutcomeState::Completed, "diagnosed"), "{}", artifact.outcome.reason);
    let diagnosis = artifact.diagnosis.unwrap();
    assert!(diagnosis.escalated_because.is_some_and(|why| why.contains("below 0.60")));
    let refused = diagnosis.missing.iter().find(|missing| missing.what.contains("deep")).unwrap();
    assert!(refused.how_to_get.contains(PLACE), "{}", refused.how_to_get);
    let said = |event: &EventKind| matches!(event, EventKind::Warning { message } if message.contains(PLACE));
    assert!(switched.sink.events().iter().any(|event| said(&event.event)), "whoever watches is told");
    assert!(!artifact.timings_ms.contains_key("deep"), "the phase was never entered");
    switched.nothing_was_asked_or_run();

    let on = switched.builder().await.build().with_sandboxes(SandboxSwitch::on());
    let artifact = on.heal(request().until(StoppingPoint::Diagnose)).await;
    assert!(artifact.timings_ms.contains_key("deep") && artifact.sandbox_disabled.is_none());
    assert!(!switched.model.requests().is_empty() && !switched.sandbox.calls().is_empty(), "the same, on");
}

#[tokio::test]
async fn too_little_evidence_says_that_a_deeper_look_was_refused() {
    let mut world = World::new();
    world.diagnosis.cap(0.2, "as the test asks");
    let switched = Switched::new(world);
    let artifact = switched.heal(StoppingPoint::Publish).await;
    assert_eq!(ended(&artifact), (OutcomeState::NotEnoughEvidence, "low_confidence"));
    assert!(artifact.outcome.reason.contains(PLACE), "{}", artifact.outcome.reason);
    switched.nothing_was_asked_or_run();
}

#[tokio::test]
async fn a_diagnoser_without_a_sandbox_is_still_asked() {
    let switched = Switched::new(unsure());
    let triage = FixedDiagnoser::new(marked(1, 0.7));
    let healer = switched.builder().await.with_triage(Arc::new(triage.clone())).build();
    let artifact = healer.heal(request()).await;
    assert_eq!((triage.asked().len(), artifact.diagnosis.unwrap().support), (1, 1));
    switched.nothing_was_asked_or_run();
}

fn of_kind(kind: FixKind) -> Diagnosis {
    let mut diagnosis = super::world::diagnosis();
    if let Some(fix) = &mut diagnosis.suggested_fix {
        fix.kind = kind;
    }
    diagnosis
}

/// Changes a file and calls the change a prompt, whatever the file is.
#[derive(Debug)]
struct SaysPrompt(&'static str, &'static str);

#[async_trait::async_trait]
impl Fixer for SaysPrompt {
    fn name(&self) -> &'static str {
        "says-prompt"
    }

    async fn propose(&self, request: &FixRequest<'_>, _: &RunContext) -> Result<Vec<FixCandidate>, FixError> {
        let path = path(self.0);
        let at = request.code.file(&path).and_then(|file| file.text.find(self.1)).unwrap();
        let part = Replacement { range: at..at + self.1.len(), text: "better".to_owned() };
        Ok(vec![FixCandidate {
            patch: Patch::replace(request.code, &path, vec![part]).unwrap(),
            kind: FixKind::Prompt,
            author: "test".to_owned(),
            title: "Ask better".to_owned(),
            why: "It reads better".to_owned(),
            score: 0.5,
        }])
    }
}

#[tokio::test]
async fn a_change_of_a_prompt_is_a_suggestion_and_a_program_is_never_called_a_prompt() {
    for (file, old, until, code, suggested) in [
        ("prompts/plan.txt", "worse", StoppingPoint::Propose, "fix_proposed", true),
        ("prompts/plan.txt", "worse", StoppingPoint::Publish, "sandbox_disabled", true),
        ("tools.py", "'old'", StoppingPoint::Propose, "sandbox_disabled", false),
        ("tools.py", "'old'", StoppingPoint::Publish, "sandbox_disabled", false),
    ] {
        let mut world = World::new();
        world.diagnosis = of_kind(FixKind::Prompt);
        world.vcs.change(&url(), |repository| {
            let mut files = repository.files(&memory_commit(1)).unwrap().clone();
            let mut prompt = files[&path("tools.py")].clone();
            prompt.bytes = b"worse\n".to_vec();
            files.insert(path("prompts/plan.txt"), prompt);
            repository.commit_files(memory_commit(1), BranchName::new("main").unwrap(), files);
        });
        let switched = Switched::new(world);
        let sandboxed = Arc::new(switched.sandbox.clone());
        let fixer = AgentFixer::new(Arc::new(switched.model.clone()), sandboxed.clone());
        let builder = switched.world.without_fixer().await.with_sandbox(sandboxed, tests());
        let healer = builder.with_fixer(Arc::new(SaysPrompt(file, old))).with_fixer(Arc::new(fixer)).build();
        let artifact = healer.heal(request().until(until)).await;
        assert_eq!(artifact.outcome.code, code, "{file} {until}: {}", artifact.outcome.reason);
        assert_eq!(artifact.fix.is_some(), suggested, "{file} {until}");
        switched.nothing_was_asked_or_run();
    }
}

/// Betters a prompt, and brings a test.
#[derive(Debug)]
struct WithTests;

#[async_trait::async_trait]
impl Fixer for WithTests {
    fn name(&self) -> &'static str {
        "with-tests"
    }

    async fn propose(&self, request: &FixRequest<'_>, _: &RunContext) -> Result<Vec<FixCandidate>, FixError> {
        let written = |text: &str| SessionChange::Written { content: text.into(), executable: false };
        let changes = [
            (path("prompts/plan.txt"), written("better\n")),
            (path("tests/test_plan.py"), written("def test_plan():\n    assert len(str(1)) == 1\n")),
        ];
        Ok(vec![FixCandidate {
            patch: Patch::from_changes(request.code, &changes.into()).unwrap(),
            kind: FixKind::Prompt,
            author: "test".to_owned(),
            title: "Ask better".to_owned(),
            why: "It reads better".to_owned(),
            score: 0.5,
        }])
    }
}

#[tokio::test]
async fn a_test_that_comes_with_a_prompt_is_code() {
    let mut world = World::new();
    world.diagnosis = of_kind(FixKind::Prompt);
    let switched = Switched::new(world);
    let healer = switched.world.without_fixer().await.with_fixer(Arc::new(WithTests)).build();
    let artifact = healer.heal(request().until(StoppingPoint::Propose)).await;
    assert_eq!(artifact.outcome.code, "sandbox_disabled", "{}", artifact.outcome.reason);
    assert!(artifact.fix.is_none(), "no code is written");
    let on = healer.with_sandboxes(SandboxSwitch::on());
    let artifact = on.heal(request().until(StoppingPoint::Propose)).await;
    assert_eq!(artifact.outcome.code, "fix_proposed", "the same, on: {}", artifact.outcome.reason);
}

#[tokio::test]
async fn each_workspace_has_its_own_switch_and_it_can_be_turned() {
    let world = World::new();
    let off = SandboxSwitch::on().with_workspace_off(workspace());
    let healer = world.healer().await;
    for (switch, code) in [
        (off.clone(), "sandbox_disabled"),
        (off.with_workspace_on(workspace()), "fix_published"),
        (SandboxSwitch::on().with_workspace_off(WorkspaceId::new("other").unwrap()), "fix_published"),
        (SandboxSwitch::off(), "sandbox_disabled"),
        (SandboxSwitch::off().with_workspace_on(workspace()), "fix_published"),
    ] {
        let artifact = healer.with_sandboxes(switch).heal(request()).await;
        assert_eq!(artifact.outcome.code, code, "{}", artifact.outcome.reason);
        let refused = code == "sandbox_disabled";
        assert_eq!(artifact.sandbox_disabled.is_some(), refused);
        assert!(!refused || artifact.outcome.reason.contains("HealPolicy::with_sandboxes"));
    }
    assert_eq!(healer.heal(request()).await.outcome.code, "fix_published", "the first healer is as before");
}
