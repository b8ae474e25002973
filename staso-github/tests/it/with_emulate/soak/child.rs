//! An attempt in a process of its own, which is killed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::job::{Job, Kind, described};
use super::listening::{Ear, listen};
use super::run::{Runs, in_process};
use crate::peer::clock::jumping_context;
use crate::peer::environment::{say, started};
use crate::peer::fault::Gate;

/// Tells a child process its job, in JSON.
const CHILD: &str = "STASO_TEST_SOAK_CHILD";
/// What a child says when it begins.
const BEGIN: &str = "begins";

/// When a child is killed.
#[derive(Debug)]
pub(super) enum Moment {
    /// So long after it began.
    After(Duration),
    /// When one of its requests stands still.
    At(Gate),
}

/// A process that is no more.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) when: String,
    /// All that it printed.
    pub(super) said: String,
}

/// Runs an attempt in another process and kills it.
pub(super) async fn kill(root: &Path, job: &Job, moment: Moment) -> Killed {
    let (output, errors) = (root.join("stdout"), root.join("stderr"));
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["with_emulate::soak::child::child", "--exact", "--nocapture"])
        .env(CHILD, serde_json::to_string(job).unwrap())
        .stdout(Stdio::piped())
        .stderr(File::create(&errors).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut printed = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        printed.push_str(&line);
        if line.contains(BEGIN) {
            break;
        }
    }
    let planned = match &moment {
        Moment::After(_) => "killed at a moment",
        Moment::At(_) => "killed at a request",
    };
    let come = async {
        match &moment {
            Moment::After(time) => tokio::time::sleep(*time).await,
            Moment::At(gate) => gate.reached().await,
        }
    };
    let when = tokio::select! {
        ended = child.wait() => format!("ended before it was killed, {}", ended.unwrap()),
        () = come => planned.to_owned(),
    };
    // One that has ended cannot be killed.
    drop(child.kill().await);
    while let Ok(Some(line)) = lines.next_line().await {
        printed.push_str(&line);
    }
    fs::write(output, &printed).unwrap();
    let said = printed + &fs::read_to_string(errors).unwrap();
    Killed { when, said }
}

/// The body of the child process. Without a parent it looks after itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent test tells the child what to do")]
    let job = std::env::var(CHILD).ok();
    let Some(job) = job else {
        return alone().await;
    };
    listen(Ear::StandardError);
    let job: Job = serde_json::from_str(&job).unwrap();
    let key = fs::read_to_string(started("STASO_EMULATE_KEY").unwrap()).unwrap();
    let provider = job.provider(&key);
    writeln!(std::io::stdout(), "{BEGIN}").unwrap();
    let result = job.run(&provider, &jumping_context(2)).await;
    say(&described(&result).1);
    result.unwrap();
}

async fn alone() {
    if started("STASO_EMULATE_URL").is_none() {
        return;
    }
    let kind = Kind { by_api: false, warm: false, labels: true, big: false, behind: true };
    let ground = Runs::new().ground(kind, "alone").await;
    let job = ground.job("data", false);
    let made = in_process(&ground, &job, 3, || {}).await.0.unwrap();
    ground.check_made(&job, &made).await;
}
