//! git itself takes the diffs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use staso_core::fix::Patch;

use super::world::{changed, snapshot, written};

fn directory(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("git-apply").join(name);
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    fs::create_dir_all(&root).unwrap();
    root
}

/// Lets git apply the diff of a change to the files before, and holds what stands there against the files after.
fn applies(root: &Path, before: &[(&str, &str)], after: &[(&str, &str)]) -> Patch {
    for (name, text) in before {
        let at = root.join(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }
    let patch = changed(&snapshot(before), after.iter().map(|(name, text)| written(name, text))).unwrap();
    let diff = root.join("change.diff");
    fs::write(&diff, patch.diff()).unwrap();
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(&diff)
        .current_dir(root)
        .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{problem}\n{}", patch.diff());
    for (name, text) in after {
        assert_eq!(&fs::read_to_string(root.join(name)).unwrap(), text, "{name}");
    }
    patch
}

#[test]
fn several_changed_and_new_files_with_odd_names_and_line_ends() {
    let before = [
        ("app/tools.py", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"),
        ("app/a b.py", "x = 1"),
        ("app/ä\"q.py", "x\r\ny\r\n"),
        ("app/cr.py", "one\rtwo\nthree\r"),
        ("app/empty.py", ""),
        ("run.sh", "#!/bin/sh\n"),
    ];
    let after = [
        ("app/tools.py", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine"),
        ("app/a b.py", "x = 2\n"),
        ("app/ä\"q.py", "x\r\nz\r\n"),
        ("app/cr.py", "one\rtwo!\nthree\r\n"),
        ("app/empty.py", "no longer\n"),
        ("run.sh", "#!/bin/sh\nexit 0\n"),
        ("new/größe.py", "n = 1\nm = 2\n"),
        ("new/no end.py", "n = 1"),
        ("new/__init__.py", ""),
    ];
    let patch = applies(&directory("several"), &before, &after);
    for part in [
        "diff --git a/new/__init__.py b/new/__init__.py\nnew file mode 100644\ndiff --git ",
        "diff --git a/new/no end.py b/new/no end.py\nnew file mode 100644\n--- /dev/null\n+++ b/new/no end.py\n\
         @@ -0,0 +1 @@\n+n = 1\n\\ No newline at end of file\n",
        "new file mode 100644\n--- /dev/null\n+++ \"b/new/gr\\303\\266\\303\\237e.py\"\n@@ -0,0 +1,2 @@\n+n = 1\n+m = 2\n",
    ] {
        assert!(patch.diff().contains(part), "{part}\n{}", patch.diff());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_lines_are(
        before in "([ab\\-+@ \\\\]{0,3}(\n|\r\n|\r)){0,12}[ab]{0,2}",
        after in "([ab\\-+@ \\\\]{0,3}(\n|\r\n|\r)){0,12}[ab]{0,2}",
        new in "([ab\\-+@ ]{0,3}\n){0,4}[ab]{0,2}",
    ) {
        let same = before == after;
        let root = directory("any");
        let files = [("a.txt", after.as_str()), ("sub/new.txt", new.as_str())];
        let patch = applies(&root, &[("a.txt", &before)], files.get(usize::from(same)..).unwrap());
        prop_assert_eq!(patch.files().count(), 2 - usize::from(same));
    }
}
