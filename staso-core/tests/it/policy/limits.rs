//! Size, and credentials in what leaves.

use staso_core::fix::PathPolicy;
use staso_core::redaction::Redactor;

use super::world::{changed, rule, snapshot, written};

#[test]
fn large_changes_are_refused() {
    let policy = PathPolicy::default();
    assert_eq!(rule(&policy, "a.txt", Some("a\n"), &"x\n".repeat(399)), None);
    assert_eq!(rule(&policy, "a.txt", Some("a\n"), &"x\n".repeat(400)), Some("max-changed-lines"));
    assert_eq!(rule(&policy, "a.txt", None, &"x\n".repeat(401)), Some("max-changed-lines"));
    assert_eq!(rule(&policy, "a.txt", Some("a\n"), &"x ".repeat(35_000)), Some("max-diff-bytes"));
    let many = |count: usize| {
        let patch = changed(&snapshot(&[]), (0..count).map(|n| written(&format!("n{n}.py"), "x\n"))).unwrap();
        policy.check(&patch).err().map(|found| found.rule)
    };
    assert_eq!((many(20), many(21)), (None, Some("max-files")));
}

#[test]
fn credentials_are_not_written_into_a_repository() {
    let policy = PathPolicy::default();
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
    let line = format!("key = '{token}'\n");
    assert_eq!(rule(&policy, "a.py", Some("key = None\n"), &line), Some("secrets-in-diff"));
    assert_eq!(rule(&policy, "a.py", None, &line), Some("secrets-in-diff"));
    assert_eq!(rule(&policy, &format!("{token}.py"), None, "a = 1\n"), Some("secrets-in-diff"));
    let kept = format!("{line}n = 1\n");
    assert_eq!(
        rule(&policy, "a.py", Some(&kept), &kept.replace("n = 1", "n = 2")),
        None,
        "it was there before"
    );
}

#[test]
fn credentials_of_the_host_are_found_in_diffs_and_texts_in_any_form() {
    let redactor = Redactor::default().with_known_secret("DEPLOY", "horse-staple-99");
    let policy = PathPolicy::default();
    for form in [
        "horse-staple-99",
        "99-elpats-esroh",
        "taple-99-",
        "aG9yc2Utc3RhcGxlLTk5",
        "686f7273652d737461706c652d3939",
        "horse%2Dstaple%2D99",
        "h o r s e - s t a p l e - 9 9",
        "hor\u{200b}se-sta\u{2060}ple-99",
    ] {
        let patch = changed(&snapshot(&[]), [written("a.py", format!("x = '{form}'\n"))]).unwrap();
        let refused = policy.check_with(&patch, &redactor).unwrap_err();
        assert_eq!(refused.rule, "secrets-in-diff", "{form}");
        assert!(policy.check(&patch).is_ok(), "{form} is no secret to others");
        let text = PathPolicy::check_text("the title", &format!("Fix {form}"), &redactor).unwrap_err();
        assert_eq!((text.rule, text.reason.contains("horse")), ("secrets-in-text", false));
    }
    let spread = "a = 'horse-'\nb = 'staple-99'\n".replace("'\nb = '", "\n");
    let patch = changed(&snapshot(&[]), [written("a.py", spread)]).unwrap();
    assert!(policy.check_with(&patch, &redactor).is_err(), "spread over lines");
    assert!(PathPolicy::check_text("the body", "Fix the total of an order", &redactor).is_ok());
}
