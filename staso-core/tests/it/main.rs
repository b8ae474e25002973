//! Integration tests of the core, through its public API.

#[cfg(feature = "template-repair")]
mod template;
#[cfg(feature = "template-repair")]
mod template_limits;
