//! How long things take beside the git program, in the same run. The figures go to standard error.

use std::io::Write as _;
use std::time::{Duration, Instant};

use staso_core::testing::test_context;
use staso_core::vcs::VcsProvider as _;

use crate::fixture::{GitFixture, commit_id, write};

const FILES: usize = 500;
const ROUNDS: usize = 5;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_kept_checkout_costs_less_than_a_new_one() {
    let fixture = GitFixture::new();
    for number in 0..FILES {
        let text = format!("value_{number} = {number}\n").repeat(100);
        write(
            &fixture.repository,
            &format!("src/package_{}/module_{number}.py", number % 20),
            text.as_bytes(),
        );
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "many files"]);
    fixture.git(&["gc", "-q"]);
    let commit = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    let reference = fixture.reference();
    let (mut cold, mut kept, mut propose, mut worktree) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let provider = staso_github::LocalGit::new(fixture.root().join(format!("data{round}")));
        let start = Instant::now();
        let checkout = provider.checkout(&reference, &commit, &test_context()).await.unwrap();
        cold.push(start.elapsed());
        let start = Instant::now();
        let again = provider.checkout(&reference, &commit, &test_context()).await.unwrap();
        kept.push(start.elapsed());
        assert_eq!(checkout.path, again.path);
        let start = Instant::now();
        fixture.propose(&provider, &format!("speed{round}"), &[("app/tools.py", "fixed\n")]).await.unwrap();
        propose.push(start.elapsed());
        let directory = fixture.root().join(format!("worktree{round}"));
        let start = Instant::now();
        fixture.git(&["worktree", "add", "-q", "--detach", &directory.to_string_lossy(), commit.as_str()]);
        worktree.push(start.elapsed());
    }
    let (cold, kept) = (median(cold), median(kept));
    let mut figures = std::io::stderr();
    writeln!(
        figures,
        "{FILES} files, median of {ROUNDS}: checkout cold {cold:?}, kept {kept:?}; propose {:?}; git worktree add {:?}",
        median(propose),
        median(worktree)
    )
    .unwrap();
    assert!(kept < cold, "kept {kept:?}, cold {cold:?}");
}
