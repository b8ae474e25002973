//! Repositories to measure on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// Makes a repository with `files` files of about `bytes` bytes in ten directories, in one commit, whose id it gives. There
/// is an empty commit below it.
///
/// # Errors
/// When git or the disk is not content.
pub fn repository(directory: &Path, files: usize, bytes: usize) -> Result<String, Failure> {
    git(directory, &["init", "-q", "-b", "main"])?;
    git(directory, &["commit", "-q", "--allow-empty", "-m", "first"])?;
    for number in 0..files {
        let path = directory.join(format!("src/d{}/file_{number}.py", number % 10));
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        fs::write(path, text(number, bytes))?;
    }
    git(directory, &["add", "-A"])?;
    git(directory, &["commit", "-qm", "all"])?;
    git(directory, &["rev-parse", "HEAD"])
}

/// Lines that do not compress to nothing.
fn text(number: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 80);
    let mut state = number as u64 + 1;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("def function_{state:x}():\n    return {}\n", state >> 33));
    }
    text
}

/// Runs git without the settings of this machine; gives what it printed.
///
/// # Errors
/// When it cannot be started or is not content.
pub fn git(directory: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
