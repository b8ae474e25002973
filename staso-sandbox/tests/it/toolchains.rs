//! Toolchains of the host by name, with their packages and without anyone's credentials.
//!
//! What a host has is what its environment says, so each host here is a process of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use staso_core::sandbox::{ExecOutput, ExecRequest, Sandbox as _, SandboxError, SandboxSession};
use staso_core::sandbox::{SandboxSessionExt as _, SandboxSpec};
use staso_sandbox::{HostToolchain, LocalSandbox, LocalSandboxOptions, ReadOnlyMount};
use tempfile::TempDir;

use crate::host::Host;
use crate::tiers::{ANOTHER_USER, RUNS, again, is_root, own_variable, passed};

const SCENARIO: &str = "STASO_TEST_TOOLCHAIN";
const HOME: &str = "HOME";
const TOKEN: &str = "a-token-of-the-host";
/// Where package managers keep them.
const CREDENTIALS: [&str; 6] =
    [".netrc", ".npmrc", ".pypirc", ".config/pip/pip.conf", ".cargo/credentials.toml", ".cargo/config.toml"];

/// A home directory with credentials, in a place that sessions do not use.
fn home() -> TempDir {
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    for name in CREDENTIALS {
        write(&home.path().join(name), &format!("# {TOKEN}\n"));
    }
    home
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn run(program: &str, arguments: &[&str], home: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(home).env(HOME, home).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Lets everyone read what was made, whatever this process's umask; the home itself stays closed.
fn open_to_all(home: &Path) {
    for entry in fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        run("chmod", &["-R", "a+rX", path.to_str().unwrap()], home);
    }
    fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Runs one scenario in a host of its own.
fn host_with(scenario: &str, home: &Path, variables: &[(&str, &Path)]) {
    host_by(&["/usr/bin/env"], scenario, home, variables);
}

fn host_by(way: &[&str], scenario: &str, home: &Path, variables: &[(&str, &Path)]) {
    let mut all = vec![(SCENARIO, Path::new(scenario)), (HOME, home)];
    all.extend(variables);
    passed(&again(way, "toolchains::a_host_with_toolchains", &all), RUNS);
}

/// The body of such a host; does nothing unless a test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_toolchains() {
    let Some(scenario) = own_variable(SCENARIO) else { return };
    let home = own_variable(HOME).unwrap();
    let host = Host::new();
    match scenario.to_str().unwrap() {
        "virtual environment" => virtual_environment(&host, &home).await,
        "user packages" => user_packages(&host, &home).await,
        "node" => node(&host, &home).await,
        "cargo" => cargo(&host, &home).await,
        "closed file" => refused(&host, HostToolchain::Cargo, "lib.rs", "chmod -R o+rX").await,
        "nothing" => nothing(&host).await,
        other => panic!("there is no scenario {other}"),
    }
}

async fn open(host: &Host, toolchain: HostToolchain) -> Result<Box<dyn SandboxSession>, SandboxError> {
    let options = LocalSandboxOptions::new().with_host_toolchain(toolchain);
    LocalSandbox::with_options(options).open(&host.spec(), &host.ctx).await
}

async fn refused(host: &Host, toolchain: HostToolchain, why: &str, remedy: &str) {
    let error = open(host, toolchain).await.map(|_| ()).unwrap_err();
    let SandboxError::Unavailable { reason, remedy: said, .. } = &error else { panic!("{error}") };
    assert!(reason.contains(&format!("`{toolchain}`")) && reason.contains(why), "{error}");
    assert!(said.contains(remedy), "{error}");
}

async fn shell(host: &Host, session: &dyn SandboxSession, script: &str) -> String {
    let ExecOutput { exit, stdout, stderr, .. } =
        session.run(&ExecRequest::new(["sh", "-c", script]), &host.ctx).await.unwrap();
    assert!(
        exit.success(),
        "{exit:?}\n{}\n{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}

/// Nothing of the home is there but what a toolchain needs, and that cannot be written.
async fn no_credentials(host: &Host, session: &dyn SandboxSession, home: &Path) {
    assert!(fs::read_to_string(home.join(".netrc")).unwrap().contains(TOKEN), "the host has them");
    let found = shell(host, session, &format!("grep -rls {TOKEN} {} || true", home.display())).await;
    assert_eq!(found, "");
    let names = "find / -name '.netrc' -o -name '.npmrc' -o -name 'credentials*.toml' -o -name '.pypirc'";
    assert_eq!(
        shell(host, session, &format!("{names} 2>/dev/null | grep {} || true", home.display())).await,
        ""
    );
    let touched = shell(host, session, &format!("touch {}/x 2>&1 || true", home.display())).await;
    assert!(touched.contains("Read-only"), "{touched}");
}

async fn virtual_environment(host: &Host, home: &Path) {
    let session = open(host, HostToolchain::Python).await.unwrap();
    let program = "import greeting, sys; print(greeting.TEXT, sys.prefix, sys.prefix != sys.base_prefix)";
    let said = shell(host, &*session, &format!("python3 -c '{program}'")).await;
    assert_eq!(said, format!("hello {} True\n", home.join("venv").display()));
    assert_eq!(shell(host, &*session, "greet").await, "hello\n", "its programs are on PATH");
    no_credentials(host, &*session, home).await;
    session.close().await.unwrap();
    write(&home.join("venv/pip.conf"), TOKEN);
    refused(host, HostToolchain::Python, "pip.conf may hold credentials", "move that file").await;
}

async fn user_packages(host: &Host, home: &Path) {
    let session = open(host, HostToolchain::Python).await.unwrap();
    assert_eq!(shell(host, &*session, "python3 -c 'import greeting; print(greeting.TEXT)'").await, "hello\n");
    no_credentials(host, &*session, home).await;
}

async fn node(host: &Host, home: &Path) {
    let project = host.directory.path().join("project");
    for name in ["package.json", "package-lock.json"] {
        write(&project.join(name), &fs::read_to_string(home.join("project").join(name)).unwrap());
    }
    let options = LocalSandboxOptions::new().with_host_toolchain(HostToolchain::Node);
    let session =
        LocalSandbox::with_options(options).open(&SandboxSpec::new(project), &host.ctx).await.unwrap();
    let session = &*session;
    let script = "node -p 'require(\"everywhere\")'";
    assert_eq!(shell(host, session, script).await, "hello\n", "a package for all projects");
    let script = "npm ci >/dev/null 2>/tmp/said || { cat /tmp/said; exit 1; }; node -p 'require(\"cached\")'";
    assert_eq!(shell(host, session, script).await, "from the cache\n");
    no_credentials(host, session, home).await;
}

async fn cargo(host: &Host, home: &Path) {
    let project = host.directory.path().join("project");
    let version = locked_version();
    write(
        &project.join("Cargo.toml"),
        &format!("[package]\nname = \"one\"\nedition = \"2021\"\n[dependencies]\n{CRATE} = \"={version}\"\n"),
    );
    let test =
        "#[test]\nfn depends() { cfg_if::cfg_if! { if #[cfg(unix)] { assert!(true) } else { panic!() } } }\n";
    write(&project.join("src/lib.rs"), test);
    let options = LocalSandboxOptions::new().with_host_toolchain("cargo".parse().unwrap());
    let session =
        LocalSandbox::with_options(options).open(&SandboxSpec::new(project), &host.ctx).await.unwrap();
    let said = shell(host, &*session, "cargo test 2>&1").await;
    assert!(said.contains(&format!("Compiling {CRATE} v{version}")), "{said}");
    assert!(said.contains("depends ... ok"), "{said}");
    no_credentials(host, &*session, home).await;
}

async fn nothing(host: &Host) {
    for toolchain in HostToolchain::ALL {
        refused(host, toolchain, "on the PATH of the host's process", "install ").await;
    }
    let plain = LocalSandbox::new().open(&host.spec(), &host.ctx).await.unwrap();
    assert!(host.run(&*plain, &["true"]).await.exit.success(), "who names none needs none");
}

#[test]
fn packages_of_a_virtual_environment_are_imported() {
    let home = home();
    let venv = home.path().join("venv");
    run("/usr/bin/python3", &["-m", "venv", "--without-pip", "venv"], home.path());
    let version = run(
        "venv/bin/python3",
        &["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
        home.path(),
    );
    write(&venv.join("lib").join(version.trim()).join("site-packages/greeting.py"), "TEXT = 'hello'\n");
    let program = format!("#!{}/bin/python3\nimport greeting; print(greeting.TEXT)\n", venv.display());
    write(&venv.join("bin/greet"), &program);
    run("chmod", &["755", "venv/bin/greet"], home.path());
    open_to_all(home.path());
    let path = PathBuf::from(format!("{}/bin:/usr/bin:/bin", venv.display()));
    host_with("virtual environment", home.path(), &[("PATH", &path)]);
    if is_root() {
        fs::remove_file(venv.join("pip.conf")).unwrap();
        run("chown", &["-R", "12345:12345", "."], home.path());
        host_by(&ANOTHER_USER, "virtual environment", home.path(), &[("PATH", &path)]);
    }
}

#[test]
fn packages_of_the_user_are_imported() {
    let home = home();
    let question = "import site; print(site.getusersitepackages())";
    let packages = run("/usr/bin/python3", &["-c", question], home.path());
    write(&Path::new(packages.trim()).join("greeting.py"), "TEXT = 'hello'\n");
    open_to_all(home.path());
    host_with("user packages", home.path(), &[]);
}

#[test]
fn packages_of_node_are_found_and_installed_from_the_cache() {
    if Command::new("npm").arg("--version").output().is_err() {
        // That a host without it is told so is tested below.
        return;
    }
    let home = home();
    let place = home.path();
    let package = |name: &str| format!("{{\"name\": \"{name}\", \"version\": \"1.0.0\"}}");
    let settings =
        format!("prefix={}\n//registry.example/:_authToken={TOKEN}\n", place.join("global").display());
    write(&place.join(".npmrc"), &settings);
    let everywhere = place.join("global/lib/node_modules/everywhere");
    write(&everywhere.join("package.json"), &package("everywhere"));
    write(&everywhere.join("index.js"), "module.exports = 'hello'\n");
    write(&place.join("cached/package.json"), &package("cached"));
    write(&place.join("cached/index.js"), "module.exports = 'from the cache'\n");
    let packed: serde_json::Value =
        serde_json::from_str(&run("npm", &["pack", "--json", "./cached"], place)).unwrap();
    let integrity = packed[0]["integrity"].as_str().unwrap();
    run("npm", &["cache", "add", "./cached-1.0.0.tgz"], place);
    let project = "\"name\": \"one\", \"version\": \"1.0.0\"";
    let needs = "\"dependencies\": {\"cached\": \"1.0.0\"}";
    write(&place.join("project/package.json"), &format!("{{{project}, {needs}}}"));
    let resolved = "https://registry.npmjs.org/cached/-/cached-1.0.0.tgz";
    let cached =
        format!("{{\"version\": \"1.0.0\", \"resolved\": \"{resolved}\", \"integrity\": \"{integrity}\"}}");
    let lock = format!(
        "{{{project}, \"lockfileVersion\": 3, \"requires\": true, \"packages\": {{\"\": {{{project}, {needs}}}, \
         \"node_modules/cached\": {cached}}}}}"
    );
    write(&place.join("project/package-lock.json"), &lock);
    open_to_all(place);
    host_with("node", place, &[("PATH", &own_variable_quietly("PATH"))]);
}

const CRATE: &str = "cfg-if";

/// The version that this workspace is built with, so that it is in the registry of whoever builds it.
fn locked_version() -> String {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let entry =
        lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{CRATE}\""))).unwrap();
    entry.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap().trim_end_matches('"').to_owned()
}

fn own_variable_quietly(name: &str) -> PathBuf {
    crate::lifecycle::own_variable(name).unwrap()
}

/// A cargo home with one crate of the real one, and credentials.
fn cargo_home(home: &Path) -> PathBuf {
    let real_home = own_variable_quietly(HOME);
    let real = crate::lifecycle::own_variable("CARGO_HOME").unwrap_or_else(|| real_home.join(".cargo"));
    let script = format!(
        "cd {}/registry && find index -name config.json -o -path '*.cache/*/{CRATE}' | xargs cp --parents -t {2} && \
         cp -r --parents -t {2} cache/*/{CRATE}-{1}.crate src/*/{CRATE}-{1}",
        real.display(),
        locked_version(),
        home.join(".cargo/registry").display(),
    );
    fs::create_dir_all(home.join(".cargo/registry")).unwrap();
    run("sh", &["-ec", &script], home);
    home.join(".cargo")
}

/// The variables by which rustup finds the toolchain, and cargo its home.
fn host_with_cargo(scenario: &str, home: &Path, cargo_home: &Path) {
    let path = own_variable_quietly("PATH");
    let rustup = crate::lifecycle::own_variable("RUSTUP_HOME")
        .unwrap_or_else(|| own_variable_quietly(HOME).join(".rustup"));
    host_with(scenario, home, &[("PATH", &path), ("RUSTUP_HOME", &rustup), ("CARGO_HOME", cargo_home)]);
}

#[test]
fn a_cargo_project_with_a_dependency_is_tested_offline() {
    let home = home();
    let cargo_home = cargo_home(home.path());
    open_to_all(home.path());
    host_with_cargo("cargo", home.path(), &cargo_home);
    if is_root() {
        let source = format!("registry/src/*/{CRATE}-{}/src/lib.rs", locked_version());
        run("sh", &["-c", &format!("chmod 640 {}/{source}", cargo_home.display())], home.path());
        host_with_cargo("closed file", home.path(), &cargo_home);
    }
}

#[test]
fn what_the_host_does_not_have_is_an_error_that_says_what_to_do() {
    let home = home();
    host_with("nothing", home.path(), &[("PATH", Path::new("/nowhere"))]);
}

/// A home directory of root is closed to sessions, but not what root chose to show of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_in_a_mount_must_be_open_to_sessions() {
    let host = Host::new();
    let home = home();
    write(&home.path().join("tools/bin/tool"), "#!/bin/sh\necho tool\n");
    run("chmod", &["-R", "755", "tools"], home.path());
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mount = ReadOnlyMount::same_place(home.path().join("tools"));
    let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_toolchain(mount.clone()));
    let session = sandbox.open(&host.spec(), &host.ctx).await.unwrap();
    assert_eq!(host.run(&*session, &["tool"]).await.stdout, b"tool\n");
    assert!(shell(&host, &*session, &format!("ls -a {}", home.path().display())).await.ends_with("tools\n"));
    let weak = staso_core::sandbox::IsolationTier::LandlockOnly;
    let options = LocalSandboxOptions::new().with_toolchain(mount).with_strongest_tier(weak);
    let spec = host.spec().with_min_tier(weak);
    let session = LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap();
    let said = session.isolation().missing.join("\n");
    let closed = format!("{} is closed to user", home.path().display());
    assert_eq!(said.contains(&closed), is_root(), "{said}");
    assert_eq!(fs::metadata(home.path()).unwrap().mode() & 0o777, 0o700);
}

const PROPAGATION: &str = "STASO_TEST_PROPAGATION";

/// The body of a host whose mounts reach others; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_shared_mounts() {
    if own_variable(PROPAGATION).is_none() {
        return;
    }
    let host = Host::new();
    let tools = home();
    fs::create_dir_all(tools.path().join("tools/later")).unwrap();
    open_to_all(tools.path());
    let mount = ReadOnlyMount::same_place(tools.path().join("tools"));
    let later = mount.host.join("later");
    let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_toolchain(mount));
    let session = sandbox.open(&host.spec(), &host.ctx).await.unwrap();
    let checkout = host.fixture.checkout.join("src");
    for place in [&later, &checkout] {
        run("mount", &["-t", "tmpfs", "none", place.to_str().unwrap()], tools.path());
        write(&place.join("canary"), TOKEN);
    }
    let script = format!("ls {} /workspace/src", later.display());
    let seen = shell(&host, &*session, &script).await;
    for place in [&later, &checkout] {
        run("umount", &[place.to_str().unwrap()], tools.path());
    }
    assert!(seen.contains("one.py") && !seen.contains("canary"), "{seen}");
}

#[test]
fn what_the_host_mounts_later_does_not_reach_a_session() {
    if is_root() {
        let way = ["/usr/bin/unshare", "--mount", "--propagation", "shared"];
        passed(&again(&way, "toolchains::a_host_with_shared_mounts", &[(PROPAGATION, Path::new("1"))]), RUNS);
    }
}
