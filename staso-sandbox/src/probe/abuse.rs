//! Processes and processor: taking more than is due.

use std::thread;
use std::time::Duration;

use crate::Verb;
use crate::sys::{self, end};
use crate::verdict::{Attempt, Failure, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[("forks", forks), ("threads", threads), ("busy", busy)];

const FOR_EVER: Duration = Duration::from_secs(3600);

/// Starts processes until there are no more, and ends them: count.
fn forks(arguments: &[String]) -> Attempt {
    let wanted: usize = parse(arguments, 0)?;
    let mut children = Vec::new();
    let mut bound = None;
    while children.len() < wanted && bound.is_none() {
        match sys::fork(0) {
            Ok(0) => {
                thread::sleep(FOR_EVER);
                sys::exit(0);
            }
            Ok(pid) => children.push(pid),
            Err(errno) => bound = Some(format!("{} processes, then {}", children.len(), errno.name())),
        }
    }
    end(&children);
    bound.map_or_else(|| Ok(format!("{wanted} processes")), |bound| Err(Failure::Limited(bound)))
}

/// Starts threads until there are no more: count.
fn threads(arguments: &[String]) -> Attempt {
    const STACK_BYTES: usize = 16 << 10;
    let wanted: usize = parse(arguments, 0)?;
    for at in 0..wanted {
        let started = thread::Builder::new().stack_size(STACK_BYTES).spawn(|| thread::sleep(FOR_EVER));
        if started.is_err() {
            return Err(Failure::Limited(format!("{at} threads")));
        }
    }
    Ok(format!("{wanted} threads"))
}

/// Uses the processor until it is ended.
fn busy(_: &[String]) -> Attempt {
    let mut number = 1u64;
    while number != 0 {
        number = std::hint::black_box(number.wrapping_mul(3) | 1);
    }
    Ok(String::new())
}
