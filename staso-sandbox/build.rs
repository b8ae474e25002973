//! Compiles the helper that runs inside of a session, and the probe of the escape suite when that is wanted: programs
//! without dependencies, embedded into the library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/agent");
    println!("cargo::rerun-if-changed=src/probe");
    println!("cargo::rerun-if-changed=build.rs");
    build(
        "helper",
        "src/agent/main.rs",
        "the sandbox helper could not be linked: no session will be available",
    );
    if !variable("CARGO_FEATURE_ESCAPE_SUITE").is_empty() {
        build("escape-probe", "src/probe/main.rs", "the probe of the escape suite could not be linked");
    }
}

/// Compiles a program into the directory that the library embeds it from.
fn build(name: &str, source: &str, failure: &str) {
    let out = PathBuf::from(variable("OUT_DIR")).join(name);
    let supported = variable("CARGO_CFG_TARGET_OS") == "linux"
        && ["x86_64", "aarch64"].contains(&variable("CARGO_CFG_TARGET_ARCH").as_str());
    // Linked statically it starts faster and does not depend on the host's libraries; not every machine has a static C
    // library to link to.
    let built =
        supported && (compile(&out, source, &["-Ctarget-feature=+crt-static"]) || compile(&out, source, &[]));
    if built {
        return;
    }
    if supported {
        println!("cargo::warning={failure}");
    }
    // An empty program: the library compiles, and using it says that there is none.
    if let Err(error) = fs::write(&out, b"") {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}

fn compile(out: &Path, source: &str, flags: &[&str]) -> bool {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args([
            "--crate-name=staso_sandbox_program",
            "--crate-type=bin",
            "--edition=2024",
            "--cap-lints=warn",
        ])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Ccodegen-units=1", "-Cdebuginfo=0"])
        .arg(format!("--target={}", variable("TARGET")))
        .args(flags)
        .arg("-o")
        .arg(out)
        .arg(source);
    let linker = variable("RUSTC_LINKER");
    if !linker.is_empty() {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "cargo tells build scripts everything through the environment")]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
