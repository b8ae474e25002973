//! A patch from what a session did: only text, and each surprise by its own name.

use staso_core::code::{CodeSnapshot, RepoPath};
use staso_core::fix::{Patch, PatchError};
use staso_core::id::CommitId;
use staso_core::sandbox::SessionChange;

use super::world::{changed, path, snapshot, written};

const FILES: &[(&str, &str)] = &[
    ("app/tools.py", "a = 1\n"),
    ("app/Größe.py", "b = 1\n"),
    ("docs/README.md", "read\n"),
    ("run.sh", "#!/bin/sh\n"),
];

fn refusal(change: (RepoPath, SessionChange)) -> PatchError {
    changed(&snapshot(FILES), [change]).unwrap_err()
}

#[test]
fn changed_and_new_text_files_make_one_patch_and_unchanged_ones_are_left_out() {
    let base = snapshot(FILES);
    let patch = changed(
        &base,
        [
            written("app/tools.py", "a = 2\n"),
            written("app/prices.py", "c = 1\nd = 2"),
            written("docs/README.md", "read\n"),
            written("run.sh", "#!/bin/sh\nexit 0\n"),
        ],
    )
    .unwrap();
    assert_eq!(patch.paths(), ["app/prices.py", "app/tools.py", "run.sh"]);
    assert_eq!(patch.line_counts(), (4, 1));
    let edits = patch.edits();
    let new = edits.first().unwrap();
    assert_eq!((new.before.as_ref(), new.after.as_ref().unwrap().executable), (None, false));
    assert_eq!(edits.get(1).unwrap().before.as_ref(), Some(&base.file(&path("app/tools.py")).unwrap().blob));
    assert!(edits.get(2).unwrap().after.as_ref().unwrap().executable, "the mode stays");
    let flags: Vec<_> = patch.files().map(|(_, file)| (file.is_new(), file.before())).collect();
    assert_eq!(flags, [(true, ""), (false, "a = 1\n"), (false, "#!/bin/sh\n")]);
    assert_eq!(changed(&base, [written("docs/README.md", "read\n")]), Err(PatchError::Empty));
    assert_eq!(changed(&base, []), Err(PatchError::Empty));
}

#[test]
fn each_surprise_has_its_own_name() {
    let mode = |name: &str, executable| {
        (path(name), SessionChange::Written { content: b"x\n".to_vec(), executable })
    };
    let tools = path("app/tools.py");
    assert!(matches!(refusal((tools.clone(), SessionChange::Deleted)), PatchError::Deleted { .. }));
    let link = SessionChange::Symlink { target: b"/etc/passwd".to_vec() };
    assert!(matches!(refusal((tools.clone(), link)), PatchError::Symlink { .. }));
    assert!(matches!(refusal(mode("app/tools.py", true)), PatchError::ModeChanged { .. }));
    assert!(matches!(refusal(mode("run.sh", false)), PatchError::ModeChanged { .. }));
    assert!(matches!(refusal(mode("new.py", true)), PatchError::NewExecutable { .. }));
    for binary in [b"a\0b".as_slice(), b"\xff\xfe", b"\xed\xa0\x80"] {
        assert!(matches!(refusal(written("app/tools.py", binary)), PatchError::NotText { .. }));
    }
    let large = vec![b'x'; Patch::MAX_FILE_BYTES + 1];
    assert!(matches!(refusal(written("app/tools.py", large)), PatchError::TooLarge { .. }));
    let why = "it is a device".to_owned();
    let refused = refusal((tools, SessionChange::Refused { why: why.clone() }));
    assert_eq!(refused, PatchError::Refused { path: path("app/tools.py"), why });
    let many = (0..=Patch::MAX_FILES).map(|number| written(&format!("n{number}.py"), "x"));
    assert!(matches!(changed(&snapshot(FILES), many), Err(PatchError::TooManyFiles { .. })));
}

#[test]
fn a_file_that_was_not_read_cannot_be_changed() {
    let commit = CommitId::new("a".repeat(40)).unwrap();
    let base = CodeSnapshot::new(commit, vec![path("app/large.py")], false);
    let refused = changed(&base, [written("app/large.py", "x\n")]);
    assert_eq!(refused, Err(PatchError::UnknownFile { path: path("app/large.py") }));
}

#[test]
fn a_new_name_that_some_file_system_takes_for_another_is_refused() {
    for (new, existing) in [
        ("app/TOOLS.py", "app/tools.py"),
        ("App/other.py", "app/Größe.py"),
        ("app/Gro\u{308}ße.py", "app/Größe.py"),
        ("app/GRÖSSE.py", "app/Größe.py"),
        ("app/ｔools.py", "app/tools.py"),
        ("docs", "docs/README.md"),
        ("run.sh/x.py", "run.sh"),
        ("DOCS/README.md/x", "docs/README.md"),
    ] {
        match changed(&snapshot(FILES), [(path(new), written("x.py", "x\n").1)]) {
            Ok(_) => panic!("{new} is not refused"),
            Err(PatchError::Collision { existing: found, .. }) => {
                assert_eq!(found.as_str(), existing, "{new}");
            }
            Err(other) => panic!("{new}: {other}"),
        }
    }
    let twice = [written("lib/a.py", "x\n"), written("Lib/b.py", "x\n")];
    assert!(matches!(changed(&snapshot(FILES), twice), Err(PatchError::Collision { .. })));
    let together = [written("lib/a.py", "x\n"), written("lib/b.py", "x\n")];
    assert!(changed(&snapshot(FILES), together).is_ok());
    let both = snapshot(&[("Lib/a.py", "x\n"), ("lib/b.py", "x\n")]);
    assert!(changed(&both, [written("lib/c.py", "x\n")]).is_ok(), "the repository has both directories");
}

#[test]
fn new_names_that_are_unsafe_on_some_system_are_refused() {
    for name in [
        "app/x.py.",
        "app/x.py ",
        "app /x.py",
        "app/x.py::$DATA",
        "GITHUB~1/workflows/ci.yml",
        "gi7eba~1",
        "app/nul.py",
        "COM1",
        "app/to\u{200b}ols.py",
        "app/x\u{202e}yp.exe",
        "app/\u{e0041}x.py",
        "what?.py",
    ] {
        assert!(matches!(refusal(written(name, "x\n")), PatchError::UnsafeName { .. }), "{name:?}");
    }
    for git in [
        ".git/hooks/pre-commit",
        "sub/.GIT/config",
        "GIT~1/config",
        ".git./x",
        ".git::$INDEX_ALLOCATION/x",
        ".git . ./x",
        ".g\u{200c}it/x",
        "a\tb",
        "a\u{7f}b",
        "a\\b",
    ] {
        assert!(RepoPath::new(git).is_err(), "{git:?} is a path");
    }
    for name in ["app/a b.py", "app/größer.py", "app/~x.py", "con_man.py", "app/x~1y.py"] {
        assert!(changed(&snapshot(FILES), [written(name, "x\n")]).is_ok(), "{name:?}");
    }
}

#[test]
fn a_new_file_moves_to_another_commit_unless_another_one_stands_there() {
    let patch =
        changed(&snapshot(FILES), [written("app/new.py", "n = 1\n"), written("app/tools.py", "a = 2\n")])
            .unwrap();
    let there = |extra: &[(&str, &str)]| patch.rebase(&snapshot(&[FILES, extra].concat()));
    assert_eq!(there(&[]).unwrap(), patch);
    assert_eq!(there(&[("app/new.py", "n = 1\n")]).unwrap().paths(), ["app/tools.py"]);
    let other = there(&[("app/new.py", "n = 2\n")]);
    assert_eq!(other, Err(PatchError::Conflict { path: path("app/new.py") }));
    assert!(matches!(there(&[("app/NEW.py", "n = 1\n")]), Err(PatchError::Collision { .. })));
    let all = there(&[("app/new.py", "n = 1\n"), ("app/tools.py", "a = 2\n")]);
    assert!(matches!(all, Err(PatchError::NoChange { .. })));
    let mut binary = CodeSnapshot::new(CommitId::new("b".repeat(40)).unwrap(), Vec::new(), true);
    binary.skip(path("app/new.py"), "not text");
    assert_eq!(patch.rebase(&binary), Err(PatchError::UnknownFile { path: path("app/new.py") }));
    let unread = CodeSnapshot::new(CommitId::new("b".repeat(40)).unwrap(), vec![path("app/new.py")], false);
    assert_eq!(patch.rebase(&unread), Err(PatchError::UnknownFile { path: path("app/new.py") }));
}
