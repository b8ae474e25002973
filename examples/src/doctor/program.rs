//! The command line.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use lexopt::{Arg, Parser, ValueExt as _};
use staso::heal::{RandomRunIds, SystemClock};
use staso_core::heal::RunIds as _;
use staso_core::run::RunContext;

use super::backends::{Engine, probes};
use super::{Machine, Report, text};
use crate::heal_program::{Failure, print};
use crate::show::{complain, json};

const NOT_READY: u8 = 1;
const USAGE: u8 = 2;

const HELP: &str = "\
Says what sandboxes this machine can give, what is missing, and the command that mends it.

sandbox_doctor [--json] [--image NAME [--socket PATH]]

--json    prints the report as one line of JSON
--image   also tries a container engine, with this image, which must be there already; nothing is pulled
--socket  the engine's socket; by default /var/run/docker.sock

Exit code: 0 sessions with the default isolation open, 1 they do not, 2 bad usage.
";

/// Runs the program. `arguments` come without its name.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended = match parse(arguments) {
        Ok(Asked::Help) => print(HELP),
        Ok(Asked::Report { as_json, engine }) => examine(as_json, &engine).await,
        Err(error) => Err((error.into(), USAGE)),
    };
    ended
        .unwrap_or_else(|(error, code)| {
            complain(&*error);
            code
        })
        .into()
}

enum Asked {
    Help,
    Report { as_json: bool, engine: Engine },
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let (mut as_json, mut engine) = (false, Engine::default());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Long("json") => as_json = true,
            Arg::Long("image") => engine.image = Some(parser.value()?.string()?),
            Arg::Long("socket") => engine.socket = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Report { as_json, engine })
}

async fn examine(as_json: bool, engine: &Engine) -> Result<u8, Failure> {
    let failed = |error: std::io::Error| (error.into(), NOT_READY);
    let checkout = tempfile::Builder::new().prefix("staso-doctor-").tempdir().map_err(failed)?;
    let ctx = RunContext::new(RandomRunIds.next(), Arc::new(SystemClock::default()));
    let report = Report::new(Machine::read(Path::new("/")), probes(engine, checkout.path(), &ctx).await);
    print(&if as_json { json(&report) + "\n" } else { text(&report) })?;
    Ok(if report.ready { 0 } else { NOT_READY })
}
