//! The helper of a session: a program of its own, without dependencies, that the host starts for every session.
//!
//! It has three lives. As a plain child of the host it reads how the session is to be built and makes the
//! namespaces ([`launch`]). As process 1 of the session it builds the root ([`root`]) and serves the host's requests
//! ([`serve`]). As process 1 of a command's own process namespace it starts the program and makes sure that nothing of
//! it is left ([`command`]). Descriptor 0 is the socket to the host; 1 and 2 lead nowhere.
//!
//! Started with an argument it is process 1 of a container instead, where an engine built what is built here otherwise
//! ([`container`]).
#![no_main]

mod changes;
mod command;
mod comparison;
mod container;
mod copy;
mod files;
mod filter;
mod launch;
mod output;
mod root;
mod serve;
mod strays;
mod sys;
mod tree;
#[expect(dead_code, reason = "the host uses the other half")]
mod wire;

use std::ffi::{c_char, c_int};

/// Started by the host only.
#[unsafe(no_mangle)]
pub extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    if count < 2 {
        return launch::launch();
    }
    container::run(sys::first_argument(arguments))
}
