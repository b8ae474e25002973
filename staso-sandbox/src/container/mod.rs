//! [`ContainerSandbox`]: sessions in containers of Docker or Podman.
//!
//! The same agent that is process 1 of a local session is process 1 of the container. It comes in through the
//! container's standard input, is started by a line of shell, and from then on the conversation of `session` runs over
//! the container's standard streams. The checkout comes in the same way, into memory. So nothing of the host is mounted
//! into a container, the engine may be on another machine, and when the host goes, the input ends and the agent with
//! it.

mod checkout;
mod engine;
mod guard;
mod opening;
mod options;
mod output;
mod owner;
mod recipe;
mod refusal;
mod sandbox;

pub use options::ContainerOptions;
pub use sandbox::ContainerSandbox;
