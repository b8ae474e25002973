//! Compiles the helper that runs inside of a session, and the probe of the escape suite when that is wanted: programs
//! without dependencies, embedded into the library.
//!
//! On Linux they run beside the library and are made for the same target. Elsewhere the helper runs in the containers of
//! an engine, which are Linux on the same processor: it is made for that, with what comes with every Rust and the
//! standard library of one more target.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/agent");
    println!("cargo::rerun-if-changed=src/probe");
    println!("cargo::rerun-if-changed=build.rs");
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    let supported = ["x86_64", "aarch64"].contains(&arch.as_str());
    let linux = supported && variable("CARGO_CFG_TARGET_OS") == "linux";
    let helper = Program { name: "helper", source: "src/agent/main.rs" };
    let built = if linux {
        helper.for_this_target()
    } else {
        // `ContainerSandbox` speaks to unix sockets.
        let unix = variable("CARGO_CFG_TARGET_FAMILY").split(',').any(|family| family == "unix");
        supported && unix && has_feature("CONTAINER") && helper.for_containers(&arch)
    };
    if !built {
        helper.leave_out();
    }
    if has_feature("ESCAPE_SUITE") {
        let probe = Program { name: "escape-probe", source: "src/probe/main.rs" };
        if !(linux && probe.for_this_target()) {
            probe.leave_out();
        }
    }
}

/// A program that the library embeds.
struct Program {
    name: &'static str,
    source: &'static str,
}

impl Program {
    /// Linked statically it starts faster and does not depend on the host's libraries; not every machine has a static C
    /// library to link to.
    fn for_this_target(&self) -> bool {
        let target = format!("--target={}", variable("TARGET"));
        let linker = Some(variable("RUSTC_LINKER")).filter(|linker| !linker.is_empty());
        let linker = linker.map(|linker| format!("-Clinker={linker}"));
        let ways: [&[&str]; 2] = [&["-Ctarget-feature=+crt-static"], &[]];
        let built = ways.into_iter().any(|flags| {
            let flags = flags.iter().copied().chain([target.as_str()]).chain(linker.as_deref());
            self.compile(flags)
        });
        if !built {
            println!(
                "cargo::warning={} of the sandbox could not be linked: it will not be available",
                self.name
            );
        }
        built
    }

    /// The linker that comes with Rust, and the C library that comes with the target, need nothing else of the machine.
    fn for_containers(&self, arch: &str) -> bool {
        let target = format!("{arch}-unknown-linux-musl");
        let built = self.compile([format!("--target={target}").as_str(), "-Clinker=rust-lld"]);
        if !built {
            watch_targets(&target);
            println!(
                "cargo::warning=the sandbox's helper for containers was not built: no session will be available in them; \
                 run `rustup target add {target}` and build again"
            );
        }
        built
    }

    /// An empty program: the library compiles, and using it says that there is none.
    fn leave_out(&self) {
        let out = self.out();
        if let Err(error) = fs::write(&out, b"") {
            println!("cargo::error=cannot write {}: {error}", out.display());
        }
    }

    fn out(&self) -> PathBuf {
        PathBuf::from(variable("OUT_DIR")).join(self.name)
    }

    fn compile<'a>(&self, flags: impl IntoIterator<Item = &'a str>) -> bool {
        let mut rustc = rustc();
        rustc
            .args([
                "--crate-name=staso_sandbox_program",
                "--crate-type=bin",
                "--edition=2024",
                "--cap-lints=warn",
            ])
            .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Ccodegen-units=1", "-Cdebuginfo=0"])
            .args(flags)
            .arg("-o")
            .arg(self.out())
            .arg(self.source);
        rustc.status().is_ok_and(|status| status.success())
    }
}

/// Has cargo run this again when a target was added.
fn watch_targets(target: &str) {
    let print = |what: &[&str]| {
        let output = rustc().arg("--print").args(what).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
    };
    // Where Rust was installed by its own installer, this file lists what is there.
    let components = print(&["sysroot"]).map(|root| root.join("lib/rustlib/components"));
    let watched = components.filter(|list| list.is_file());
    let watched = watched.or_else(|| print(&["target-libdir", "--target", target]));
    if let Some(path) = watched.as_deref().map(Path::display) {
        println!("cargo::rerun-if-changed={path}");
    }
}

fn rustc() -> Command {
    Command::new(variable("RUSTC"))
}

fn has_feature(name: &str) -> bool {
    !variable(&format!("CARGO_FEATURE_{name}")).is_empty()
}

#[expect(clippy::disallowed_methods, reason = "cargo tells build scripts everything through the environment")]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
