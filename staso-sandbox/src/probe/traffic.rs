//! Output that is too much, or not meant for a terminal.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use crate::Verb;
use crate::verdict::{Attempt, Setup as _, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[("flood", flood), ("bytes", bytes)];

/// Prints bytes: how many.
fn flood(arguments: &[String]) -> Attempt {
    const BLOCK: usize = 256 << 10;
    let mut left: u64 = parse(arguments, 0)?;
    let mut out = File::from(std::io::stdout().as_fd().try_clone_to_owned().setup("take the output")?);
    let block = vec![b'x'; BLOCK];
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        out.write_all(block.get(..part).unwrap_or(&block))?;
        left -= part as u64;
    }
    Ok(String::new())
}

/// Prints every byte and sequences that steer terminals, on both streams.
fn bytes(_: &[String]) -> Attempt {
    let all: Vec<u8> = (0..=255).chain(*b"\x1b]0;title\x07\x1b[2J\x1bP+q544e\x1b\\\x9b31m\n").collect();
    std::io::stdout().write_all(&all)?;
    std::io::stderr().write_all(&all)?;
    Ok(String::new())
}
