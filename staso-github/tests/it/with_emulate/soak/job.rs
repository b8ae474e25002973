//! One attempt: from what a trace names to a pull request.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use git2::{ObjectType, Oid};
use serde::{Deserialize, Serialize};
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{
    Access, ChangeSet, FileEdit, NewContent, Proposal, ProposeRequest, VcsError, VcsProvider as _,
};
use staso_github::{
    AppCredentials, ClientOptions, CommitMode, GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions,
};

use super::dice::Dice;
use super::trouble::REQUEST;
use crate::fixture::{branch, commit_id, files, path};
use crate::peer::emulate::APP_ID;

/// What kind of proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Kind {
    /// Whether the commit is made by the API.
    pub(super) by_api: bool,
    /// Whether the provider has proposed another fix before.
    pub(super) warm: bool,
    pub(super) labels: bool,
    /// Whether there is so much to push that git sends it in chunks.
    pub(super) big: bool,
    /// Whether the failing commit is not the newest one.
    pub(super) behind: bool,
}

impl Kind {
    pub(super) fn random(by_api: bool, dice: &mut Dice) -> Self {
        let (warm, labels) = (dice.once_in(3), dice.once_in(3));
        Self { by_api, warm, labels, big: dice.once_in(8), behind: dice.once_in(2) }
    }
}

/// All that an attempt needs to know, also in another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) api: String,
    pub(super) git: String,
    pub(super) url: String,
    pub(super) data: PathBuf,
    pub(super) failing: String,
    pub(super) tip: String,
    pub(super) key: String,
    pub(super) draft: bool,
    pub(super) kind: Kind,
}

impl Job {
    pub(super) fn provider(&self, key_of_app: &str) -> GitHub {
        let auth = GitHubAuth::App(AppCredentials::new(APP_ID, key_of_app.to_owned().into()));
        let endpoints = GitHubEndpoints::new(&self.api, &format!("{}/graphql", self.api), &self.git).unwrap();
        let client =
            ClientOptions::default().with_request(REQUEST).with_mutation_interval(Duration::from_millis(1));
        let mode = if self.kind.by_api { CommitMode::Api } else { CommitMode::Push };
        GitHub::new(&self.data, auth)
            .and_then(|provider| provider.with_client(client))
            .and_then(|provider| provider.with_endpoints(endpoints))
            .unwrap()
            .with_options(GitHubOptions::default().with_commit_mode(mode))
    }

    /// The same for another fix.
    pub(super) fn another(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The files that the fix changes.
    pub(super) fn after(&self) -> BTreeMap<&'static str, NewContent> {
        let mut text = format!("def run():\n    return {:?}\n", self.key);
        if self.kind.big {
            let mut dice = Dice::new(self.key.len() as u64);
            for _ in 0..60_000 {
                let words = ["alpha", "beta", "gamma", "delta", "tau", "omega", "pi", "rho", "xi", "mu"];
                writeln!(text, "# {} {} {}", dice.pick(&words), dice.roll(1 << 40), dice.roll(1 << 40))
                    .unwrap();
            }
        }
        let file = |text: &str, executable| NewContent { bytes: text.as_bytes().to_vec(), executable };
        BTreeMap::from([
            ("app/tools.py", file(&text, false)),
            ("run.sh", file("#!/bin/sh\nexit 0\n", true)),
            ("staso/\u{fc} b.txt", file("\u{feff}a\r\nb", false)),
        ])
    }

    /// What stands in the repository with the fix: mode and id by path.
    pub(super) fn expected_tree(&self) -> BTreeMap<String, (String, String)> {
        let before = files().into_iter().map(|(path, file)| (path.as_str().to_owned(), file));
        let after = self.after().into_iter().map(|(path, file)| (path.to_owned(), file));
        let all: BTreeMap<String, NewContent> = before.chain(after).collect();
        let entry = |file: &NewContent| {
            let mode = if file.executable { "100755" } else { "100644" };
            (mode.to_owned(), blob_id(&file.bytes))
        };
        all.iter().map(|(path, file)| (path.clone(), entry(file))).collect()
    }

    fn changes(&self) -> ChangeSet {
        let before = files();
        let edits = self.after().into_iter().map(|(at, after)| {
            let before = before.get(&path(at)).map(|file| blob_id(&file.bytes).parse().unwrap());
            FileEdit { path: path(at), before, after: Some(after) }
        });
        let mut changes = ChangeSet::new(self.tip(), edits.collect(), "Fix the tools", "What users saw.");
        changes.draft = self.draft;
        if self.kind.labels {
            changes.labels = vec!["staso".to_owned(), "bug".to_owned()];
        }
        changes
    }

    fn tip(&self) -> CommitId {
        commit_id(&self.tip)
    }

    /// The whole way.
    pub(super) async fn run(&self, provider: &GitHub, ctx: &RunContext) -> Result<Proposal, VcsError> {
        let source = SourceRevision {
            repository_url: Some(self.url.parse().unwrap()),
            branch: Some(branch("main")),
            commit: Some(commit_id(&self.failing)),
            dirty: None,
        };
        let found = provider.resolve(&source, ctx).await?;
        assert_eq!((&found.base_tip, found.base_branch.as_str()), (&self.tip(), "main"));
        provider.preflight(&found.repository, Access::Propose, ctx).await?;
        let failing = provider.checkout(&found.repository, &found.commit, ctx).await?;
        let tip = provider.checkout(&found.repository, &found.base_tip, ctx).await?;
        for (path, file) in files() {
            let bytes = std::fs::read(tip.path.join(path.as_str())).unwrap();
            assert!(bytes == file.bytes, "{path} of a checkout is what the commit has");
        }
        drop((failing, tip));
        let (changes, prefix) = (self.changes(), branch(&format!("fix/staso-{}", self.key)));
        let base = found.base_branch;
        let request =
            ProposeRequest::new(&found.repository, &base, &prefix, &changes, &self.key, ctx.run_id());
        provider.propose(&request, ctx).await
    }
}

fn blob_id(bytes: &[u8]) -> String {
    Oid::hash_object(ObjectType::Blob, bytes).unwrap().to_string()
}

/// The name of a result, and everything that it says.
pub(super) fn described(result: &Result<Proposal, VcsError>) -> (String, String) {
    match result {
        Ok(proposal) => ("ok".to_owned(), format!("{proposal:?}")),
        Err(error) => {
            let debug = format!("{error:?}");
            let name: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
            let mut text = format!("{debug}\n{error}");
            let mut source = error.source();
            while let Some(cause) = source {
                write!(text, "\n{cause}\n{cause:?}").unwrap();
                source = cause.source();
            }
            (name, text)
        }
    }
}
