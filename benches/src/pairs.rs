//! Two ways to do one thing, measured in turn.

use std::time::{Duration, Instant};

/// Measures `ours` against `theirs`, in pairs whose order alternates, so that whatever slows the machine slows both, and
/// prints the medians, in milliseconds, and the median of the ratios of the pairs.
///
/// Both get a fresh input of `prepare`, which is not measured. What they return lives until the end: removing it would
/// slow what follows.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
pub fn pairs<I, O>(
    pairs: usize,
    mut prepare: impl FnMut() -> I,
    (our_name, mut ours): (&str, impl FnMut(I) -> O),
    (their_name, mut theirs): (&str, impl FnMut(I) -> O),
) {
    let mut kept = Vec::new();
    let (mut our_times, mut their_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let first = (pair % 2 == 0).then(|| measure(prepare(), &mut ours, &mut kept));
        let their_time = measure(prepare(), &mut theirs, &mut kept);
        let our_time = first.unwrap_or_else(|| measure(prepare(), &mut ours, &mut kept));
        ratios.push(our_time.as_secs_f64() / their_time.as_secs_f64());
        our_times.push(our_time.as_secs_f64());
        their_times.push(their_time.as_secs_f64());
    }
    let [our_median, their_median, ratio] = [our_times, their_times, ratios].map(median);
    println!("{our_name:<40} {:>10.2} ms", 1e3 * our_median);
    println!("{their_name:<40} {:>10.2} ms", 1e3 * their_median);
    println!("{:<40} {ratio:>10.2}", format!("{our_name} / {their_name}, {pairs} pairs"));
}

fn measure<I, O>(input: I, work: &mut impl FnMut(I) -> O, kept: &mut Vec<O>) -> Duration {
    let start = Instant::now();
    let made = work(input);
    let took = start.elapsed();
    kept.push(made);
    took
}

/// The middle value; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
