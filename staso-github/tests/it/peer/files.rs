//! What `emulate` lacks for reading without git: files as they are, and archives.
//!
//! A file is what `emulate` answered in JSON, an archive what git packs of the repository beside it, after `emulate` has shown
//! its commit to the one who asks. Everything else is passed on.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ask::ask;
use super::fault::between;
use super::server::{Answer, Exchange, Handler, Reply, Server};

#[derive(Debug)]
struct Files {
    upstream: String,
    bare: PathBuf,
}

/// A server in front of the one at `http://host:port`, with archives of this repository.
pub(crate) fn with_files(upstream: &str, bare: PathBuf) -> Server {
    let upstream = upstream.strip_prefix("http://").expect("an address with http").to_owned();
    Server::start(Arc::new(Files { upstream, bare }))
}

impl Files {
    fn archive(&self, commit: &str) -> Vec<u8> {
        let packed = Command::new("git")
            .arg("-C")
            .arg(&self.bare)
            .args([
                "-c",
                "safe.directory=*",
                "archive",
                "--format=tar.gz",
                "--prefix=acme-support-0123456/",
                commit,
            ])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("git is installed");
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        packed.stdout
    }
}

#[async_trait]
impl Handler for Files {
    async fn answer(&self, request: Exchange) -> Reply {
        let archived = request.path.split_once("/tarball/");
        let target = archived.map_or_else(
            || request.target(),
            |(repository, commit)| format!("{repository}/git/commits/{commit}"),
        );
        let (headers, body) = (between(&request.headers), Body::from(request.body.clone()));
        let answered = ask(&self.upstream, &request.method, &target, headers, body).await;
        let Some(Answer { status, headers, body }) = answered else { return Reply::Dropped };
        let is_raw = request.path.contains("/git/blobs/")
            && request.header("accept").is_some_and(|accept| accept.contains("raw"));
        let body = match archived {
            _ if status != 200 => body,
            Some((_, commit)) => self.archive(commit).into(),
            None if is_raw => {
                let blob: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                STANDARD.decode(blob["content"].as_str().expect("a text")).expect("base64").into()
            }
            None => body,
        };
        Reply::Answer(Answer { status, headers: between(&headers), body })
    }
}
