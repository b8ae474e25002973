//! How often a request is repeated, and after how long.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Repetitions of one request, and waits for a rate limit.
pub(super) const MAX_RETRIES: u32 = 3;
const LONGEST: Duration = Duration::from_secs(30);
/// The shortest wait for a limit, whatever the server says.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
/// The longest: GitHub's own limits are over within an hour, and nobody else may silence an installation for years.
const LONGEST_LIMIT: Duration = Duration::from_hours(24);
/// The pause that GitHub asks for when it gives none.
const UNSAID_LIMIT: Duration = Duration::from_secs(60);

/// What one request has been through.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failures: u32,
    limits: u32,
}

impl Tries {
    /// The pause before the next repetition, not shorter than what the server asks for; `None` when there were enough.
    pub(super) fn after_failure(&mut self, first: Duration, said: Option<Duration>) -> Option<Duration> {
        let pause = first.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        let said = said.unwrap_or_default().min(LONGEST_LIMIT);
        self.failures += 1;
        (self.failures <= MAX_RETRIES).then(|| said.max(pause + pause.mul_f64(random() / 2.0)))
    }

    /// How long a rate limit is waited out, `said` being what the server asks for, and whether it is waited out at all.
    pub(super) fn after_limit(&mut self, said: Option<Duration>) -> (Duration, bool) {
        let unsaid = UNSAID_LIMIT.saturating_mul(2_u32.saturating_pow(self.limits));
        self.limits += 1;
        (said.map_or(unsaid, |said| said.clamp(SHORTEST_LIMIT, LONGEST_LIMIT)), self.limits <= MAX_RETRIES)
    }
}

/// At least 0, at most 1. Different in each process and call, which is all that a crowd of clients needs.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_a_random_part_and_end_after_three() {
        let mut tries = Tries::default();
        for low in [1, 2, 4] {
            let low = Duration::from_secs(low);
            let pause = tries.after_failure(Duration::from_secs(1), None).unwrap();
            assert!(pause >= low && pause <= low.mul_f64(1.5), "{pause:?}");
        }
        assert_eq!(tries.after_failure(Duration::from_secs(1), None), None);
        let mut tries = Tries::default();
        assert!(tries.after_failure(Duration::from_secs(3_600), None).unwrap() <= LONGEST.mul_f64(1.5));
    }

    #[test]
    fn a_limit_is_never_met_again_at_once() {
        let mut tries = Tries::default();
        assert_eq!(tries.after_limit(Some(Duration::ZERO)), (SHORTEST_LIMIT, true));
        assert_eq!(tries.after_limit(None), (2 * UNSAID_LIMIT, true));
        assert_eq!(tries.after_limit(Some(Duration::MAX)), (LONGEST_LIMIT, true));
        assert_eq!(tries.after_limit(Some(UNSAID_LIMIT)), (UNSAID_LIMIT, false));
    }

    #[test]
    fn random_parts_differ() {
        let all: Vec<f64> = std::iter::repeat_with(random).take(20).collect();
        assert!(all.iter().all(|part| (0.0..=1.0).contains(part)));
        assert!(all.iter().any(|part| Some(part) != all.first()));
    }
}
