//! Two ways to do one thing, measured in turn.

use std::time::{Duration, Instant};

use crate::turns::{Failure, turns};

/// Measures `ours` against `theirs` by [`turns`], and prints the medians, in milliseconds, and the median of the ratios of
/// the rounds.
///
/// Both get a fresh input of `prepare`, which is not measured. What they return lives until the end: removing it would
/// slow what follows.
///
/// # Errors
/// The first failure of any of the three.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
pub fn pairs<I, A, B>(
    rounds: usize,
    prepare: impl Fn() -> Result<I, Failure>,
    (our_name, ours): (&str, impl Fn(I) -> Result<A, Failure>),
    (their_name, theirs): (&str, impl Fn(I) -> Result<B, Failure>),
) -> Result<(), Failure> {
    let (mut our_left, mut their_left) = (Vec::new(), Vec::new());
    let mut ours = || measure(prepare()?, &ours, &mut our_left);
    let mut theirs = || measure(prepare()?, &theirs, &mut their_left);
    let found = turns(rounds, vec![(our_name, &mut ours), (their_name, &mut theirs)])?;
    for times in &found {
        println!("{:<40} {:>10.2} ms", times.name, times.percentile_ms(50));
    }
    if let [ours, theirs] = found.as_slice() {
        let what = format!("{our_name} / {their_name}, {rounds} pairs");
        println!("{what:<40} {:>10.2}", ours.ratio_to(theirs));
    }
    Ok(())
}

fn measure<I, O>(
    input: I,
    work: impl Fn(I) -> Result<O, Failure>,
    left: &mut Vec<O>,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    let made = work(input)?;
    let took = start.elapsed();
    left.push(made);
    Ok(took)
}
