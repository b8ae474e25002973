//! The program `diagnose`: trace files in, diagnoses out. Reads no repository and runs nothing.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use lexopt::{Arg, Parser};
use staso::heal::{RandomRunIds, SystemClock};
use staso::ingest::{IngestLimits, parse_any};
use staso::store::SqliteStore;
use staso_core::heal::{HealRequest, Healer, StoppingPoint};
use staso_core::id::{Digest, TraceId, WorkspaceId};
use staso_core::quick::QuickDiagnoser;
use staso_core::report::{CardStyle, card};
use staso_core::run::{RunArtifact, RunStore, TraceBatch, TraceStore};

use crate::environment::Environment;
use crate::own_work;
use crate::show::{complain, json};
use crate::station::WORKSPACE;
use crate::terminal::Look;

const UNEXPLAINED: u8 = 1;
const USAGE: u8 = 2;

const HELP: &str = "\
Says why runs of an agent failed, from their traces alone.

diagnose FILE... [--json]
    FILE is in the staso ingest format or OTLP JSON; - is standard input.

--json   prints one artifact a line

Exit code: 0 all read, 1 something else went wrong, 2 bad usage or a malformed trace (the others are still diagnosed).
";

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Default)]
struct Given {
    files: Vec<PathBuf>,
    json: bool,
    help: bool,
}

/// Runs the program. `arguments` come without its name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let given = match parse(arguments) {
        Ok(given) => given,
        Err(error) => {
            complain(&error);
            return USAGE.into();
        }
    };
    if given.help {
        return ExitCode::from(if print(HELP).is_ok() { 0 } else { UNEXPLAINED });
    }
    match diagnose(&given, environment).await {
        Ok(malformed) => ExitCode::from(if malformed { USAGE } else { 0 }),
        Err(error) => {
            complain(&*error);
            UNEXPLAINED.into()
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Given, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let mut given = Given::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => given.help = true,
            Arg::Long("json") => given.json = true,
            Arg::Value(file) => given.files.push(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if given.files.is_empty() && !given.help {
        return Err("name at least one trace file, or - for standard input".into());
    }
    Ok(given)
}

/// Whether a file was malformed.
async fn diagnose(given: &Given, environment: &Environment) -> Result<bool, Failure> {
    let store = Arc::new(SqliteStore::open_in_memory()?);
    let workspace = WorkspaceId::new(WORKSPACE)?;
    let healer = Healer::builder(
        Arc::clone(&store) as Arc<dyn TraceStore>,
        Arc::clone(&store) as Arc<dyn RunStore>,
        Arc::new(QuickDiagnoser::new()),
        Arc::new(SystemClock::default()),
        Arc::new(RandomRunIds),
    )
    .build();
    let mut malformed = false;
    for file in &given.files {
        let traces = match keep(file, &*store, &workspace).await {
            Ok(traces) => traces,
            Err(error) => {
                complain(&*error);
                malformed = true;
                continue;
            }
        };
        for trace in traces {
            let request = HealRequest::new(workspace.clone(), trace).until(StoppingPoint::Diagnose);
            show(&healer.heal(request).await, given.json, environment)?;
        }
    }
    Ok(malformed)
}

/// Puts the traces of a file into the store; their ids, each once, in the order of the file.
async fn keep(file: &Path, store: &dyn TraceStore, workspace: &WorkspaceId) -> Result<Vec<TraceId>, Failure> {
    let bytes = own_work::read(file)?;
    let parts = parse_any(&bytes, &IngestLimits::default())
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut ids: Vec<TraceId> = Vec::new();
    for part in &parts {
        if !ids.contains(&part.trace_id) {
            ids.push(part.trace_id);
        }
    }
    let idempotency_key = Digest::of(&bytes).to_string();
    store.put(&TraceBatch { workspace: workspace.clone(), idempotency_key, parts }).await?;
    Ok(ids)
}

fn show(artifact: &RunArtifact, as_json: bool, environment: &Environment) -> io::Result<()> {
    if as_json {
        return print(&(json(artifact) + "\n"));
    }
    let look = Look::choose(io::stdout().is_terminal(), environment);
    let style = CardStyle::default().with_width(look.width);
    print(&(card(artifact, if look.color { style.colored() } else { style }) + "\n"))
}

fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}
