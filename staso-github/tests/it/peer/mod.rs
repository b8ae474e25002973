//! Servers on the loopback interface that tests speak to.

pub(crate) mod script;
