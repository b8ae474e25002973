//! The program `heal`: options in, artifacts out, an exit code at the end.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use staso::heal::LocalOptions;
use staso::ingest::{IngestLimits, parse_any};
use staso_core::heal::{HealPolicy, SandboxSwitch};
use staso_core::id::Digest;
use staso_core::verify::VerifyLimits;
use tokio_util::sync::CancellationToken;

use crate::demo::{Demo, DemoError};
use crate::environment::Environment;
use crate::follow::Finished;
use crate::forge;
use crate::interrupt;
use crate::model;
use crate::options::{self, Command, Options, OwnWork, Work};
use crate::own_work;
use crate::scenario::Scenario;
use crate::show::{complain, conclusion, json};
use crate::station::{self, Station};
use crate::terminal::{Look, Terminal, Tone};
use crate::verdict;

pub(crate) const UNHEALED: u8 = 1;
pub(crate) const USAGE: u8 = 2;

/// What goes wrong around a run, with its exit code.
pub(crate) type Failure = (Box<dyn std::error::Error>, u8);

/// Runs the program. `arguments` come without its name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let ended = match options::parse(arguments) {
        Ok(Command::Help) => print(&options::usage()),
        Ok(Command::List) => print(&options::list()),
        Ok(Command::Heal(options)) => heal(&options, environment).await,
        Err(error) => Err((error.into(), USAGE)),
    };
    exit_code(ended)
}

/// Says what went wrong.
pub(crate) fn exit_code(ended: Result<u8, Failure>) -> ExitCode {
    ended
        .unwrap_or_else(|(error, code)| {
            complain(&*error);
            code
        })
        .into()
}

async fn heal(options: &Options, environment: &Environment) -> Result<u8, Failure> {
    let directory = directory(options.data.as_deref())?;
    let place = match &options.work {
        Work::Own(own) => own.repository.as_ref(),
        Work::Demo(_) => None,
    };
    let preview = options.preview_model.then(|| Box::new(io::stdout()) as Box<dyn Write + Send>);
    let agents = model::agents(preview).map_err(|error| (error.into(), USAGE))?;
    let asked = model::described(agents.as_ref(), options.preview_model);
    let mut setup = station::options(&directory, place.map(|place| &place.url), policy(options));
    setup.agents = agents;
    if let Some((place, remote)) = place.and_then(|place| Some((place, place.remote.as_ref()?))) {
        let data = station::data(&directory).join("remotes");
        setup =
            forge::add(setup, &data, place, remote, environment).map_err(|error| (error.into(), USAGE))?;
    }
    work(&options.work, options.json, &asked, setup, &directory, environment).await
}

/// Sets up a station with `setup` below `directory`, and does the work. `note` is said first.
pub(crate) async fn work(
    work: &Work,
    json: bool,
    note: &str,
    setup: LocalOptions,
    directory: &Path,
    environment: &Environment,
) -> Result<u8, Failure> {
    let station =
        Station::with_options(directory, setup).await.map_err(|error| (Box::from(error), UNHEALED))?;
    let out = io::stdout();
    let look = Look::choose(out.is_terminal() && !json, environment);
    let progress: Box<dyn Write + Send> = if json { Box::new(io::sink()) } else { Box::new(io::stdout()) };
    let mut program = Program {
        station: &station,
        environment,
        cancel: interrupt::token(),
        terminal: Terminal::new(progress, look),
        json,
    };
    program.say(&look.paint(Tone::Dim, note))?;
    let code = match work {
        Work::Demo(scenarios) => program.demo(scenarios).await,
        Work::Own(own) => program.own(own).await,
    };
    station.close().await;
    let code = code?;
    if !json {
        let note = format!("everything is kept in {}\n", directory.display());
        print(&look.paint(Tone::Dim, &note))?;
    }
    Ok(code)
}

/// One call of the program.
struct Program<'p> {
    station: &'p Station,
    environment: &'p Environment,
    cancel: CancellationToken,
    terminal: Terminal<Box<dyn Write + Send>>,
    json: bool,
}

impl Program<'_> {
    async fn demo(&mut self, scenarios: &[&'static Scenario]) -> Result<u8, Failure> {
        let mut code = 0;
        for scenario in scenarios {
            let demo = Demo::new(self.station, self.environment, &self.cancel);
            match demo.run(scenario, &mut self.terminal).await {
                Ok(finished) => {
                    self.show(&finished)?;
                    if let Some(complaint) = verdict::complaint(scenario.class, &finished.artifact) {
                        self.say(&format!("{}: {complaint}", scenario.name))?;
                        code = UNHEALED;
                    }
                }
                Err(DemoError::Cancelled) => {}
                Err(error) => return Err((error.into(), UNHEALED)),
            }
            if self.cancel.is_cancelled() {
                return Ok(interrupt::EXIT_CODE);
            }
        }
        Ok(code)
    }

    async fn own(&mut self, own: &OwnWork) -> Result<u8, Failure> {
        let bytes = own_work::read(&own.trace).map_err(|error| (Box::from(error), USAGE))?;
        let malformed = |error: staso::ingest::IngestError| -> Failure {
            (format!("{}: {error}", own.trace.display()).into(), USAGE)
        };
        let parts = parse_any(&bytes, &IngestLimits::default()).map_err(malformed)?;
        let key = Digest::of(&bytes).to_string();
        let traces = own_work::keep(self.station, parts, key).await.map_err(|error| (error.into(), USAGE))?;
        let mut code = 0;
        for trace_id in traces {
            let healed = own_work::heal(self.station, trace_id, own, &self.cancel, &mut self.terminal).await;
            let finished = healed.map_err(|error| (error.into(), UNHEALED))?;
            self.show(&finished)?;
            if self.cancel.is_cancelled() {
                return Ok(interrupt::EXIT_CODE);
            }
            if !own_work::succeeded(&finished.artifact) {
                code = UNHEALED;
            }
        }
        Ok(code)
    }

    fn show(&mut self, finished: &Finished) -> Result<(), Failure> {
        let artifact = &finished.artifact;
        if self.json {
            return print(&(json(artifact) + "\n")).map(|_| ());
        }
        let file = self.station.artifact_file(artifact.run_id);
        self.say(&format!("\n{}", conclusion(artifact, &file, self.terminal.look())))
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.terminal.line(text).map_err(|error| (error.into(), UNHEALED))
    }
}

fn policy(options: &Options) -> HealPolicy {
    let limits = VerifyLimits::default();
    let sandboxes = match options.no_sandbox {
        true => SandboxSwitch::off().with_place("this command: leave out --no-sandbox"),
        false => SandboxSwitch::on(),
    };
    HealPolicy::default().with_sandboxes(sandboxes).with_verify(match options.test_timeout {
        Some(timeout) => limits.with_test_timeout(timeout),
        None => limits,
    })
}

/// Where everything is kept: as the user says, else a new directory that stays, because the user wants to look at the
/// branches in it.
pub(crate) fn directory(data: Option<&Path>) -> Result<PathBuf, Failure> {
    let made = match data {
        Some(directory) => std::fs::create_dir_all(directory).and_then(|()| directory.canonicalize()),
        None => tempfile::Builder::new().prefix("staso-heal-").tempdir().map(tempfile::TempDir::keep),
    };
    made.map_err(|error| (error.into(), UNHEALED))
}

pub(crate) fn print(text: &str) -> Result<u8, Failure> {
    let written = io::stdout().lock().write_all(text.as_bytes());
    written.map(|()| 0).map_err(|error| (error.into(), UNHEALED))
}
