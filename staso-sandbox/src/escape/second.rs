//! Another process with the same backend: a host that is killed, that has something to leak, or that lacks something.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::sandbox::{IsolationTier, Sandbox, SandboxLimits, SandboxSpec};

use super::claims::tier_name;
use super::ground::Ground;
use super::host::eventually;
use super::inside::{Inside, words};
use super::outcome::Outcome;
use super::verdict::{OrBroken as _, Verdict};

/// How long a second host may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a second host is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Run something with this mark in a session, and wait to be killed.
    Hold(String),
    /// Open a session of the strongest tier, and say what came of it.
    Open,
    /// Run these attempts in a session, and say what came of each.
    Attempts(Vec<String>),
}

/// Does what the plan says: call this in the process that the command of
/// [`Ground::with_second_host`](super::Ground::with_second_host) starts. It may not return before the process is killed.
///
/// # Errors
/// When the plan cannot be read or the answer cannot be written. What the sandbox says goes into the answer.
pub async fn second_host(sandbox: &dyn Sandbox, plan: &Path, ctx: &RunContext) -> io::Result<()> {
    let plan = Plan::read(plan)?;
    match &plan.task {
        Task::Hold(mark) => {
            let held = hold(sandbox, &plan, mark, ctx).await;
            let held = held.map_err(|verdict| io::Error::other(verdict.detail().to_owned()))?;
            plan.answer("ready")?;
            std::future::pending::<()>().await;
            drop(held);
            Ok(())
        }
        Task::Open => {
            let spec = plan.spec().with_min_tier(IsolationTier::Full);
            let said = match sandbox.open(&spec, ctx).await {
                Ok(session) => format!("opened {}", tier_name(session.isolation().tier)),
                Err(error) => format!("refused {error}"),
            };
            plan.answer(&said)
        }
        Task::Attempts(sentences) => {
            let inside = plan.inside(sandbox, ctx).await;
            let inside = inside.map_err(|verdict| io::Error::other(verdict.detail().to_owned()))?;
            let mut lines = Vec::new();
            for sentence in sentences {
                lines.push(line_of(sentence, &inside.attempt(&words(sentence)).await));
            }
            plan.answer(&lines.join("\n"))
        }
    }
}

/// One answered attempt: whether it was refused, the verb, what it came to.
fn line_of(sentence: &str, outcome: &Outcome) -> String {
    let verb = sentence.split(' ').next().unwrap_or_default();
    let word = match outcome {
        Outcome::Broken(_) => "broken",
        outcome if outcome.is_refused() => "refused",
        _ => "through",
    };
    format!("{word} {verb}: {outcome}")
}

async fn hold<'a>(
    sandbox: &dyn Sandbox,
    plan: &Plan,
    mark: &str,
    ctx: &'a RunContext,
) -> Result<(Inside<'a>, Vec<staso_core::sandbox::ExecStream>), Verdict> {
    let inside = plan.inside(sandbox, ctx).await?;
    let mut streams = Vec::new();
    for verb in ["stubborn", "daemons-and-wait", "busy"] {
        streams.push(inside.start(&[verb.to_owned(), mark.to_owned()]).await?);
    }
    Ok((inside, streams))
}

/// What is written down for a second host.
#[derive(Debug)]
struct Plan {
    path: PathBuf,
    checkout: PathBuf,
    min_tier: IsolationTier,
    limits: SandboxLimits,
    task: Task,
}

impl Plan {
    fn write(path: &Path, ground: &Ground, task: &Task) -> io::Result<()> {
        let tier = serde_json::to_string(&ground.min_tier)?;
        let limits = serde_json::to_string(&ground.limits)?;
        let task = match task {
            Task::Hold(mark) => format!("hold\n{mark}"),
            Task::Open => "open".to_owned(),
            Task::Attempts(sentences) => format!("attempts\n{}", sentences.join("\n")),
        };
        fs::write(path, format!("{}\n{tier}\n{limits}\n{task}", ground.checkout.display()))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut lines = text.lines();
        let mut next = || lines.next().ok_or_else(|| io::Error::other("the plan is cut off"));
        let (checkout, tier, limits) = (PathBuf::from(next()?), next()?, next()?);
        let task = match next()? {
            "hold" => Task::Hold(next()?.to_owned()),
            "open" => Task::Open,
            _ => Task::Attempts(lines.map(str::to_owned).collect()),
        };
        Ok(Self {
            path: path.to_path_buf(),
            checkout,
            min_tier: serde_json::from_str(tier)?,
            limits: serde_json::from_str(limits)?,
            task,
        })
    }

    fn spec(&self) -> SandboxSpec {
        SandboxSpec::new(&self.checkout).with_min_tier(self.min_tier).with_limits(self.limits.clone())
    }

    async fn inside<'a>(&self, sandbox: &dyn Sandbox, ctx: &'a RunContext) -> Result<Inside<'a>, Verdict> {
        Inside::open(sandbox, &self.spec(), ctx).await
    }

    /// Written elsewhere first: who waits for it must not read half of it.
    fn answer(&self, text: &str) -> io::Result<()> {
        let half = self.path.with_extension("half");
        fs::write(&half, text)?;
        fs::rename(half, answer_of(&self.path))
    }
}

fn answer_of(plan: &Path) -> PathBuf {
    plan.with_extension("answer")
}

/// A second host that runs.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) child: Child,
    /// What it answered.
    pub(super) said: String,
}

impl Second {
    /// Starts a second host through the probe's verb `stage` (empty: directly), and waits for its answer.
    pub(super) async fn start(ground: &Ground, task: &Task, stage: &[String]) -> Result<Self, Verdict> {
        let Some(second_host) = &ground.second_host else {
            let why = "needs another process with this backend: Ground::with_second_host";
            return Err(Verdict::Broken(why.to_owned()));
        };
        let plan = ground.fresh("plan");
        Plan::write(&plan, ground, task).or_broken("write the plan")?;
        let mut command = staged(ground, second_host(&plan), stage);
        command.env(super::probe::SECRET_NAME, ground.secret());
        let errors = fs::File::create(plan.with_extension("errors")).or_broken("keep its errors")?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let mut this =
            Self { child: command.spawn().or_broken("start the second host")?, said: String::new() };
        let answer = answer_of(&plan);
        eventually(PATIENCE, || answer.exists() || !matches!(this.child.try_wait(), Ok(None))).await;
        match fs::read_to_string(&answer) {
            Ok(said) => this.said = said,
            Err(_) => {
                let errors = fs::read_to_string(plan.with_extension("errors")).unwrap_or_default();
                let errors: String = errors.chars().take(400).collect();
                return Err(Verdict::Broken(format!("the second host does not answer: {errors}")));
            }
        }
        Ok(this)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The same command, started by the probe on a stage.
fn staged(ground: &Ground, command: Command, stage: &[String]) -> Command {
    if stage.is_empty() {
        return command;
    }
    let mut staged = Command::new(ground.probe.path());
    staged.args(stage).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => staged.env(name, value),
            None => staged.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        staged.current_dir(directory);
    }
    staged
}
