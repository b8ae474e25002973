//! Taking in traces: wire formats, normalisation and the HTTP endpoint.
//!
//! [`parse_staso`] reads the bodies that the staso SDKs send, [`parse_otlp_json`] reads OTLP JSON, and [`parse_any`]
//! finds out which of them a file holds. All bring every span into the one form of [`staso_core::trace`]. Keeping
//! traces is the work of [`store`](crate::store).

mod attributes;
mod budget;
mod compact;
mod document;
mod draft;
mod error;
mod fields;
mod limits;
mod marks;
mod otlp_json;
mod otlp_value;
#[cfg(feature = "server")]
mod server;
mod source;
mod staso_json;
mod surrogate;
mod wire;

pub use document::parse_any;
pub use error::{IngestError, Position};
pub use limits::IngestLimits;
pub use otlp_json::{OtlpParts, RefusedSpan, parse_otlp_json};
#[cfg(feature = "server")]
pub use server::{IngestAuth, IngestState, router, serve};
pub use staso_json::parse_staso;
