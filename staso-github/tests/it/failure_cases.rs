//! The 60 ways in which GitHub, git or the network fail. The tests that prove what happens then have `case_{number}_` in their
//! names.

use std::fs;
use std::path::Path;

/// Of each, from 1: how many tests it has, what has to happen, and which half no test here can prove, and why.
#[rustfmt::skip]
const CASES: [(usize, &str, &str); 60] = [
    (3, "a clock that is ahead: signed again once with the time of the server, else said so", ""),
    (5, "every form of a key signs; a wrong key is refused and never shown", ""),
    (3, "an app that is not installed: where to install it", ""),
    (2, "a suspended installation: said so, not repeated", ""),
    (4, "a repository that is not selected: not said to be absent", ""),
    (3, "a permission that is not granted: named before the run", ""),
    (5, "a fresh token that is refused: waited for 1, 2 and 3 s", ""),
    (5, "a token that expires during a run: a fresh one for each operation of git, one refused call repeated", ""),
    (4, "a credential that was revoked or is unknown: said so",
        "what GitHub itself answers to a revoked token is taken from its documentation: emulate lets unknown tokens pass"),
    (1, "403: names the permission that GitHub asks for",
        "the header that names the permission is GitHub's alone, and here the test's"),
    (1, "single sign-on: names the page of the organisation",
        "only GitHub has single sign-on; the header is as documented"),
    (2, "the primary limit: waited out within the time of the run, else when to come again",
        "no peer has limits: the headers are as documented"),
    (1, "a secondary limit: stops everything of the account",
        "no peer has limits: the text is as documented"),
    (1, "a limit without a time: a minute, doubled, three times", ""),
    (4, "502, 503, 504: reads repeated, writes read back first", ""),
    (4, "a lost answer after a branch was made: read back", ""),
    (1, "a web page or cut JSON in place of an answer: asked for again when it was a read", ""),
    (3, "a renamed repository: followed with verb and body, its name of today kept", ""),
    (2, "a redirect to another host or to http: no credential, or refused", ""),
    (3, "a transfer to an owner without the app: not installed", ""),
    (2, "an archived repository: known before any work", ""),
    (2, "451 or a deleted repository: gone", ""),
    (1, "an empty repository: said to be empty", ""),
    (1, "a default branch of any name", ""),
    (2, "a commit that the server does not have", ""),
    (3, "a commit that was pushed away: fetched all the same", ""),
    (2, "a server that gives out no commits by id: branches, then the archive", ""),
    (1, "short ids, tags and names in a trace: no commit", ""),
    (5, "a fix that does not fit the newest commit: its files, no pull request", ""),
    (7, "a branch that is there: never moved, ours or the next number", ""),
    (1, "409 of a race: read again, tried once more", ""),
    (2, "a pull request that is there: found, kept or updated", ""),
    (2, "a search that does not know it yet: all open ones are read", ""),
    (3, "no commits between: nothing to propose", ""),
    (1, "no drafts: a normal one with a warning", ""),
    (4, "a rule that refuses: repeated in words, commits by API offered",
        "rules of branches are GitHub's alone: a hook of git says its text, and no rule was ever looked up on a live server"),
    (2, "workflow files: stopped before the push", ""),
    (2, "labels and reviewers that do not work: warnings",
        "owners of code are asked for review by GitHub itself, which no peer does"),
    (1, "a template of pull requests: stays on top", ""),
    (2, "long texts and titles: cut where nothing stays open", ""),
    (2, "mentions, references and closing keywords: without effect; secrets do not leave", ""),
    (2, "too many files or bytes: the limit is named", ""),
    (2, "a binary file: replaced as a whole", ""),
    (2, "a pointer of Git LFS: told, not edited", ""),
    (2, "a submodule: told, not entered", ""),
    (5, "links and executable files: stay so", ""),
    (1, "line ends and marks: kept byte for byte", ""),
    (3, "unusual paths and branches", ""),
    (1, "paths that could escape: refused", ""),
    (1, "truncated listings and large files", ""),
    (4, "pages: followed on the same server only, to an end", ""),
    (2, "a proxy that takes no chunks", ""),
    (7, "credentials: in no output, file, argument or error", ""),
    (1, "hooks, filters and settings of a repository: nothing runs", ""),
    (4, "runs at once: one branch, one pull request",
        "that there is one pull request rests on GitHub's refusal of a second one, which emulate does not do: the refusal is the test's"),
    (4, "cancelled in the middle: nothing, or what was made is known",
        "an open socket on the way to GitHub itself was never cut, only those to git and to the peers"),
    (10, "webhooks: signatures, replays, unknown events, every official payload", ""),
    (2, "an Enterprise Server: its own address, and what it lacks",
        "no Enterprise Server is at hand, and the descriptions of 3.17 to 3.19 do not differ in what is used"),
    (1, "every spelling of an address", ""),
    (2, "a commit of a fork only: used and noted", ""),
];

#[test]
fn every_case_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["src", "tests/it", "../staso-core/src/code"] {
        collect(&root.join(directory), &mut found);
    }
    let wrong = CASES.iter().zip(1..).filter_map(|((count, what, _), number)| {
        let number = format!("case_{number:02}_");
        let tests: Vec<&String> = found.iter().filter(|name| name.contains(&number)).collect();
        (*count == 0 || tests.len() != *count)
            .then(|| format!("{number}, {what}: not {count} tests: {tests:#?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn collect(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The names of tests: functions that an attribute or a second mention, as to `over_all!`, makes one.
fn tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let words: Vec<&str> = text.split(|c: char| c != '_' && !c.is_alphanumeric()).collect();
    let test = |(at, line): (usize, &&str)| {
        let name = line.trim_start_matches("async ").strip_prefix("fn ")?.split(['(', '<']).next()?;
        let attributes = || lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        let is_test = attributes().any(|line| line.contains("test]") || line.contains("test("))
            || words.iter().filter(|word| **word == name).count() > 1;
        let is_ignored = attributes().any(|line| line.contains("ignore"));
        (is_test && !is_ignored).then(|| name.to_owned())
    };
    lines.iter().enumerate().filter_map(test).collect()
}

#[test]
fn what_is_no_test_does_not_count() {
    let source = "#[test]\nfn a() {}\n#[tokio::test(x)]\n  async fn b() {}\nfn c(kind: K) {}\nover_all!(c);\nfn d() {}\n\
                  #[test]\n#[ignore]\nfn e() {}\n// #[test]\nfn f() {}";
    assert_eq!(tests(source), ["a", "b", "c"]);
}
