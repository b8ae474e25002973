//! Several ways to do one thing, measured in turn.

use std::time::Duration;

/// The times of one way.
#[derive(Debug, Clone)]
pub struct Times {
    /// What was measured.
    pub name: String,
    /// One for each round, in their order.
    times: Vec<Duration>,
}

/// A way to do something: does it once and gives the time that counts.
pub type Way<'a> = (&'a str, &'a mut dyn FnMut() -> Result<Duration, Failure>);

/// Why a way could not be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures every way once a round. Each round begins with another way, so that whatever slows the machine slows all of
/// them, and none profits from its place. One round before counts for nothing.
///
/// # Errors
/// The first failure of a way.
pub fn turns(rounds: usize, mut ways: Vec<Way<'_>>) -> Result<Vec<Times>, Failure> {
    let mut found: Vec<_> =
        ways.iter().map(|(name, _)| Times { name: (*name).to_owned(), times: Vec::new() }).collect();
    for round in 0..=rounds {
        for place in 0..ways.len() {
            let at = (round + place) % ways.len();
            if let (Some((_, work)), Some(found)) = (ways.get_mut(at), found.get_mut(at)) {
                let took = work()?;
                found.times.extend((round > 0).then_some(took));
            }
        }
    }
    Ok(found)
}

impl Times {
    /// The time that `percent` of the rounds did not exceed, in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        percentile(self.times.iter().map(|time| 1e3 * time.as_secs_f64()).collect(), percent)
    }

    /// The median over the rounds of this time by `other`'s of the same round.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let rounds = self.times.iter().zip(&other.times);
        percentile(rounds.map(|(own, other)| own.as_secs_f64() / other.as_secs_f64()).collect(), 50)
    }

    /// The median over the rounds of this time without `other`'s of the same round, in milliseconds.
    #[must_use]
    pub fn beyond_ms(&self, other: &Self) -> f64 {
        let rounds = self.times.iter().zip(&other.times);
        percentile(rounds.map(|(own, other)| 1e3 * (own.as_secs_f64() - other.as_secs_f64())).collect(), 50)
    }
}

/// The smallest value that `percent` of all values do not exceed; 0 of none.
fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
