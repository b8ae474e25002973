//! What of the host's tools sessions may read: interpreters that they would lack, and whole toolchains with their
//! downloaded packages by name.

mod cargo;
mod detected;
mod mount;
mod named;
mod node;
mod python;
mod question;
#[cfg(target_os = "linux")]
mod reader;

pub use detected::Toolchains;
pub use mount::ReadOnlyMount;
pub(crate) use named::{Found, Lacking};
pub use named::{HostToolchain, UnknownToolchain};
#[cfg(target_os = "linux")]
pub(crate) use reader::Reader;
