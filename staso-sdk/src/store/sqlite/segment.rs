//! How one part of a trace is kept: JSON text with a version.

use serde::{Deserialize, Serialize};
use staso_core::id::{ConversationId, TraceId};
use staso_core::run::TracePart;
use staso_core::trace::{SourceRevision, Span};

use super::error::Failure;

/// Version of [`Segment`] as it is written.
const SEGMENT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Segment<'p> {
    schema_version: u32,
    conversation_id: Option<&'p ConversationId>,
    environment: Option<&'p str>,
    source: &'p SourceRevision,
    spans: &'p [Span],
}

#[derive(Deserialize)]
struct OwnedSegment {
    schema_version: u32,
    conversation_id: Option<ConversationId>,
    environment: Option<String>,
    source: SourceRevision,
    spans: Vec<Span>,
}

pub(super) fn encode(part: &TracePart) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Segment {
        schema_version: SEGMENT_VERSION,
        conversation_id: part.conversation_id.as_ref(),
        environment: part.environment.as_deref(),
        source: &part.source,
        spans: &part.spans,
    })
}

pub(super) fn decode(trace_id: TraceId, body: &[u8]) -> Result<TracePart, Failure> {
    let invalid = |reason| Failure::Invalid { what: "stored trace", reason };
    let segment: OwnedSegment = serde_json::from_slice(body).map_err(|error| {
        let place = (error.line(), error.column());
        invalid(format!("a segment of {trace_id} cannot be read at line {}, column {}", place.0, place.1))
    })?;
    if segment.schema_version != SEGMENT_VERSION {
        let version = segment.schema_version;
        return Err(invalid(format!("a segment of {trace_id} has the unknown version {version}")));
    }
    let OwnedSegment { conversation_id, environment, source, spans, .. } = segment;
    Ok(TracePart { trace_id, conversation_id, environment, source, spans })
}
