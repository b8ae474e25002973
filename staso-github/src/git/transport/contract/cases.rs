//! Listing, fetching, pushing, and what servers refuse.

use std::sync::Arc;

use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::gate::Fault;
use super::server::{Server, branch, child_of, commit_id};
use super::{of, over_all};
use crate::address::RemoteAddress;
use crate::credentials::{GitCredentials, NoCredentials};
use crate::git::transport::{Pushed, TransportKind};
use crate::peer::git_http::Right;

over_all! {
    over_paths_of_this_machine,
    over_http,
    case_25_a_commit_that_the_server_does_not_have,
    case_30_a_branch_that_is_there_is_never_moved,
    case_30_of_many_who_make_a_branch_one_does,
    case_36_the_rule_that_refuses_a_push_is_told,
    case_09_refused_credentials,
    rights_that_do_not_suffice,
    a_repository_that_is_not_there,
    servers_in_trouble,
    redirects_are_not_followed,
    no_secure_connection,
    a_commit_on_an_older_one,
    packs_are_joined,
}

async fn over_paths_of_this_machine(kind: TransportKind) {
    let server = Server::new();
    let address = server.file_address();
    everything(&server, address, kind).await;
}

async fn over_http(kind: TransportKind) {
    let server = Server::new();
    // libgit2 asks for commits by id only where the server offers them.
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let address = server.http_address();
    everything(&server, address, kind).await;
}

async fn everything(server: &Server, address: RemoteAddress, kind: TransportKind) {
    let store = server.store(address, of(kind));
    let (tip, ctx) = (server.tip("main").unwrap(), test_context());
    let listed = store.list(&[], &NoCredentials, &ctx).await.unwrap();
    assert_eq!(listed.head, Some(branch("main")));
    assert_eq!(listed.branches.into_iter().collect::<Vec<_>>(), [(branch("main"), tip.clone())]);
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let name = branch("fix/staso-a-1");
    assert_eq!(store.push(&fix, &name, &NoCredentials, &ctx).await.unwrap(), Pushed::Created);
    assert_eq!(server.tip("fix/staso-a-1"), Some(fix.clone()));
    let listed = store.list(&["fix/staso-a-".to_owned()], &NoCredentials, &ctx).await.unwrap();
    assert_eq!(listed.branches.into_iter().collect::<Vec<_>>(), [(name, fix)]);
    assert_eq!(listed.head, Some(branch("main")));
    server.assert_sound();
}

async fn case_25_a_commit_that_the_server_does_not_have(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let store = server.store(server.http_address(), of(kind));
    let (tip, unknown) = (server.tip("main").unwrap(), commit_id(&"12".repeat(20)));
    let error = store.ensure(&[tip, unknown.clone()], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(&error, VcsError::CommitNotFound { commit, .. } if *commit == unknown), "{error:?}");
}

async fn case_30_a_branch_that_is_there_is_never_moved(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let name = branch("fix/staso-a-1");
    let push = async |commit| store.push(commit, &name, &NoCredentials, &ctx).await.unwrap();
    assert_eq!(push(&fix).await, Pushed::Created);
    assert_eq!(push(&fix).await, Pushed::Taken, "not even by itself");
    let (forward, other) = (child_of(&store, &fix, "more\n"), child_of(&store, &tip, "other\n"));
    assert_eq!(push(&forward).await, Pushed::Taken, "not even forward");
    assert_eq!(push(&other).await, Pushed::Taken);
    assert_eq!(push(&tip).await, Pushed::Taken, "not backward");
    assert_eq!(server.tip("fix/staso-a-1"), Some(fix.clone()));
    // Someone makes it after the list was sent, before ours is made.
    let late = branch("fix/staso-b-1");
    server.hook(
        "pre-receive",
        &format!("unset GIT_QUARANTINE_PATH; git update-ref refs/heads/{late} {tip} ''"),
    );
    assert_eq!(store.push(&forward, &late, &NoCredentials, &ctx).await.unwrap(), Pushed::Taken);
    assert_eq!(server.tip("fix/staso-b-1"), Some(tip));
}

async fn case_30_of_many_who_make_a_branch_one_does(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, tip) = (server.store(server.http_address(), of(kind)), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &test_context()).await.unwrap();
    let store = Arc::new(store);
    let mut pushes = tokio::task::JoinSet::new();
    for number in 0..6 {
        let fix = child_of(&store, &tip, &format!("fix {number}\n"));
        let store = store.clone();
        pushes.spawn(async move {
            let pushed = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &test_context()).await;
            (fix, pushed.unwrap())
        });
    }
    let made: Vec<_> =
        pushes.join_all().await.into_iter().filter(|(_, pushed)| *pushed == Pushed::Created).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(server.tip("fix/staso-a-1").as_ref(), made.first().map(|(fix, _)| fix));
    server.assert_sound();
}

async fn case_36_the_rule_that_refuses_a_push_is_told(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    server.http.reject_pushes(
        "acme/support",
        &[
            "error: GH013: Repository rule violations found for refs/heads/fix/staso-a-1.",
            "",
            "- Commits must have verified signatures.\u{1b}[31m\u{202e}",
        ],
    );
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let error = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap_err();
    let VcsError::PolicyRejected { rule, .. } = &error else { panic!("{error:?}") };
    assert!(rule.contains("GH013: Repository rule violations found"), "{rule}");
    assert!(rule.contains("Commits must have verified signatures."), "{rule}");
    assert!(!rule.chars().any(|c| c.is_control() || c == '\u{202e}'), "{rule:?}");
    assert_eq!(server.tip("fix/staso-a-1"), None);
}

async fn case_09_refused_credentials(kind: TransportKind) {
    let server = Server::new();
    server.http.accept("ghs_good", Right::Read);
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    let revoked = GitCredentials::token("ghs_revoked".into());
    let listed = store.list(&[], &revoked, &ctx).await.unwrap_err();
    assert!(matches!(listed, VcsError::CredentialRevoked { .. }), "{listed:?}");
    let asked = server.http.seen().len();
    assert!(asked <= 3, "{asked} requests with credentials that are not good");
    let fetched = store.ensure(&[tip], &revoked, &ctx).await.unwrap_err();
    assert!(matches!(fetched, VcsError::CredentialRevoked { .. }), "{fetched:?}");
    let anonymous = store.list(&[], &NoCredentials, &ctx).await.unwrap_err();
    assert!(matches!(anonymous, VcsError::PermissionDenied { .. }), "{anonymous:?}");
}

async fn rights_that_do_not_suffice(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    server.http.accept("ghs_reader", Right::Read);
    let reader = GitCredentials::token("ghs_reader".into());
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &reader, &ctx).await.unwrap();
    let pushed = store.push(&tip, &branch("fix/staso-a-1"), &reader, &ctx).await.unwrap_err();
    let asked = store.may_push(&tip, &reader, &ctx).await.unwrap_err();
    for error in [pushed, asked] {
        let VcsError::PermissionDenied { remedy, .. } = &error else { panic!("{error:?}") };
        // libgit2 does not show what a server says with a status.
        let told = if kind == TransportKind::Git { "Write access to repository not granted" } else { "403" };
        assert!(remedy.contains(told), "{remedy}");
    }
    server.http.accept("ghs_writer", Right::Write);
    store.may_push(&tip, &GitCredentials::token("ghs_writer".into()), &ctx).await.unwrap();
    assert_eq!(server.branches(), ["main"], "nothing was made");
}

async fn a_repository_that_is_not_there(kind: TransportKind) {
    let server = Server::new();
    let ctx = test_context();
    for address in [format!("{}/acme/none.git", server.http.origin()), format!("{}x", server.file_address())]
    {
        let store = server.store(address.parse().unwrap(), of(kind));
        let error = store.list(&[], &NoCredentials, &ctx).await.unwrap_err();
        assert!(matches!(error, VcsError::RepositoryNotFound { .. }), "{address}: {error:?}");
    }
}

async fn servers_in_trouble(kind: TransportKind) {
    let server = Server::new();
    for (status, retryable) in [(429, true), (500, true), (502, true), (503, true), (400, true), (451, true)]
    {
        let gate = server.gate(Fault::Answer(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n")));
        let store = server.store(gate.address(), of(kind));
        let error = store.list(&[], &NoCredentials, &test_context()).await.unwrap_err();
        assert!(
            matches!(error, VcsError::Unreachable { .. } | VcsError::BadAnswer { .. }),
            "{status}: {error:?}"
        );
        assert_eq!(error.is_retryable(), retryable, "{status}");
    }
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nhello\n";
    let gate = server.gate(Fault::Answer(html.to_owned()));
    let store = server.store(gate.address(), of(kind));
    let error = store.list(&[], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::BadAnswer { .. }), "{error:?}");
    let store = server.store("http://127.0.0.1:1/acme/support".parse().unwrap(), of(kind));
    let error = store.list(&[], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::Unreachable { .. }), "{error:?}");
}

async fn redirects_are_not_followed(kind: TransportKind) {
    let (server, other) = (Server::new(), Server::new());
    other.http.accept("ghs_token", Right::Write);
    for status in [301, 302, 307, 308] {
        let to = other.http_address().to_string().replace("127.0.0.1", "localhost");
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {to}/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\n\r\n"
        );
        let gate = server.gate(Fault::Answer(answer));
        let store = server.store(gate.address(), of(kind));
        let credentials = GitCredentials::token("ghs_token".into());
        let error = store.list(&[], &credentials, &test_context()).await.unwrap_err();
        assert!(
            matches!(&error, VcsError::Unreachable { reason, .. } if reason.contains("moved")),
            "{status}: {error:?}"
        );
    }
    assert!(other.http.seen().is_empty(), "nobody asked there");
}

async fn no_secure_connection(kind: TransportKind) {
    let server = Server::new();
    let address = server.http_address().to_string().replace("http://", "https://");
    let store = server.store(address.parse().unwrap(), of(kind));
    let error = store.list(&[], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(
        matches!(&error, VcsError::Unreachable { reason, .. } if reason.contains("no secure connection")),
        "{error:?}"
    );
}

async fn a_commit_on_an_older_one(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, ctx, old) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&old), &NoCredentials, &ctx).await.unwrap();
    let newer = server.commit("main", "later", "later\n");
    store.ensure(std::slice::from_ref(&newer), &NoCredentials, &ctx).await.unwrap();
    // Its parent is the tip of no branch any more, and nothing of what came before it is here.
    let fix = child_of(&store, &old, "fixed\n");
    let pushed = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap();
    assert_eq!((pushed, server.tip("fix/staso-a-1")), (Pushed::Created, Some(fix)));
    server.assert_sound();
}

async fn packs_are_joined(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, ctx) = (server.store(server.http_address(), of(kind)), test_context());
    let mut commits = vec![server.tip("main").unwrap()];
    for round in 0..4 {
        store.ensure(&commits, &NoCredentials, &ctx).await.unwrap();
        commits.push(server.commit("main", &format!("round{round}"), "text\n"));
    }
    commits.pop();
    let loose = child_of(&store, &commits[0], "loose\n");
    of(kind).compact(store.directory(), &ctx).await.unwrap();
    let packs = std::fs::read_dir(store.directory().join("objects/pack")).unwrap();
    let packs =
        packs.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack"));
    assert_eq!(packs.count(), 1);
    server.http.accept("nobody is let in any more", Right::Read);
    store.ensure(&commits, &NoCredentials, &ctx).await.unwrap();
    store.ensure(&[loose], &NoCredentials, &ctx).await.unwrap();
}
