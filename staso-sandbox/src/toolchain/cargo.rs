//! A Rust toolchain with cargo's registry.

use std::env;
use std::path::PathBuf;

use super::named::{Found, Lacking, place, text};
use super::question::ask;

/// The packages and what is known of them; what else is in `CARGO_HOME` may hold credentials.
const REGISTRY: [&str; 3] = ["index", "cache", "src"];

pub(super) fn find() -> Result<Found, Lacking> {
    let sysroot = ask("rustc", &["--print", "sysroot"]).as_deref().and_then(place);
    let sysroot = sysroot.filter(|sysroot| sysroot.join("bin/cargo").is_file()).ok_or_else(|| Lacking {
        reason: "`rustc` on the PATH of the host's process has no toolchain with cargo".to_owned(),
        remedy: "install Rust with cargo, and put it on the PATH of the host's process".to_owned(),
    })?;
    let mut found = Found::default();
    found.install(&sysroot)?;
    let home = home().and_then(|home| home.canonicalize().ok());
    if let Some(home) = home.filter(|home| home.join("registry/index").is_dir()) {
        for part in REGISTRY {
            if let Some(part) = home.join("registry").join(part).to_str().and_then(place) {
                found.show(&part)?;
            }
        }
        found.set("CARGO_HOME", text(&home)?);
    }
    found.set("CARGO_NET_OFFLINE", "true");
    Ok(found)
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo finds its packages by this variable, and tells them to nobody"
)]
fn home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}
