//! What the doctor says: of this machine, of this machine with something taken away, and of machines that are only files.

use std::path::Path;

use serde_json::Value;
use staso_core::sandbox::{Isolation, IsolationTier, Sandbox as _, SandboxLimits};
use staso_core::testing::test_context;
use staso_examples::doctor::{Advice, Machine, Probe, Report, State, advice, text};
use staso_sandbox::LocalSandbox;

use crate::heal_process::{Ended, doctor_on};

/// A machine that may not make user namespaces.
const WITHOUT_NAMESPACES: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"",
];
/// A machine without control groups.
const WITHOUT_CONTROL_GROUPS: [&str; 5] =
    ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o ro none /sys/fs/cgroup && exec \"$0\" \"$@\""];

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

/// Everything that anything is advised to do.
fn commands(report: &Value) -> String {
    let all = report["advice"].as_array().unwrap().iter();
    all.map(|advice| advice["commands"].to_string()).collect()
}

#[tokio::test]
async fn the_program_says_of_this_machine_what_a_session_shows() {
    let capabilities = LocalSandbox::new().capabilities(&test_context()).await;
    let ended = doctor_on(&[], &["--json"]).await;
    let report = json(&ended);
    let full = &report["probes"][0]["result"];
    let works = capabilities.as_ref().is_ok_and(|found| found.tier == IsolationTier::Full);
    assert_eq!((ended.code, report["ready"].as_bool()), (Some(i32::from(!works)), Some(works)));
    assert_eq!(full["state"], if works { "works" } else { "refused" });
    if let Ok(found) = capabilities {
        assert_eq!(full["isolation"]["missing"], serde_json::json!(found.missing));
        assert_eq!(full["isolation"]["limits"], serde_json::json!(SandboxLimits::default()));
    }
    let weaker = &report["probes"][2]["result"];
    if weaker["state"] == "works" {
        assert_eq!(weaker["isolation"]["tier"], "landlock_only", "no other than the one that was tried");
        assert!(weaker["isolation"]["landlock_abi"].as_u64().is_some_and(|abi| abi > 0));
    }
    let ended = doctor_on(&[], &[]).await;
    for said in [
        "kernel",
        "control groups   version",
        "full           local: ",
        if works { "\nReady" } else { "\nNot ready" },
    ] {
        assert!(ended.stdout.contains(said), "{said}: {}", ended.stdout);
    }
}

#[tokio::test]
async fn a_machine_that_refuses_is_told_the_command_that_mends_it() {
    let ended = doctor_on(&WITHOUT_NAMESPACES, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for said in [
        "local: refused: ",
        "user namespaces  switched off",
        "sudo sysctl -w user.max_user_namespaces=",
        "Not ready",
    ] {
        assert!(ended.stdout.contains(said), "{said}: {}", ended.stdout);
    }
    let ended = doctor_on(&WITHOUT_NAMESPACES, &["--json"]).await;
    let report = json(&ended);
    assert_eq!((ended.code, report["ready"].as_bool()), (Some(1), Some(false)));
    assert_eq!(report["machine"]["max_user_namespaces"], 0);
    assert_eq!(report["probes"][0]["result"]["state"], "refused");
    assert!(commands(&report).contains("user.max_user_namespaces"), "{report}");
}

#[tokio::test]
async fn a_machine_without_control_groups_is_told_how_to_get_them() {
    let ended = doctor_on(&WITHOUT_CONTROL_GROUPS, &["--json"]).await;
    let report = json(&ended);
    assert_eq!(report["machine"]["cgroups"]["delegated"], serde_json::json!([]), "{report}");
    let problems = report["advice"].to_string();
    assert!(problems.contains("control group"), "{report}");
    assert!(commands(&report).contains("cgroup"), "{report}");
}

#[tokio::test]
async fn an_engine_is_tried_when_an_image_is_named() {
    let report = json(&doctor_on(&[], &["--json"]).await);
    let engine = &report["probes"][1];
    assert_eq!((&engine["wanted"], &engine["result"]["state"]), (&"container".into(), &"not_tried".into()));
    let socket = ["--image", "example", "--socket", "/nowhere/engine.sock"];
    let ended = doctor_on(&[], &[&["--json"], &socket[..]].concat()).await;
    let engine = &json(&ended)["probes"][1]["result"];
    assert_eq!(engine["state"], "refused", "{engine}");
    assert!(doctor_on(&[], &socket).await.stdout.contains("container      engine: refused: "));
}

#[tokio::test]
async fn bad_usage_is_said_so() {
    let ended = doctor_on(&[], &["--force"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--force") && ended.stdout.is_empty(), "{ended:?}");
    assert_eq!(doctor_on(&[], &["--help"]).await.code, Some(0));
}

/// A machine of files alone.
fn machine(files: &[(&str, &str)]) -> Machine {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    Machine::read(root.path())
}

fn probed(result: State) -> Vec<Probe> {
    vec![Probe { backend: "local", wanted: IsolationTier::Full, result }]
}

fn refused() -> Vec<Probe> {
    let remedy = Some("use another machine".to_owned());
    probed(State::Refused { reason: "the kernel refused to write uid_map".to_owned(), remedy })
}

fn lacks(what: &str) -> Vec<Probe> {
    let isolation = Isolation::new(IsolationTier::Full, SandboxLimits::default());
    probed(State::Works { isolation: isolation.with_missing(vec![what.to_owned()]) })
}

const USER: (&str, &str) = ("proc/self/status", "Name:\thost\nUid:\t1000\t1000\t1000\t1000\nSeccomp:\t0\n");
const ROOT: (&str, &str) = ("proc/self/status", "Name:\thost\nUid:\t0\t0\t0\t0\nSeccomp:\t2\n");
const KERNEL: (&str, &str) = ("proc/sys/kernel/osrelease", "6.8.0-45-generic\n");

#[test]
fn each_refusal_has_its_own_remedy() {
    let apparmor = ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    let kept_out = ("proc/sys/kernel/unprivileged_userns_clone", "0\n");
    for (files, problem, command) in [
        (vec![USER, KERNEL, apparmor], "AppArmor", "/etc/apparmor.d/staso-host"),
        (vec![USER, KERNEL, apparmor], "AppArmor", "apparmor_restrict_unprivileged_userns=0"),
        (vec![USER, KERNEL, kept_out], "only root", "kernel.unprivileged_userns_clone=1"),
        (vec![USER, ("proc/sys/user/max_user_namespaces", "0\n")], "off", "user.max_user_namespaces=15000"),
        (vec![USER, ("proc/sys/kernel/osrelease", "5.10.0-33-amd64\n")], "5.10", "linux-image"),
        (vec![ROOT, KERNEL, (".dockerenv", "")], "docker", "--security-opt seccomp=unconfined"),
        (vec![ROOT, KERNEL], "system-call filter", "--security-opt seccomp=unconfined"),
        (vec![USER, KERNEL], "uid_map", "# use another machine"),
    ] {
        let found = advice(&machine(&files), &refused());
        let fits = |advice: &Advice| {
            advice.problem.contains(problem) && advice.commands.iter().any(|line| line.contains(command))
        };
        assert!(found.iter().any(fits), "{problem}: {found:?}");
    }
    let quiet_root = ("proc/self/status", "Uid:\t0\t0\t0\t0\nSeccomp:\t0\n");
    let reason = "the kernel refused to drop the supplementary groups: Operation not permitted".to_owned();
    let alone = probed(State::Refused { reason, remedy: None });
    let found = advice(&machine(&[quiet_root, KERNEL, (".dockerenv", "")]), &alone);
    assert!(found.len() == 1 && found[0].problem.contains("without other users"), "{found:?}");
    assert!(found[0].commands[0].contains("--add-subuids"), "{found:?}");
    // What holds for ordinary users only is no reason for root's refusal.
    let quiet = [("proc/self/status", "Uid:\t0\t0\t0\t0\nSeccomp:\t0\n"), KERNEL, apparmor, kept_out];
    let found = advice(&machine(&quiet), &refused());
    assert!(found.iter().all(|advice| advice.problem.contains("uid_map")), "{found:?}");
}

#[test]
fn each_way_of_delegating_control_groups_is_known() {
    let two = ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    let hybrid = (
        "proc/self/mountinfo",
        "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
    );
    let own = ("proc/self/cgroup", "5:memory:/a\n0::/user.slice/app\n");
    let controllers = ("sys/fs/cgroup/user.slice/app/cgroup.controllers", "memory pids\n");
    let of = |files: &[(&str, &str)]| {
        let machine = machine(files);
        let found = advice(&machine, &lacks("memory is not bounded: no writable control group"));
        (machine.cgroups, found[0].commands.join("\n"))
    };
    let (groups, command) = of(&[USER, two, own, controllers]);
    assert_eq!((groups.version, groups.own.as_deref()), (Some("2"), Some("/user.slice/app")));
    assert_eq!(groups.delegated, ["memory", "pids"]);
    assert!(command.contains("systemd-run --user") && command.contains("Delegate=yes"), "{command}");
    let (groups, command) = of(&[USER, hybrid, own]);
    assert_eq!((groups.version, groups.delegated.len()), (Some("1 and 2"), 0));
    assert!(command.contains("/sys/fs/cgroup/$c/staso"), "{command}");
    let (_, command) = of(&[ROOT, two, own, (".dockerenv", "")]);
    assert!(command.contains("docker run --cgroupns=host"), "{command}");
    let (groups, command) = of(&[USER]);
    assert_eq!(groups.version, None);
    assert!(command.contains("mount -t cgroup2"), "{command}");
}

#[test]
fn what_a_containers_filter_refuses_is_not_the_kernels_fault() {
    let lacking = lacks("no Landlock rules behind the mounts");
    let inside = advice(&machine(&[ROOT, KERNEL]), &lacking);
    assert!(
        inside[0].commands[0].contains("seccomp=unconfined") && inside[0].commands.len() == 2,
        "{inside:?}"
    );
    let outside = advice(&machine(&[USER, KERNEL]), &lacking);
    assert_eq!(outside[0].commands.len(), 1);
    let command = &outside[0].commands[0];
    assert!(
        command.starts_with("on=$(cat /sys/kernel/security/lsm) && "),
        "no list is no new list: {command}"
    );
}

#[test]
fn what_is_missing_is_said_and_does_not_make_a_machine_unready() {
    let report = Report::new(machine(&[USER, KERNEL]), lacks("no Landlock in this kernel"));
    assert!(report.ready && report.advice[0].commands[0].contains("lsm=landlock"));
    let shown = text(&report);
    assert!(shown.contains("missing: no Landlock in this kernel") && shown.contains("\nReady"), "{shown}");
    let weaker = Isolation::new(IsolationTier::LandlockOnly, SandboxLimits::default());
    let report = Report::new(machine(&[USER, KERNEL]), probed(State::Works { isolation: weaker }));
    assert!(!report.ready, "the default is full isolation");
}

#[test]
fn a_machine_that_says_nothing_is_no_reason_to_fail() {
    let nothing = Machine::read(Path::new("/nowhere/at/all"));
    assert_eq!((nothing.kernel.as_deref(), nothing.root, nothing.max_user_namespaces), (None, false, None));
    let hostile = machine(&[
        ("proc/sys/kernel/osrelease", "\u{1b}[2J.x\n"),
        ("proc/self/mountinfo", " - \n - cgroup2"),
    ]);
    assert_eq!(hostile.kernel_version(), None);
    let shown = text(&Report::new(hostile, refused()));
    assert!(!shown.contains('\u{1b}'), "a terminal is not told what to do: {shown:?}");
}
