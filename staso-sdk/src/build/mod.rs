//! For build scripts: puts commit, branch and repository into the program, so that its traces name them wherever it runs.
//!
//! In `Cargo.toml`:
//! ```toml
//! [build-dependencies]
//! staso = { package = "staso-sdk", version = "0.1", default-features = false, features = ["build"] }
//! ```
//! and in `build.rs`:
//! ```no_run
//! staso::build::emit();
//! ```
//! It reads a few small files of `.git` and starts no process. [`init!`](macro@crate::init) picks the values up.

mod repository;

use std::path::Path;

use crate::environment::{Environment, ProcessEnvironment, non_empty};

pub use repository::BuildRevision;

const VARIABLES: [&str; 3] = ["STASO_VCS_COMMIT_SHA", "STASO_VCS_BRANCH", "STASO_VCS_REPO_URL"];

/// Prints the lines that make cargo set `STASO_VCS_COMMIT_SHA`, `STASO_VCS_BRANCH` and `STASO_VCS_REPO_URL` for the crate
/// being built, and rebuild when the commit changes. A variable that the build environment already sets is left alone.
/// Without a git repository it prints nothing but the conditions for running again.
#[expect(clippy::print_stdout, reason = "cargo reads the output of build scripts")]
pub fn emit() {
    let directory = ProcessEnvironment.get("CARGO_MANIFEST_DIR").unwrap_or_else(|| ".".to_owned());
    for line in lines(&ProcessEnvironment, Path::new(&directory)) {
        println!("{line}");
    }
}

/// The lines that [`emit`] prints, for a crate in `directory`.
#[must_use]
pub fn lines(environment: &dyn Environment, directory: &Path) -> Vec<String> {
    let mut lines: Vec<_> =
        VARIABLES.iter().map(|name| format!("cargo:rerun-if-env-changed={name}")).collect();
    let Some(revision) = BuildRevision::discover(directory) else { return lines };
    lines.extend(revision.inputs.iter().map(|path| format!("cargo:rerun-if-changed={}", path.display())));
    if non_empty(environment, VARIABLES[0]).is_some() {
        // The environment names a commit of its own; branch and address of another one must not be mixed in.
        return lines;
    }
    let values = [Some(revision.commit), revision.branch, revision.repository_url];
    for (name, value) in VARIABLES.iter().zip(values) {
        if let Some(value) = value.filter(|value| !value.contains(['\n', '\r']))
            && non_empty(environment, name).is_none()
        {
            lines.push(format!("cargo:rustc-env={name}={value}"));
        }
    }
    lines
}
