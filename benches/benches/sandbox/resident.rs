//! Opening a session from hosts that hold 0, 1 and 4 GiB of memory.
//!
//! Each host is a process of its own, this program in another role, and all of them are asked in turn. That the memory
//! counts is shown by a start through `fork`, which copies the page tables.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use staso_benches::{Failure, Way, turns};

use crate::host::Host;
use crate::{figure, times};

/// The first argument of a process that is a host.
pub(crate) const ROLE: &str = "host-that-holds";
const GIBIBYTES: [usize; 3] = [0, 1, 4];
const ROUNDS: usize = 60;
const PAGE: usize = 4096;

pub(crate) fn measure() -> Result<(), Failure> {
    for (what, question) in [("open a session", "open"), ("start a process by fork", "fork")] {
        let mut hosts = GIBIBYTES.iter().map(|size| Other::start(*size)).collect::<Result<Vec<_>, _>>()?;
        let names = GIBIBYTES.map(|size| format!("{what}, host of {size} GiB"));
        let mut asked: Vec<_> = hosts.iter_mut().map(|host| || host.ask(question)).collect();
        let ways = names.iter().zip(&mut asked);
        let ways: Vec<Way<'_>> = ways
            .map(|(name, ask)| (name.as_str(), ask as &mut dyn FnMut() -> Result<Duration, Failure>))
            .collect();
        let found = turns(ROUNDS, ways)?;
        found.iter().for_each(times);
        if let [small, _, large] = &found[..] {
            let target = if question == "open" { "about 1" } else { "far more: the memory counts" };
            figure(&format!("{what}: 4 GiB / 0 GiB"), &format!("{:.2}", large.ratio_to(small)), target);
        }
    }
    Ok(())
}

/// Holds the memory and answers each line with the time that what it names took, in nanoseconds.
pub(crate) fn serve(gibibytes: usize) -> Result<(), Failure> {
    let mut memory = vec![0_u8; gibibytes << 30];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    let host = Host::new()?;
    for line in std::io::stdin().lines() {
        let took = match line?.as_str() {
            "open" => host.time_to_open()?,
            _ => by_fork()?,
        };
        writeln!(std::io::stdout(), "{}", took.as_nanos())?;
    }
    drop(std::hint::black_box(memory));
    Ok(())
}

/// The standard library forks when the child is to change its user, if only to the one that it has.
fn by_fork() -> Result<Duration, Failure> {
    let own = fs::metadata("/proc/self")?.uid();
    let start = Instant::now();
    let status = Command::new("/usr/bin/true").uid(own).status()?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err("`true` fails".into()) }
}

/// A host in a process of its own. It ends with its input.
struct Other {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(gibibytes: usize) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, &gibibytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no answers")?);
        Ok(Self { child, questions, answers })
    }

    fn ask(&mut self, question: &str) -> Result<Duration, Failure> {
        writeln!(self.questions.as_mut().ok_or("no questions")?, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(Duration::from_nanos(line.trim().parse()?))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.questions.take());
        drop(self.child.wait());
    }
}
