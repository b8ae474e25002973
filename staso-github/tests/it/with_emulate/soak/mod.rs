//! Five hundred runs with a fault at a random request, and what a run costs without.
//!
//! `STASO_FAULT_RUNS` says how many, `STASO_FAULT_SEED` where they begin: run `n` has the seed `STASO_FAULT_SEED + n`, so
//! that one run is repeated with its own seed and `STASO_FAULT_RUNS=1`.

mod child;
mod dice;
mod ground;
mod job;
mod leaks;
mod listening;
mod processes;
mod run;
mod trouble;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;

use self::job::Kind;
use self::listening::{Ear, listen};
use self::run::{Runs, Told, in_process, is_killed};
use crate::peer::environment::{say, started};

/// The most requests to the API that one proposal may take: of a new provider, and of one that was used before.
const COLD: usize = 12;
const WARM: usize = 6;

fn number(name: &str, otherwise: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long")]
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

#[derive(Debug, Default)]
struct Figures {
    runs: usize,
    hits: usize,
    secrets: usize,
    troubles: BTreeMap<String, usize>,
    firsts: BTreeMap<String, usize>,
    seconds: BTreeMap<String, usize>,
}

impl Figures {
    fn add(&mut self, told: Told) {
        self.runs += 1;
        self.hits += told.hits;
        self.secrets += told.secrets;
        for name in told.troubles {
            *self.troubles.entry(name).or_default() += 1;
        }
        *self.firsts.entry(told.first).or_default() += 1;
        *self.seconds.entry(format!("{:?}", told.second)).or_default() += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_case_16_case_53_a_fault_anywhere_and_a_retry_make_one_pull_request() {
    if started("STASO_EMULATE_URL").is_none() {
        return;
    }
    listen(Ear::Memory);
    let (count, first) = (number("STASO_FAULT_RUNS", 40), number("STASO_FAULT_SEED", 1_000));
    let (mut runs, mut figures, started) = (Runs::new(), Figures::default(), Instant::now());
    let mut failed = Vec::new();
    for seed in first..first + count {
        match AssertUnwindSafe(runs.run(seed)).catch_unwind().await {
            Ok(told) => figures.add(told),
            Err(_) => {
                say(&format!("the run with seed {seed} failed"));
                failed.push(seed);
            }
        }
    }
    for seed in &failed {
        say(&format!("FAILED: repeat with STASO_FAULT_SEED={seed} STASO_FAULT_RUNS=1 .ci/peers"));
    }
    let killed = (first..first + count).filter(|seed| is_killed(*seed)).count();
    say(&format!(
        "{count} runs from seed {first}, {killed} killed, in {} s: {figures:#?}",
        started.elapsed().as_secs()
    ));
    assert_eq!(failed, Vec::<u64>::new(), "seeds of runs that failed");
    say("RAN: faults at random requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_takes_few_requests() {
    if started("STASO_EMULATE_URL").is_none() {
        return;
    }
    let runs = Runs::new();
    let mut above = Vec::new();
    for (by_api, behind) in [(false, false), (false, true), (true, false), (true, true)] {
        for (warm, most) in [(false, COLD), (true, WARM)] {
            let kind = Kind { by_api, warm, labels: false, big: false, behind };
            let ground = runs.ground(kind, "counted").await;
            let job = ground.job("data", true);
            let (made, cost) = in_process(&ground, &job, 4, || {}).await;
            made.unwrap();
            let name = format!("{kind:?}: {} requests to the API, {} to git", cost.api, cost.git);
            say(&name);
            if cost.api > most {
                let log = ground.api.log();
                let log: Vec<String> = log[log.len() - cost.api..]
                    .iter()
                    .map(|one| format!("{} {}", one.method, one.target))
                    .collect();
                above.push(format!("{name}, more than {most}: {log:#?}"));
            }
        }
    }
    assert!(above.is_empty(), "{}", above.join("\n"));
    say("RAN: requests of a proposal");
}
