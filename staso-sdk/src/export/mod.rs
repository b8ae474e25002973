//! Delivering recorded spans: a bounded queue and a thread for each exporter, and exact counts of what became of every
//! span.
//!
//! Nothing here needs an async runtime. What is recorded comes from [`capture`](crate::capture).

mod endpoint;
mod exporter;
mod http;
mod options;
mod pipeline;
mod queue;
mod receipt;
mod recorder;
mod report;
mod store;
mod wire;

pub use endpoint::{Endpoint, EndpointError};
pub use exporter::{ExportError, Exporter, SpanExporter};
pub use options::ExportOptions;
pub use report::{DeliveryReport, FailureKind};

pub(crate) use http::HttpExporter;
pub(crate) use pipeline::{Packing, Pipeline};
pub(crate) use recorder::Recorder;
