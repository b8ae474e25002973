//! The probe of the escape suite: a program of its own, without dependencies, that tries one thing and says precisely
//! what became of it.
//!
//! `probe <verb> [argument…]` makes the attempt with raw system calls and prints one line, `verdict: <word> <detail>`:
//! `done` (the thing worked), `denied <ERRNO>`, `absent <ERRNO>` (what was wanted is not there), `limited <detail>` (it
//! worked up to a bound) or `broken <detail>` (the attempt itself failed, or was refused for a reason that says nothing).
//! Nothing it does harms a machine where it succeeds: the same program is run outside as the positive control.
//!
//! What is expected of whom is not known here: see `escape`.

mod abuse;
mod file;
mod git;
mod kernel;
mod memory;
mod mount;
mod network;
mod privilege;
mod process;
mod stage;
mod sys;
mod traffic;
mod verdict;

use verdict::{Attempt, Failure};

/// A probe that nobody ends, ends itself.
const LONGEST_LIFE_SECONDS: u64 = 60;

type Verb = fn(&[String]) -> Attempt;

/// Every verb by name.
const VERBS: &[&[(&str, Verb)]] = &[
    file::VERBS,
    git::VERBS,
    mount::VERBS,
    process::VERBS,
    privilege::VERBS,
    kernel::VERBS,
    network::VERBS,
    memory::VERBS,
    abuse::VERBS,
    traffic::VERBS,
    stage::VERBS,
];

fn main() {
    sys::end_after(LONGEST_LIFE_SECONDS);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    verdict::tell(&run(&arguments));
}

/// Carries out the verb that the first argument names.
fn run(arguments: &[String]) -> Attempt {
    let (name, rest) = arguments.split_first().ok_or_else(|| Failure::broken("no verb"))?;
    let mut verbs = VERBS.iter().copied().flatten();
    let verb = verbs.find(|(known, _)| known == name).ok_or_else(|| Failure::broken("unknown verb"))?;
    (verb.1)(rest)
}
