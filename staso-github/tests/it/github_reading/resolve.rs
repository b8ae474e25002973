//! What a trace names is found on GitHub, or it is said why not.

use staso_core::id::CommitId;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{Access, VcsError, VcsProvider as _};
use staso_github::{AppCredentials, CodeAccess, GitHub, GitHubAuth, GitHubEndpoints};

use super::world::{COMMIT, COMPARE, REFERENCE, REPOSITORY, TOKEN, World};
use crate::fixture::{GitFixture, commit_id};
use crate::peer::choice::Choice;
use crate::peer::recorded::Recorded;

fn world() -> World {
    World::new(GitFixture::new())
}

#[tokio::test]
async fn an_older_commit_of_the_default_branch_is_found() {
    let world = world();
    world.compared(&world.source.previous, "ahead");
    let found = world.resolve(&world.source.previous, Some("main")).await.unwrap();
    assert_eq!(found.repository, world.reference());
    assert_eq!((&found.commit, &found.base_tip), (&world.source.previous, &world.source.tip));
    assert_eq!(found.notes, Vec::<String>::new());
    let asked = world.api.asked_of(COMPARE);
    assert!(asked[0].target.ends_with("?per_page=1&page=2"), "files are not asked for: {}", asked[0].target);
}

#[tokio::test]
async fn case_18_a_renamed_repository_is_found_by_its_old_name() {
    // As GitHub answered once.
    let recorded = Recorded::start("rename-repository");
    recorded.skip(1);
    let endpoints = GitHubEndpoints::new(&recorded.url(), &recorded.url(), "https://github.com").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let provider = GitHub::new(directory.path(), GitHubAuth::Token(TOKEN.into())).unwrap();
    let provider = provider.with_endpoints(endpoints).unwrap();
    let repository = staso_core::vcs::RepositoryRef {
        id: "github:1000".to_owned(),
        url: "https://github.com/octokit-fixture-org/rename-repository".parse().unwrap(),
        default_branch: "main".parse().unwrap(),
        archived: false,
    };
    let ctx = staso_core::testing::test_context();
    provider.preflight(&repository, Access::Read, &ctx).await.unwrap();
    // And the same with all that follows.
    let world = world();
    let moved = Choice::status(301).header("location", &format!("{}/repositories/1296269", world.api.url()));
    world.api.on_where(REPOSITORY, &[("repo", "old-name")], [moved]);
    world.api.alias("/repositories/1296269", "/repos/acme/support");
    let mut source = world.recorded(&world.source.tip, None);
    source.repository_url = Some(world.url().replace("acme/support", "acme/old-name").parse().unwrap());
    let found = world.provider(CodeAccess::Auto).resolve(&source, &world.ctx).await.unwrap();
    assert_eq!(found.repository, world.reference(), "the name of today, and the id that lasts");
    assert!(found.notes[0].contains("old-name") && found.notes[0].contains("has moved"), "{:?}", found.notes);
}

#[tokio::test]
async fn case_20_a_repository_transferred_to_another_owner_is_asked_for_there() {
    let world = world();
    world.api.on(REPOSITORY, [World::description().with("/full_name", "elsewhere/support")]);
    let found = world.resolve(&world.source.tip, None).await.unwrap();
    assert!(found.repository.url.as_str().ends_with("/elsewhere/support"), "a token follows it");
    // The app is installed for the owner of before, and not for the new one.
    let minted = Choice::example().with("/expires_at", "2100-01-01T00:00:00Z");
    world.api.on("POST /app/installations/{installation_id}/access_tokens", [minted]);
    for (operation, parameter) in [
        ("GET /repos/{owner}/{repo}/installation", "owner"),
        ("GET /orgs/{org}/installation", "org"),
        ("GET /users/{username}/installation", "username"),
    ] {
        world.api.on_where(operation, &[(parameter, "elsewhere")], [Choice::undocumented(404, "Not Found")]);
    }
    let app = AppCredentials::new("Iv1.ab1112223334445c", include_str!("../../keys/app-pkcs1.pem").into());
    let provider = world.provider_of(GitHubAuth::App(app));
    let error = provider.resolve(&world.recorded(&world.source.tip, None), &world.ctx).await.unwrap_err();
    let VcsError::NotInstalled { owner, install_url } = &error else { panic!("{error:?}") };
    assert_eq!(owner, "elsewhere");
    assert!(install_url.ends_with("/settings/installations"), "{install_url}");
}

#[tokio::test]
async fn case_22_what_is_gone_or_blocked_is_told_apart() {
    let world = world();
    world.api.on(REPOSITORY, [Choice::undocumented(451, "Repository access blocked")]);
    let gone = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(matches!(&gone, VcsError::Gone { reason, .. } if reason.contains("blocked")), "{gone:?}");
    world.api.on(REPOSITORY, [World::description().with("/disabled", true)]);
    let disabled = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(matches!(disabled, VcsError::Gone { .. }), "{disabled:?}");
    world.api.on(REPOSITORY, [Choice::status(404)]);
    let absent = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(matches!(absent, VcsError::RepositoryNotFound { .. }), "{absent:?}");
}

#[tokio::test]
async fn case_23_an_empty_repository_is_said_to_be_empty() {
    let world = world();
    world.api.on(REFERENCE, [Choice::status(409).message("Git Repository is empty.")]);
    let empty = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(matches!(empty, VcsError::Empty { .. }), "{empty:?}");
    // GitHub answers with the same status while it is still making a repository.
    world.api.on(REFERENCE, [Choice::status(409)]);
    let busy = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(busy.is_retryable(), "{busy:?}");
}

#[tokio::test]
async fn case_24_the_default_branch_is_the_one_that_github_names() {
    let fixture = GitFixture::new();
    fixture.git(&["branch", "-m", "main", "trunk"]);
    let world = World::new(fixture);
    world.api.on(REPOSITORY, [World::description().with("/default_branch", "trunk")]);
    let found = world.resolve(&world.source.tip, None).await.unwrap();
    assert_eq!((found.base_branch.as_str(), found.repository.default_branch.as_str()), ("trunk", "trunk"));
    let gone = world.resolve(&world.source.tip, Some("main")).await.unwrap();
    assert_eq!(gone.base_branch.as_str(), "trunk");
    assert!(gone.notes[0].contains("main is gone"), "{:?}", gone.notes);
}

#[tokio::test]
async fn case_28_what_is_no_full_commit_is_no_commit() {
    assert!(CommitId::new("0123456").is_err(), "a short id never becomes a commit");
    assert!(CommitId::new("v1.2.0").is_err(), "nor does a tag");
    let world = world();
    let source = SourceRevision { commit: None, ..world.recorded(&world.source.tip, None) };
    let error = world.provider(CodeAccess::Auto).resolve(&source, &world.ctx).await.unwrap_err();
    assert!(matches!(error, VcsError::NoCommit), "{error:?}");
    assert_eq!(world.asked(), Vec::<String>::new(), "nothing is asked for it");
    let dirty = SourceRevision { dirty: Some(true), ..world.recorded(&world.source.tip, None) };
    let found = world.provider(CodeAccess::Auto).resolve(&dirty, &world.ctx).await.unwrap();
    assert_eq!(found.commit, world.source.tip, "changes that were not committed do not hide the commit");
    let nowhere = SourceRevision { repository_url: None, ..world.recorded(&world.source.tip, None) };
    let error = world.provider(CodeAccess::Auto).resolve(&nowhere, &world.ctx).await.unwrap_err();
    assert!(matches!(error, VcsError::NoRepository), "{error:?}");
}

#[tokio::test]
async fn case_48_branches_keep_their_slashes_spaces_and_signs() {
    let fixture = GitFixture::new();
    let names = ["feature/ünï/code", "a%2Fb", "odd/#1&x=y+z", "quote\"'`$(id)"];
    for name in names {
        fixture.git(&["branch", name, fixture.tip.as_str()]);
    }
    let world = World::new(fixture);
    for name in names {
        let found = world.resolve(&world.source.tip, Some(name)).await.unwrap();
        assert_eq!((found.base_branch.as_str(), &found.notes), (name, &Vec::new()));
    }
}

#[tokio::test]
async fn case_60_a_commit_outside_the_history_is_used_and_noted() {
    let world = world();
    let fork = commit_id("76d0b0ad2e3ae9a25f06ae86d2ae1d6a9a4d8b65");
    for status in ["diverged", "behind"] {
        world.compared(&fork, status);
        let found = world.resolve(&fork, None).await.unwrap();
        let [note] = &found.notes[..] else { panic!("{:?}", found.notes) };
        assert!(note.contains(fork.as_str()) && note.contains("only in a fork"), "{note}");
    }
    world.api.on(COMPARE, [Choice::status(404).message("No common ancestor between the two commits.")]);
    world.api.on(COMMIT, [Choice::example()]);
    let found = world.resolve(&fork, None).await;
    let alone = commit_id("86d0b0ad2e3ae9a25f06ae86d2ae1d6a9a4d8b65");
    assert!(found.is_ok(), "{found:?}");
    let found = world.resolve(&alone, None).await.unwrap();
    assert!(found.notes[0].contains("no common history"), "{:?}", found.notes);
}

#[tokio::test]
async fn case_25_an_unknown_commit_is_not_found() {
    let world = world();
    let unknown = commit_id(&"0123456789".repeat(4));
    let error = world.resolve(&unknown, None).await.unwrap_err();
    assert!(matches!(&error, VcsError::CommitNotFound { commit, .. } if *commit == unknown), "{error:?}");
}

/// No Enterprise Server is here to ask, and the official descriptions of 3.17, 3.18 and 3.19 do not differ in what is used:
/// an old server is github.com's description with the headers of an old server.
#[tokio::test]
async fn case_58_an_enterprise_server_is_asked_at_its_own_address() {
    let world = world();
    let endpoints = GitHubEndpoints::enterprise("ghe.acme.com").unwrap();
    assert_eq!(endpoints.api.as_str(), "https://ghe.acme.com/api/v3");
    assert_eq!(endpoints.graphql.as_str(), "https://ghe.acme.com/api/graphql");
    let of_github = SourceRevision {
        repository_url: Some("https://github.com/acme/support".parse().unwrap()),
        ..world.recorded(&world.source.tip, None)
    };
    let provider = world.provider(CodeAccess::Auto);
    let error = provider.resolve(&of_github, &world.ctx).await.unwrap_err();
    assert!(matches!(error, VcsError::Unsupported { provider: "github", .. }), "{error:?}");
    assert_eq!(world.asked(), Vec::<String>::new(), "no token goes to another host's repository");
    // A server that is too old says its version, and names no page about what it does not have.
    let old = Choice::status(404).header("x-github-enterprise-version", "3.4.0");
    world.api.on(REFERENCE, [old]);
    let gone = world.resolve(&world.source.previous, None).await.unwrap_err();
    let VcsError::FeatureUnavailable { server, .. } = &gone else { panic!("{gone:?}") };
    assert!(server.contains("GitHub Enterprise Server 3.4.0"), "{server}");
}

#[tokio::test]
async fn case_59_every_spelling_of_an_address_leads_to_one_request() {
    let world = world();
    let host = world.host.origin().replace("http://", "");
    for spelling in [
        format!("https://{host}/acme/support"),
        format!("https://x-access-token:ghs_secret@{host}/acme/support.git/"),
        format!("http://{host}/acme/support?tab=readme"),
        format!("ssh://git@{host}/acme/support.git"),
    ] {
        let source = SourceRevision {
            repository_url: Some(spelling.parse().unwrap()),
            ..world.recorded(&world.source.tip, None)
        };
        let found = world.provider(CodeAccess::Auto).resolve(&source, &world.ctx).await.unwrap();
        assert_eq!(found.repository, world.reference(), "{spelling}");
    }
    let asked = world.api.asked_of(REPOSITORY);
    assert!(asked.iter().all(|asked| asked.target == "/repos/acme/support"), "{asked:?}");
    let other_case = SourceRevision {
        repository_url: Some(format!("https://{host}/ACME/Support").parse().unwrap()),
        ..world.recorded(&world.source.tip, None)
    };
    let found = world.provider(CodeAccess::Auto).resolve(&other_case, &world.ctx).await.unwrap();
    assert_eq!(found.notes, Vec::<String>::new(), "another case is no move");
    assert_eq!(found.repository, world.reference(), "the name is spelt as GitHub spells it");
    for bad in ["acme", "acme/support/tree/main", "acme/%2e%2e", "acme/a b"] {
        let source = SourceRevision {
            repository_url: Some(format!("https://{host}/{bad}").parse().unwrap()),
            ..world.recorded(&world.source.tip, None)
        };
        let error = world.provider(CodeAccess::Auto).resolve(&source, &world.ctx).await.unwrap_err();
        assert!(matches!(error, VcsError::RepositoryNotFound { .. }), "{bad}: {error:?}");
    }
}

#[tokio::test]
async fn a_trace_cannot_name_a_repository_that_is_not_served() {
    let world = world();
    let provider = |served: &[&str]| {
        let served: Vec<_> = served.iter().map(|pattern| pattern.parse().unwrap()).collect();
        world.provider(CodeAccess::Auto).with_repositories(served)
    };
    let source = world.recorded(&world.source.tip, None);
    for served in [&[][..], &["acme/other"], &["elsewhere/*"]] {
        let provider = provider(served);
        let reference = world.reference();
        for refused in [
            provider.resolve(&source, &world.ctx).await.map(drop),
            provider.repository(&reference.url, &world.ctx).await.map(drop),
            provider.preflight(&reference, Access::Read, &world.ctx).await,
            provider.checkout(&reference, &world.source.tip, &world.ctx).await.map(drop),
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error, VcsError::PermissionDenied { .. }), "{error}");
            assert!(error.to_string().contains("with_repositories"), "{error}");
        }
    }
    assert_eq!(world.asked(), Vec::<String>::new(), "nobody learns that it was named");
    provider(&["other/x", "ACME/*"]).resolve(&source, &world.ctx).await.unwrap();

    // A name that is served leads to one that is not.
    world.api.on(REPOSITORY, [World::description().with("/full_name", "acme/secret")]);
    let error = provider(&["acme/support"]).resolve(&source, &world.ctx).await.unwrap_err();
    let VcsError::PermissionDenied { url, .. } = &error else { panic!("{error}") };
    assert!(url.as_str().ends_with("/acme/secret"), "{error}");
}
