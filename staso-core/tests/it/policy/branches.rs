//! Names of branches: nothing that git could read as anything else, and only those of fixes.

use proptest::prelude::*;
use staso_core::id::BranchName;

#[test]
fn no_name_is_read_as_a_reference_an_option_or_a_path() {
    for bad in [
        "fix/staso-..",
        "fix/staso-1..main",
        "fix/staso-@{-1}",
        "fix/staso-@{upstream}",
        "refs/heads/main",
        "refs/heads/fix/staso-1",
        "--force",
        "-f",
        "--upload-pack=touch x",
        "fix/staso-1 main",
        "fix/staso-1:main",
        "+fix/staso-1",
        "fix/staso-1^",
        "fix/staso-1~2",
        "fix/staso-1*",
        "fix/staso-1?",
        "fix/staso-[1]",
        "fix/staso-1\\x",
        "fix/staso-1\nmain",
        "fix/staso-1\0",
        "fix/staso-\u{7f}",
        "fix/staso-\u{85}x",
        "fix/staso-1.lock",
        "fix.lock/staso-1",
        "fix//staso-1",
        "/fix/staso-1",
        "fix/staso-1/",
        "fix/staso-1.",
        "fix/.staso-1",
        "HEAD",
        "@",
        "",
    ] {
        assert!(BranchName::new(bad).is_err(), "{bad:?}");
    }
    assert!(BranchName::new(format!("fix/staso-{}", "a".repeat(235))).is_err(), "too long");
}

proptest! {
    #[test]
    fn what_is_accepted_is_what_git_accepts(name in "(fix/staso-)?[a-z.@{}/~^:?*\\[\\\\ +-]{0,12}(\\.lock)?") {
        let output = std::process::Command::new("git")
            .args(["check-ref-format", &format!("refs/heads/{name}")])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        if BranchName::new(&name).is_ok() {
            prop_assert!(output.status.success(), "git refuses {:?}", name);
        }
    }
}
