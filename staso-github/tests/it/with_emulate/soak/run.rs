//! One run: an attempt with faults, or one that is killed, then one without, which has to end well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use staso_core::vcs::{Proposal, ProposalAction, VcsError};

use super::child;
use super::dice::Dice;
use super::ground::{EARLIER, Ground, Template};
use super::job::{Job, Kind, described};
use super::leaks::Leaks;
use super::listening::heard;
use super::processes::{gits_of, kill_gits_of, no_gits_of};
use super::trouble::Trouble;
use crate::peer::clock::jumping_context;
use crate::peer::fault::{Gate, Passed};

/// What an attempt costs that nothing disturbs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) api: usize,
    pub(super) git: usize,
    pub(super) time: Duration,
}

/// What one run met.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) troubles: Vec<String>,
    /// Requests that met one.
    pub(super) hits: usize,
    /// How the first attempt ended.
    pub(super) first: String,
    /// What the second attempt did.
    pub(super) second: ProposalAction,
    pub(super) secrets: usize,
}

/// Seeds of runs that are killed: one in five.
pub(super) const fn is_killed(seed: u64) -> bool {
    seed % 5 == 4
}

/// Runs, and what is known of them.
pub(super) struct Runs {
    template: Template,
    costs: BTreeMap<Kind, Cost>,
}

impl Runs {
    pub(super) fn new() -> Self {
        Self { template: Template::new(), costs: BTreeMap::new() }
    }

    pub(super) async fn ground(&self, kind: Kind, key: &str) -> Ground {
        Ground::new(&self.template, kind, key).await.expect("emulate was there a moment ago")
    }

    /// What an attempt of this kind costs, measured once.
    pub(super) async fn cost(&mut self, kind: Kind) -> Cost {
        if let Some(cost) = self.costs.get(&kind) {
            return *cost;
        }
        let ground = self.ground(kind, "undisturbed").await;
        let (job, started) = (ground.job("data", true), Instant::now());
        let (result, cost) = in_process(&ground, &job, 1, || {}).await;
        let made = result.unwrap();
        ground.settled().await;
        ground.check_made(&job, &made).await;
        assert_eq!(made.action, ProposalAction::Created);
        let cost = Cost { time: started.elapsed(), ..cost };
        self.costs.insert(kind, cost);
        cost
    }

    /// Panics when anything is not as it must be.
    pub(super) async fn run(&mut self, seed: u64) -> Told {
        let mut dice = Dice::new(seed);
        let mut kind = Kind::random(seed % 2 == 1, &mut dice);
        if is_killed(seed) {
            kind.warm = false;
        }
        let cost = self.cost(kind).await;
        let ground = self.ground(kind, &format!("k{seed}")).await;
        drop(heard());
        let job = ground.job("data", dice.once_in(2));
        let (troubles, first) = if is_killed(seed) {
            killed(&ground, &job, cost, &mut dice).await
        } else {
            disturbed(&ground, &job, cost, &mut dice).await
        };
        let hits = |log: Vec<Passed>| log.iter().filter(|one| one.fault.is_some()).count();
        let hits = hits(ground.api.log()) + hits(ground.git.log());
        let (name, mut said) = described_first(&first);
        ground.api.clear();
        ground.git.clear();
        // Every other killed attempt leaves a push behind that nobody waits for.
        if !is_killed(seed) || dice.once_in(2) {
            no_gits_of(ground.root()).await;
            ground.settled().await;
            ground.check().await;
        }
        let fresh = if dice.once_in(2) { "data" } else { "another" };
        let again = Job { data: ground.root().join(fresh), ..job };
        let key = ground.emulate.app_key.clone();
        let second = again.run(&again.provider(&key), &jumping_context(seed ^ 1 << 40)).await;
        said.push_str(&described(&second).1);
        let second = second.unwrap_or_else(|error| panic!("the second attempt, after {name}: {error:?}"));
        no_gits_of(ground.root()).await;
        ground.settled().await;
        ground.check_made(&again, &second).await;
        if let First::Ended(Ok(first)) = &first {
            assert_eq!((&first.head, &first.url, &first.branch), (&second.head, &second.url, &second.branch));
        }
        let leaks = Leaks::of(ground.secrets(), &key);
        leaks.assert_none_in("what attempts said", &said);
        leaks.assert_none_in("what is traced", &heard());
        leaks.assert_none_below(ground.root());
        leaks.assert_none_below(ground.bare());
        let troubles = troubles.into_iter().map(|trouble| trouble.name).collect();
        Told { troubles, hits, first: name, second: second.action, secrets: leaks.count() }
    }
}

/// How a first attempt ended.
enum First {
    Ended(Result<Proposal, VcsError>),
    Killed(child::Killed),
}

fn described_first(first: &First) -> (String, String) {
    match first {
        First::Ended(result) => described(result),
        First::Killed(killed) => (killed.when.clone(), killed.said.clone()),
    }
}

/// One attempt in this process, with what its requests cost. `ready` is called when a warm provider is warm.
pub(super) async fn in_process(
    ground: &Ground,
    job: &Job,
    run: u64,
    ready: impl FnOnce(),
) -> (Result<Proposal, VcsError>, Cost) {
    let key = ground.emulate.app_key.clone();
    let provider = job.provider(&key);
    if job.kind.warm {
        let earlier = job.another(EARLIER).run(&provider, &jumping_context(run ^ 1 << 41)).await;
        earlier.expect("an attempt that nothing disturbs");
    }
    let (api, git) = ground.requests();
    ready();
    let started = Instant::now();
    let result = job.run(&provider, &jumping_context(run)).await;
    let (api_after, git_after) = ground.requests();
    let cost = Cost { api: api_after - api, git: git_after - git, time: started.elapsed() };
    (result, cost)
}

async fn disturbed(ground: &Ground, job: &Job, cost: Cost, dice: &mut Dice) -> (Vec<Trouble>, First) {
    let count = if dice.once_in(3) { 2 } else { 1 };
    let troubles: Vec<Trouble> = (0..count).map(|_| Trouble::random(dice, cost.api, cost.git)).collect();
    let seed = u64::try_from(dice.roll(1 << 30)).unwrap();
    let inject = || {
        for trouble in &troubles {
            let proxy = if trouble.to_git { &ground.git } else { &ground.api };
            proxy.inject(trouble.plan.clone());
        }
    };
    let (result, _) = in_process(ground, job, seed, inject).await;
    (troubles, First::Ended(result))
}

async fn killed(ground: &Ground, job: &Job, cost: Cost, dice: &mut Dice) -> (Vec<Trouble>, First) {
    let gate = Gate::new();
    let mut troubles = Vec::new();
    let moment = if dice.once_in(2) {
        let trouble = Trouble::standstill(dice, cost.api, cost.git, &gate);
        let proxy = if trouble.to_git { &ground.git } else { &ground.api };
        proxy.inject(trouble.plan.clone());
        troubles.push(trouble);
        child::Moment::At(gate.clone())
    } else {
        child::Moment::After(cost.time * u32::try_from(dice.roll(1_100)).unwrap() / 1_000)
    };
    let killed = child::kill(ground.root(), job, moment).await;
    if dice.once_in(2) {
        kill_gits_of(ground.root());
    }
    gate.release();
    let left = gits_of(ground.root()).len();
    let when = if left > 0 { format!("{}, git at work", killed.when) } else { killed.when };
    (troubles, First::Killed(child::Killed { when, ..killed }))
}
