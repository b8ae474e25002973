//! What the app may not do, on a server that knows where it is installed.

use staso_core::id::BranchName;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{Access, RepositoryRef, VcsError, VcsProvider as _};
use staso_github::{AppCredentials, GitHub, GitHubAuth, GitHubEndpoints};

use crate::peer::clock::wall_context;
use crate::peer::emulate::{APP_ID, Emulate};
use crate::peer::environment::say;
use crate::peer::fault::FaultProxy;

/// The provider as the app, in front of the repositories that `.ci/peers` seeds.
struct Seeded {
    api: FaultProxy,
    provider: GitHub,
    /// Nothing is to be kept there.
    data: tempfile::TempDir,
}

impl Seeded {
    async fn start() -> Option<Self> {
        let emulate = Emulate::repository("main").await?;
        let (api, data) = (FaultProxy::start(emulate.url()), tempfile::tempdir().unwrap());
        let auth = GitHubAuth::App(AppCredentials::new(APP_ID, emulate.app_key.clone().into()));
        let endpoints =
            GitHubEndpoints::new(&api.url(), &format!("{}/graphql", api.url()), "https://github.com")
                .unwrap();
        let provider =
            GitHub::new(data.path().join("data"), auth).unwrap().with_endpoints(endpoints).unwrap();
        Some(Self { api, provider, data })
    }

    /// How resolving and the look before a proposal end.
    async fn refused(&self, name: &str) -> [VcsError; 2] {
        let url = format!("https://github.com/{name}").parse::<staso_core::trace::RepositoryUrl>().unwrap();
        let source = SourceRevision {
            repository_url: Some(url.clone()),
            branch: None,
            commit: Some("7fd1a60b01f91b314f59955a4e4d4e80d8edf11d".parse().unwrap()),
            dirty: None,
        };
        let repository = RepositoryRef {
            id: format!("github:{name}"),
            url,
            default_branch: BranchName::new("trunk").unwrap(),
            archived: false,
        };
        let ctx = wall_context();
        let refused = [
            self.provider.resolve(&source, &ctx).await.unwrap_err(),
            self.provider.preflight(&repository, Access::Propose, &ctx).await.unwrap_err(),
        ];
        assert!(!self.data.path().join("data").exists(), "no code was fetched");
        refused
    }
}

/// emulate names a page of its own, which is not on the configured server: it is not handed on.
const SETTINGS: &str = "https://github.com/settings/installations";

#[tokio::test(flavor = "multi_thread")]
async fn case_03_where_the_app_is_not_installed_emulate_leads_to_its_page() {
    let Some(seeded) = Seeded::start().await else { return };
    for error in seeded.refused("without-app/support").await {
        let VcsError::NotInstalled { owner, install_url } = &error else { panic!("{error:?}") };
        assert_eq!(owner, "without-app");
        assert!(install_url.starts_with("https://github.com/"), "{install_url}");
        assert!(install_url.contains("/installations"), "{install_url}");
    }
    say("RAN: an app that is not installed, on emulate");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_what_was_not_selected_emulate_keeps_from_the_app() {
    let Some(seeded) = Seeded::start().await else { return };
    for error in seeded.refused("choosy/hidden").await {
        let VcsError::RepositoryNotGranted { url, settings_url } = &error else { panic!("{error:?}") };
        assert_eq!(url.as_str(), "https://github.com/choosy/hidden");
        assert_eq!(settings_url, SETTINGS);
    }
    say("RAN: a repository that was not selected, on emulate");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_what_emulate_has_not_granted_is_known_before_any_work() {
    let Some(seeded) = Seeded::start().await else { return };
    let missing = seeded.refused("choosy/chosen").await.map(|error| match error {
        VcsError::MissingPermission { permission, remedy, .. } => {
            assert!(remedy.ends_with(SETTINGS), "{remedy}");
            permission
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(missing, ["pull_requests: read", "contents: write"]);
    let asked = seeded.api.log();
    assert!(
        asked.iter().all(|line| format!("{line:?}").contains("install")),
        "nothing else is asked: {asked:#?}"
    );
    say("RAN: a permission that was not granted, on emulate");
}
