//! The figures of the local sandbox, each next to what a user would take instead.
//!
//! ```text
//! cargo bench -p staso-benches --bench sandbox                # all of them
//! cargo bench -p staso-benches --bench sandbox -- open exec   # some of them
//! ```
//!
//! What is compared is measured in turn, so that a machine that does other things slows both. A part that needs a program
//! which is not there says so on its line.

mod close;
mod exec;
mod host;
mod leftovers;
mod many;
mod open;
mod output;
mod resident;

use staso_benches::Failure;

/// A part of the figures: what it is called, and how it is measured.
type Part = (&'static str, fn() -> Result<(), Failure>);

const PARTS: [Part; 6] = [
    ("open", open::measure),
    ("exec", exec::measure),
    ("close", close::measure),
    ("many", many::measure),
    ("output", output::measure),
    ("resident", resident::measure),
];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [resident::ROLE, gibibytes] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return resident::serve(gibibytes.parse()?);
    }
    for (name, measure) in PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            say(&format!("\n{name}"));
            measure()?;
        }
    }
    Ok(())
}

/// Prints a line of the figures.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Prints a figure next to what it is to be.
fn figure(name: &str, value: &str, target: &str) {
    say(&format!("  {name:<58} {value:>14}   {target}"));
}

/// Prints median and 95th percentile.
fn times(times: &staso_benches::Times) {
    let value = format!("{:.2} / {:.2} ms", times.percentile_ms(50), times.percentile_ms(95));
    figure(&format!("{}, p50 / p95", times.name), &value, "");
}
