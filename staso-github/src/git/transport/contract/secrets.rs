//! Credentials go to the server and nowhere else; nothing of a repository runs.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::gate::Fault;
use super::server::{Server, branch, child_of, git};
use super::{of, over_all};
use crate::credentials::GitCredentials;
use crate::git::transport::{Pushed, TransportKind};
use crate::peer::git_http::Right;

over_all! {
    case_53_credentials_stand_in_no_file_and_no_argument,
    case_53_credentials_stand_in_no_error,
    case_54_nothing_of_a_repository_runs,
}

const TOKEN: &str = "ghs_Canary/0+123456789abcdefghij%";

/// The token, as it may look.
fn forms() -> Vec<String> {
    let percent = TOKEN.replace('%', "%25").replace('/', "%2F").replace('+', "%2B");
    let pair = STANDARD.encode(format!("x-access-token:{TOKEN}"));
    vec![TOKEN.to_owned(), percent, STANDARD.encode(TOKEN), pair]
}

fn assert_clean(text: &str, place: &dyn Debug) {
    for form in forms() {
        assert!(!text.contains(&form), "a credential in {place:?}: {text}");
    }
}

fn assert_directory_clean(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_directory_clean(&path);
        } else {
            assert_clean(&String::from_utf8_lossy(&fs::read(&path).unwrap()), &path);
        }
    }
}

/// The arguments of all processes.
fn arguments() -> String {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let all = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    all.map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " ") + "\n").collect()
}

async fn case_53_credentials_stand_in_no_file_and_no_argument(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    server.http.accept(TOKEN, Right::Write);
    let (credentials, ctx, tip) =
        (GitCredentials::token(TOKEN.into()), test_context(), server.tip("main").unwrap());
    let store = server.store(server.http_address(), of(kind));
    store.list(&[], &credentials, &ctx).await.unwrap();
    store.ensure(std::slice::from_ref(&tip), &credentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let name = branch("fix/staso-a-1");
    assert_eq!(store.push(&fix, &name, &credentials, &ctx).await.unwrap(), Pushed::Created);
    assert_directory_clean(&server.data());
    // While a push stands still, everyone can read what programs were started with.
    let gate = server.gate(Fault::StallAnswer("POST /acme/support.git/git-receive-pack", 0));
    let store = server.store(gate.address(), of(kind));
    let look = async {
        gate.stalled().await;
        let arguments = arguments();
        ctx.cancellation().cancel();
        arguments
    };
    let other = branch("fix/staso-b-1");
    let (pushed, arguments) = tokio::join!(store.push(&fix, &other, &credentials, &ctx), look);
    assert!(matches!(pushed, Err(VcsError::Cancelled)), "{pushed:?}");
    assert_eq!(arguments.contains(gate.address().as_str()), kind == TransportKind::Git, "git was at work");
    assert_clean(&arguments, &"arguments");
    assert_directory_clean(&server.data());
}

async fn case_53_credentials_stand_in_no_error(kind: TransportKind) {
    let server = Server::new();
    let credentials = GitCredentials::token(TOKEN.into());
    for form in forms() {
        for status in [301, 400, 401, 403, 404, 411, 500] {
            let echo = format!("you sent {form}\n");
            let head = format!(
                "HTTP/1.1 {status} {form}\r\nLocation: http://localhost:1/{form}\r\nContent-Type: text/plain"
            );
            let answer = format!(
                "{head}\r\nWWW-Authenticate: Basic realm=\"{form}\"\r\nContent-Length: {}\r\n\r\n{echo}",
                echo.len()
            );
            let gate = server.gate(Fault::Answer(answer));
            let store = server.store(gate.address(), of(kind));
            let error = store.list(&[], &credentials, &test_context()).await.unwrap_err();
            let mut text = format!("{error}\n{error:?}");
            let mut source: Option<&dyn std::error::Error> = Some(&error);
            while let Some(cause) = source {
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            assert_clean(&text, &status);
        }
    }
}

async fn case_54_nothing_of_a_repository_runs(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    server.http.accept(TOKEN, Right::Write);
    let credentials = GitCredentials::token(TOKEN.into());
    let canary = server.data().with_extension("canary");
    let touch = format!("touch {}; false", canary.display());
    server.commit("main", ".gitattributes", "* filter=evil diff=evil merge=evil\n");
    server.commit(
        "main",
        ".gitmodules",
        "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c touch% canary\n\tupdate = !touch canary\n",
    );
    let tip = server.commit("main", ".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:1/\n");
    let (store, ctx) = (server.store(server.http_address(), of(kind)), test_context());
    store.ensure(std::slice::from_ref(&tip), &credentials, &ctx).await.unwrap();
    for hook in ["pre-push", "reference-transaction", "post-checkout", "pre-auto-gc", "post-merge"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = store.directory().join("hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "credential.helper",
        "filter.evil.smudge",
        "filter.evil.process",
        "uploadpack.packObjectsHook",
        "gpg.program",
        "diff.external",
    ] {
        git(store.directory(), &["config", name, &format!("!{touch}")]);
    }
    git(store.directory(), &["config", "push.gpgSign", "true"]);
    git(store.directory(), &["config", "push.recurseSubmodules", "on-demand"]);
    let newer = server.commit("main", "newer", "text\n");
    store.ensure(std::slice::from_ref(&newer), &credentials, &ctx).await.unwrap();
    let fix = child_of(&store, &newer, "fixed\n");
    let pushed = store.push(&fix, &branch("fix/staso-a-1"), &credentials, &ctx).await.unwrap();
    assert_eq!(pushed, Pushed::Created);
    of(kind).compact(store.directory(), &ctx).await.unwrap();
    let wrong = GitCredentials::token("ghs_wrong_token".into());
    store.list(&[], &wrong, &ctx).await.unwrap_err();
    assert!(!canary.exists());
}
