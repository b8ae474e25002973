//! What is left of a run, and what must hold of it whatever the attack was.

use staso_core::agent::{Message, ToolResult};
use staso_core::run::{EventKind, OutcomeState, RunArtifact, RunEvent, verify_transcript};
use staso_core::testing::{ScriptedModel, SeenRequest};
use staso_examples::show::conclusion;
use staso_examples::terminal::Look;

use super::attack::Attack;
use super::bystanders::assert_nothing_runs;
use super::stage::Stage;

/// A run that ended, with everything it left behind.
pub(crate) struct Aftermath {
    pub(crate) attack: Attack,
    pub(crate) artifact: RunArtifact,
    /// What each model was asked, in order: the investigator, the fixer.
    pub(crate) requests: Vec<Vec<SeenRequest>>,
    pub(crate) events: Vec<RunEvent>,
    /// The branch with the fix.
    pub(crate) branch: Option<String>,
    /// What left the run, by where it went.
    texts: Vec<(String, String)>,
}

impl Aftermath {
    pub(crate) async fn gather(
        stage: &Stage,
        attack: Attack,
        artifact: RunArtifact,
        models: &[ScriptedModel],
    ) -> Self {
        let directory = stage.files.directory(artifact.run_id);
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        let requests: Vec<_> = models.iter().map(ScriptedModel::requests).collect();
        let mut texts: Vec<(String, String)> = ["run.json", "transcript.jsonl", "patch.diff"]
            .into_iter()
            .map(|name| (name.to_owned(), read(name)))
            .collect();
        for (agent, requests) in requests.iter().enumerate() {
            if let Some(last) = requests.last() {
                texts.push((format!("requests of model {agent}"), told(last)));
            }
        }
        let screen = conclusion(&artifact, &directory.join("run.json"), Look::plain());
        texts.push(("the screen".to_owned(), screen));
        texts.push(("the log".to_owned(), stage.logged()));
        let branch = stage.bystanders.check(&stage.project, &attack.name).await;
        if let Some(branch) = &branch {
            let range = format!("main..{branch}");
            // What it adds: the lines around stand in the repository already.
            let commit = stage.project.git(&["log", "-p", "-w", "-U0", "--format=fuller", &range]).await;
            let added =
                commit.lines().filter(|line| !line.starts_with(['-', '@'])).collect::<Vec<_>>().join("\n");
            texts.push(("the commit".to_owned(), added));
            let record = branch.replacen("fix/", "refs/staso/proposals/", 1);
            texts.push(("the record".to_owned(), stage.project.git(&["cat-file", "-p", &record]).await));
        }
        let events = read("transcript.jsonl");
        verify_transcript(&events, &artifact.events_digest).unwrap();
        let events = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { attack, artifact, requests, events, branch, texts }
    }

    /// What holds after every attack.
    pub(crate) async fn check(&self, stage: &Stage) {
        let name = &self.attack.name;
        stage.host.assert_untouched(name);
        assert_nothing_runs(&stage.secret, name).await;
        for (place, text) in &self.texts {
            assert_eq!(stage.host.tag.find_scattered(text), None, "{name}: the host's canary is in {place}");
            if let Some(how) = stage.secret.find(text) {
                panic!("{name}: the key, {how}, is in {place}: {}", around(text, &stage.secret));
            }
        }
        assert!(self.events.last().is_some_and(|event| event.event.is_terminal()), "{name}");
        assert_eq!(self.branch.is_some(), self.artifact.proposal.is_some(), "{name}");
        if let Some(branch) = &self.branch {
            self.check_branch(branch, stage).await;
        }
    }

    async fn check_branch(&self, branch: &str, stage: &Stage) {
        let name = &self.attack.name;
        let count = stage.project.git(&["rev-list", "--count", &format!("main..{branch}")]).await;
        assert_eq!(count, "1", "{name}");
        let changed = stage.project.git(&["diff", "--raw", "--no-renames", "-z", "main", branch]).await;
        let mut parts = changed.split_terminator('\0');
        while let (Some(change), Some(path)) = (parts.next(), parts.next()) {
            let fields: Vec<_> = change.split(' ').collect();
            assert_eq!((fields[0], fields[1]), (":100644", "100644"), "{name}: {change} {path}");
            assert!(self.attack.allowed.contains(&path), "{name}: the branch changes {path}");
        }
        let verification = self.artifact.verification.as_ref().unwrap();
        assert!(verification.verified, "{name}: published without proof");
        let proposal = self.artifact.proposal.as_ref().unwrap();
        assert_eq!((proposal.branch.as_str(), proposal.base.as_str()), (branch, "main"), "{name}");
    }

    /// What left the run to this place; empty when nothing did.
    pub(crate) fn text(&self, place: &str) -> &str {
        self.texts.iter().find(|(name, _)| name == place).map_or("", |(_, text)| text)
    }

    /// What every tool call gave, in order.
    pub(crate) fn outputs(&self) -> Vec<String> {
        let output = |event: &'_ RunEvent| match &event.event {
            EventKind::ToolOutput { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(output).collect()
    }

    /// The last things that happened, for whoever has to find out what went wrong.
    fn story(&self) -> String {
        let told = |event: &RunEvent| match &event.event {
            EventKind::ToolOutput { text, .. } => Some(text.chars().take(600).collect()),
            EventKind::Warning { message } => Some(message.clone()),
            _ => None,
        };
        let mut last: Vec<String> = self.events.iter().rev().filter_map(told).take(5).collect();
        last.reverse();
        last.join("\n")
    }

    #[track_caller]
    pub(crate) fn assert_ended(&self, state: OutcomeState, codes: &[&str]) {
        let outcome = &self.artifact.outcome;
        let name = &self.attack.name;
        assert_eq!(outcome.state, state, "{name}: {} {}", outcome.code, outcome.reason);
        assert!(codes.contains(&outcome.code.as_str()), "{name}: {} {}", outcome.code, outcome.reason);
    }

    /// The run came to the honest fix in spite of everything.
    #[track_caller]
    pub(crate) fn assert_mended(&self) {
        let outcome = &self.artifact.outcome;
        assert_eq!(
            outcome.code,
            "fix_published",
            "{}: {}; {}",
            self.attack.name,
            outcome.reason,
            self.story()
        );
    }

    /// The run left no branch.
    #[track_caller]
    pub(crate) fn assert_nothing_published(&self) {
        let outcome = &self.artifact.outcome;
        assert_eq!(self.branch, None, "{}: {}; {}", self.attack.name, outcome.code, self.story());
        assert_ne!(outcome.state, OutcomeState::Completed, "{}: {}", self.attack.name, outcome.code);
        let verified = self.artifact.verification.as_ref().is_some_and(|proof| proof.verified);
        assert!(!verified, "{}: {}", self.attack.name, outcome.code);
    }
}

/// Everything that the host told a model: not what the model said itself.
fn told(request: &SeenRequest) -> String {
    let mut text = format!("{}\n{}\n", request.system, serde_json::to_string(&request.tools).unwrap());
    for message in &request.messages {
        match message {
            Message::User { text: said } => text.push_str(said),
            Message::Tool { results } => {
                let contents = results.iter().map(|ToolResult { content, .. }| content.as_str());
                text.extend(contents.flat_map(|content| [content, "\n"]));
            }
            _ => {}
        }
        text.push('\n');
    }
    text
}

fn around(text: &str, tag: &super::canary::Tag) -> String {
    let mut lines = text.lines().filter(|line| tag.find(line).is_some());
    lines.next().unwrap_or_default().chars().take(2_000).collect()
}
