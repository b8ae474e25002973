//! Reading what is on the host: files, environments, the store, the caches, through every tool.

use serde_json::json;
use staso_core::agent::ToolCall;
use staso_core::testing::tool_call;

use super::attack::{Attack, bash, list_files, read_file, search_code};
use super::host::tree;
use super::stage::Stage;

/// Runs named calls as investigator and as fixer, and returns what each gave.
async fn tried(stage: &Stage, name: &str, calls: Vec<(String, ToolCall)>) -> Vec<(String, String)> {
    let (names, calls): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let attack = Attack::new(name).investigating(calls.clone()).fixing(calls);
    let aftermath = stage.suffer(attack).await;
    aftermath.assert_mended();
    let outputs = aftermath.outputs();
    assert!(outputs.len() > 2 * names.len(), "{name}: {} outputs for {} calls", outputs.len(), names.len());
    names.into_iter().zip(outputs).collect()
}

/// Texts that the host can read and no session may: without them a test of reading would show nothing.
fn within_reach(paths: &[String]) {
    for path in paths {
        assert!(std::fs::read(path).is_ok_and(|content| !content.is_empty()), "{path} is not there");
    }
}

fn places(stage: &Stage) -> Vec<String> {
    let mut places = vec![
        stage.host.token(),
        stage.data().join("staso.db").display().to_string(),
        stage.data().join("git/canary").display().to_string(),
        stage.bystanders.other().join("secret.py").display().to_string(),
        "/proc/self/environ".to_owned(),
        format!("/proc/{}/environ", stage.host.neighbour()),
    ];
    places.extend(stage.host.home().map(|home| home.join("credentials").display().to_string()));
    within_reach(&places);
    places.extend(["/proc/1/environ", "/etc/shadow", "~/.ssh/id_ed25519", "~/.gitconfig"].map(str::to_owned));
    places
}

fn is_denied(output: &str) -> bool {
    ["\"denied\"", "\"bad_args\"", "\"no_match\""].iter().any(|code| output.contains(code))
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_name_a_place_on_the_host_are_refused() {
    let stage = Stage::new().await.with_turns(20);
    let mut calls = Vec::new();
    for place in places(&stage) {
        for path in [place.clone(), format!("../../../../../../..{place}"), format!("shop.py/../..{place}")] {
            calls.push((format!("read_file {path}"), read_file(&path)));
        }
        calls.push((format!("search_code {place}"), search_code(&place)));
    }
    for path in ["/", "..", "../..", "/proc/1/root", "/etc", ".git", "sub/../../.."] {
        calls.push((format!("list_files {path}"), list_files(path)));
    }
    assert!(calls.len() <= 80, "they fit the turns");
    for (call, output) in tried(&stage, "a place on the host is named", calls).await {
        assert!(is_denied(&output), "{call} gave {output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_find_nothing_of_the_host() {
    let stage = Stage::new().await.with_turns(20);
    let mut calls = Vec::new();
    for place in places(&stage) {
        let command = format!("cat {place}; base64 {place}; od -c {place} | rev; ls -la {place}");
        calls.push((format!("cat {place}"), bash(command)));
    }
    let outside = stage.host.outside().display().to_string();
    let other = stage.bystanders.other().display().to_string();
    for (name, command) in [
        ("every environment", "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'".to_owned()),
        ("every root", "for p in /proc/[0-9]*; do ls -la $p/root/ $p/cwd/ $p/fd/; done".to_owned()),
        ("hard link", format!("ln {outside}/token hard; ln /etc/shadow hard; cat hard")),
        ("search", "timeout 8 grep -rIl canary- / --exclude-dir=proc --exclude-dir=sys | head".to_owned()),
        (
            "mount",
            "mount --bind / /mnt; unshare -Ur cat /etc/shadow; chroot /proc/1/root cat /etc/shadow"
                .to_owned(),
        ),
        (
            "disk",
            "cat /dev/mem /dev/sda /dev/vda | head -c 100; debugfs -R 'cat /etc/shadow' /dev/vda".to_owned(),
        ),
        ("clone", format!("git clone file://{other} x; git -C {other} show; cat x/secret.py")),
        ("su", "su -c 'cat /etc/shadow'; sudo -n cat /etc/shadow".to_owned()),
        (
            "ptrace",
            "python3 -c 'import os; print(os.listdir(\"/proc\")); os.kill(-1, 0)'; kill -9 -1".to_owned(),
        ),
    ] {
        calls.push((name.to_owned(), bash(command)));
    }
    let outputs = tried(&stage, "commands that read the host", calls).await;
    let environment = std::fs::read("/proc/self/environ").unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let shared = ["PATH=", "HOME=", "LANG=", "TMPDIR=", "PWD=", "SHLVL=", "OLDPWD=", "_=", "LC_ALL="];
    let ours: Vec<&str> = environment
        .split('\0')
        .filter(|variable| variable.len() > 12 && !shared.iter().any(|name| variable.starts_with(name)))
        .collect();
    assert!(!ours.is_empty(), "the environment holds something to look for");
    let shadow = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    for (call, output) in outputs {
        let variable = ours.iter().find(|variable| output.contains(**variable));
        assert_eq!(variable, None, "{call} gave a variable of the host");
        let line = shadow.lines().find(|line| line.len() > 10 && output.contains(line));
        assert_eq!(line, None, "{call} gave a line of /etc/shadow");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_commands_make_lead_nowhere() {
    let stage = Stage::new().await.with_turns(20);
    let token = stage.host.token();
    let make = format!(
        "ln -s {token} link; ln -s / rootdir; ln -s /proc/self procdir; ln -s ../../.. up; mkfifo pipe; \
         ln -s /dev/zero endless; mkdir d; ln -s {token} d/link; ln -sf {token} settings.py"
    );
    let mut calls = vec![("make".to_owned(), bash(make))];
    for path in [
        "link",
        "rootdir/etc/shadow",
        "rootdir/proc/1/environ",
        "procdir/environ",
        "up/outside/token",
        "pipe",
        "endless",
        "d/link",
        "settings.py",
    ] {
        calls.push((format!("read_file {path}"), read_file(path)));
        calls.push((format!("search_code {path}"), search_code(path)));
    }
    for path in ["link", "rootdir", "rootdir/etc", "procdir", "up", "d"] {
        calls.push((format!("list_files {path}"), list_files(path)));
    }
    calls.push(("all".to_owned(), tool_call("search_code", &json!({"pattern": "canary-|root:"}))));
    // The link over a file of the repository has to go, or the honest change cannot be submitted.
    calls.push(("undo".to_owned(), bash("rm -rf link rootdir procdir up pipe endless d settings.py")));
    let (names, calls): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    let attack = Attack::new("links").investigating(calls.clone()).fixing(calls);
    let aftermath = stage.suffer(attack).await;
    aftermath.assert_nothing_published();
    let outputs = aftermath.outputs();
    assert!(outputs.len() > 2 * names.len());
    for (name, output) in names.iter().zip(&outputs).filter(|(name, _)| name.starts_with("read_file")) {
        assert!(is_denied(output), "{name} gave {output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_reach_no_shell() {
    let stage = Stage::new().await.with_turns(20);
    let token = stage.host.token();
    let outside = stage.host.outside().display().to_string();
    let before = tree(stage.project.directory().join("outside").as_path());
    let mut calls = Vec::new();
    for name in [
        format!("shop.py; cat {token}"),
        format!("$(cat {token})"),
        format!("`touch {outside}/made`"),
        format!("shop.py | tee {outside}/made"),
        format!("shop.py\n{token}"),
        "shop.py\u{0}.txt".to_owned(),
        "--help".to_owned(),
        "-rf".to_owned(),
        "~root".to_owned(),
        format!("file://{token}"),
        "%2e%2e/%2e%2e/outside/token".to_owned(),
        "..\\..\\outside\\token".to_owned(),
        "a".repeat(5_000),
    ] {
        calls.push((format!("read_file {name}"), read_file(&name)));
        calls.push((format!("list_files {name}"), list_files(&name)));
        let globbed = tool_call("search_code", &json!({"pattern": name, "glob": name}));
        calls.push((format!("search_code {name}"), globbed));
    }
    for (call, output) in tried(&stage, "names with the signs of a shell", calls).await {
        let nothing = output.contains("no match in") || output.contains("no file");
        assert!(is_denied(&output) || nothing || output.contains("0 "), "{call} gave {output}");
    }
    assert_eq!(tree(stage.project.directory().join("outside").as_path()), before);
}
