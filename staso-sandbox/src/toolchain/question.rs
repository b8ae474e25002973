//! Asking the host's own programs where their things are.

use std::io::Read as _;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// What a program of the host's `PATH` prints, when it succeeds in time.
pub(super) fn ask(program: &str, question: &[&str]) -> Option<String> {
    ask_within(LIMIT, program, question)
}

fn ask_within(limit: Duration, program: &str, question: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(question)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + limit;
    let answer = child.stdout.take().and_then(read_beside);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(PAUSE),
            _ => break None,
        }
    };
    if status.is_none() {
        drop(child.kill());
        drop(child.wait());
    }
    status.filter(ExitStatus::success)?;
    answer?.recv_timeout(deadline.saturating_duration_since(Instant::now()).max(PAUSE)).ok()
}

/// Reads on a thread of its own: what the program left running may hold the pipe for ever.
fn read_beside(output: ChildStdout) -> Option<mpsc::Receiver<String>> {
    let (to, answer) = mpsc::channel();
    let read = move || {
        let mut text = String::new();
        if output.take(MAX_ANSWER_BYTES).read_to_string(&mut text).is_ok() {
            // Whoever asked may have given up.
            drop(to.send(text));
        }
    };
    let started = thread::Builder::new().name("staso-sandbox-ask".to_owned()).spawn(read);
    started.ok().map(|_| answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_for_its_place() {
        assert_eq!(ask("echo", &["/opt/python"]).as_deref(), Some("/opt/python\n"));
        assert_eq!(ask("false", &[]), None);
        assert_eq!(ask("no-such-interpreter", &[]), None);
    }

    #[test]
    fn a_program_that_does_not_end_or_leaves_its_pipe_open_is_not_waited_for() {
        let limit = Duration::from_millis(100);
        let start = Instant::now();
        assert_eq!(ask_within(limit, "sleep", &["60"]), None);
        assert_eq!(ask_within(limit, "sh", &["-c", "echo /opt; sleep 30 &"]), None);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
