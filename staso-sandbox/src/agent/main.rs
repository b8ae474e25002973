//! The helper of a session: a program of its own, without dependencies, that the host starts for every session.
//!
//! It has three lives. As a plain child of the host it reads how the session is to be built and makes the
//! namespaces ([`launch`]). As process 1 of the session it builds the root ([`root`]) and serves the host's requests
//! ([`serve`]). As a keeper it starts the program of a command and makes sure that nothing of it is left ([`keeper`]).
//! Where there are no namespaces, the first two lives are simpler ([`beside`]). Descriptor 0 is the socket to the host; 1
//! and 2 lead nowhere.
//!
//! Started with an argument it is process 1 of a container instead, where an engine built what is built here otherwise
//! ([`container`]).
#![no_main]

mod attributes;
mod beside;
mod changes;
mod command;
mod comparison;
mod container;
mod copy;
mod disk;
mod files;
mod filter;
mod jail;
mod keeper;
mod launch;
mod output;
mod received;
mod root;
mod rules;
mod running;
mod serve;
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
