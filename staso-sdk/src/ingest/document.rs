//! Files of traces: any of the known forms, alone, in a list, or one after the other.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use staso_core::run::TracePart;

use super::budget::BodyBudget;
use super::error::read_json;
use super::otlp_json::parse_otlp_json;
use super::staso_json::{WireTrace, parse_staso};
use super::surrogate::read_mended;
use super::wire::Bounded;
use super::{IngestError, IngestLimits, Position};

/// Documents in one list or file.
const MAX_DOCUMENTS: usize = 100_000;

/// The keys that tell the forms apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    traces: Option<IgnoredAny>,
    resource_spans: Option<IgnoredAny>,
    #[serde(rename = "trace_id")]
    trace_id: Option<IgnoredAny>,
}

/// Reads whatever form of traces `bytes` hold: a body of `POST /v1/traces/ingest`, OTLP JSON, a single trace of the
/// staso format, a JSON list of these, or several of them one after the other (JSON lines).
///
/// Nothing is left out: a span that OTLP would refuse alone is an error here.
///
/// # Errors
/// Where the first mistake is, and which.
pub fn parse_any(bytes: &[u8], limits: &IngestLimits) -> Result<Vec<TracePart>, IngestError> {
    if bytes.len() > limits.max_body_bytes {
        return Err(IngestError::TooLarge { what: "the text".to_owned(), limit: limits.max_body_bytes });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut parts = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
    let mut documents = 0_usize;
    while let Some(document) = stream.next() {
        let raw = document.map_err(|error| IngestError::from_json("", &error))?;
        documents += 1;
        if documents > MAX_DOCUMENTS {
            let what = "the number of documents".to_owned();
            return Err(IngestError::TooLarge { what, limit: MAX_DOCUMENTS });
        }
        let end = stream.byte_offset();
        let found = parse_value(raw.get(), limits).map_err(|error| {
            error.within("", Position::of_offset(bytes, end.saturating_sub(raw.get().len())))
        });
        parts.extend(found?);
    }
    if parts.is_empty() { Err(IngestError::Empty) } else { Ok(parts) }
}

fn parse_value(text: &str, limits: &IngestLimits) -> Result<Vec<TracePart>, IngestError> {
    if !text.starts_with('[') {
        return parse_document(text, limits);
    }
    let items: Bounded<&RawValue, MAX_DOCUMENTS> = read_json(text.as_bytes())?;
    let mut parts = Vec::new();
    for (index, item) in items.0.into_iter().enumerate() {
        let offset = item.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let found = parse_document(item.get(), limits).map_err(|error| {
            error.within(&format!("[{index}]"), Position::of_offset(text.as_bytes(), offset))
        });
        parts.extend(found?);
    }
    Ok(parts)
}

fn parse_document(text: &str, limits: &IngestLimits) -> Result<Vec<TracePart>, IngestError> {
    let bytes = text.as_bytes();
    let unrecognised = || IngestError::Unrecognised { position: Position { line: 1, column: 1 } };
    if !text.starts_with('{') {
        return Err(unrecognised());
    }
    let shape: Shape = read_json(bytes)?;
    if shape.traces.is_some() {
        parse_staso(bytes, limits)
    } else if shape.resource_spans.is_some() {
        let otlp = parse_otlp_json(bytes, limits)?;
        match otlp.refused.into_iter().next() {
            Some(refused) => Err(IngestError::invalid(refused.path, refused.reason)),
            None => Ok(otlp.parts),
        }
    } else if shape.trace_id.is_some() {
        read_mended(bytes, |bytes| {
            let trace: WireTrace<'_> = read_json(bytes)?;
            Ok(vec![trace.into_part(bytes, "", limits, &mut BodyBudget::new(limits))?])
        })
    } else {
        Err(unrecognised())
    }
}
