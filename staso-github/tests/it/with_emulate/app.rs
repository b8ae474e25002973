//! The provider as an app on a server with state.

use staso_core::conformance::vcs::{self, VcsFixture as _};
use staso_core::vcs::{
    Access, ChangeSet, FileContent, FileEdit, NewContent, ProposeRequest, VcsProvider as _,
};
use staso_github::{CodeAccess, CommitMode, GitHubOptions};

use super::forge::Forge;
use crate::fixture::{branch, path};
use crate::peer::environment::say;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_goes_from_a_trace_to_one_pull_request() {
    let Some(forge) = Forge::start().await else { return };
    let (provider, ctx) = (forge.provider(GitHubOptions::default()), forge.context());
    let requests = || forge.api.log().len();
    let repository = provider.resolve(&forge.git.source(), &ctx).await.unwrap().repository;
    provider.preflight(&repository, Access::Propose, &ctx).await.unwrap();
    let checkout = provider.checkout(&repository, &forge.tip(), &ctx).await.unwrap();
    assert!(checkout.path.join("app/tools.py").is_file());
    let file = path("app/tools.py");
    let read = provider.read_file(&repository, &forge.tip(), &file, 1 << 20, &ctx).await.unwrap();
    let FileContent::Text { blob, .. } = read else { panic!("a text file: {read:?}") };
    let after = NewContent { bytes: b"def run():\n    return 2\n".to_vec(), executable: false };
    let edits = vec![FileEdit { path: file, before: Some(blob), after: Some(after) }];
    let changes = ChangeSet::new(forge.tip(), edits, "Fix it", "Why.");
    let (base, prefix) = (forge.default_branch(), branch("fix/staso-one"));
    let request = ProposeRequest::new(&repository, &base, &prefix, &changes, "one", ctx.run_id());
    let reading = requests();
    let first = provider.propose(&request, &ctx).await.unwrap();
    let cold = requests() - reading;
    let second = provider.propose(&request, &ctx).await.unwrap();
    let warm = requests() - reading - cold;
    assert_eq!((&first.url, &first.head), (&second.url, &second.head));
    let (_, pulls) = forge.emulate.get("/pulls?state=all").await;
    assert_eq!(pulls.as_array().unwrap().len(), 1, "one pull request: {pulls}");
    assert_eq!(pulls[0]["head"]["sha"], second.head.as_str());
    let bearers = forge.server.seen();
    assert!(!bearers.is_empty() && bearers.iter().all(|seen| seen.authorization.is_some()));
    assert!(cold <= 12 && warm <= 6, "{cold} cold, {warm} warm: {:#?}", forge.api.log());
    say(&format!(
        "RAN: one pull request by an app; requests: {reading} to read, {cold} for the first, {warm} for the second"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_conforms() {
    let Some(forge) = Forge::start().await else { return };
    vcs::all(&forge.provider(GitHubOptions::default()), &forge).await;
    forge.git.assert_sound();
    say("RAN: the conformance suite of providers on emulate and git");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_conforms_with_commits_by_api() {
    let Some(forge) = Forge::start().await else { return };
    let options = GitHubOptions::default().with_commit_mode(CommitMode::Api);
    vcs::all(&forge.provider(options), &forge).await;
    forge.git.assert_sound();
    assert!(
        forge.server.seen().iter().all(|seen| !seen.target.contains("receive-pack")),
        "nothing is pushed"
    );
    say("RAN: the conformance suite of providers with commits by API on emulate and git");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_conforms_without_git() {
    let Some(forge) = Forge::start().await else { return };
    let options = GitHubOptions::default().with_commit_mode(CommitMode::Api);
    vcs::all(&forge.provider(options.with_code_access(CodeAccess::Api)), &forge).await;
    forge.git.assert_sound();
    assert!(forge.server.seen().is_empty(), "git is not asked");
    say("RAN: the conformance suite of providers through the API alone on emulate");
}
