//! How much one request may bring.

/// The most that one request or file may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestLimits {
    /// Size of a body, in bytes, after decompression. Default 64 MiB.
    pub max_body_bytes: usize,
    /// Spans in one trace of a body. Default 10,000; never more than 10,000.
    pub max_spans_per_trace: usize,
    /// Spans in one body. Default 50,000.
    pub max_spans_per_body: usize,
    /// Size of one span of OTLP JSON, in bytes. Larger ones are refused, alone. Default 8 MiB.
    pub max_span_bytes: usize,
    /// Parts of structured attributes in one body: every element of a list and every field of an object counts.
    /// Attributes beyond are kept as text, those of OTLP are refused with their body. Default 500,000.
    pub max_attribute_parts: usize,
    /// Size of one input, output, error message or stack trace, in bytes. Longer ones are cut and marked as
    /// truncated. Default 1 MiB.
    pub max_payload_bytes: usize,
    /// Size of one other attribute, in bytes of text. Longer ones are cut and named in the attribute
    /// `staso.truncated_attributes`. Default 128 KiB, as much as this SDK records.
    pub max_attribute_bytes: usize,
    /// Other attributes of one span. The rest is dropped and counted in `staso.dropped_attributes`. Default 1,000.
    pub max_attributes: usize,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 << 20,
            max_spans_per_trace: 10_000,
            max_spans_per_body: 50_000,
            max_span_bytes: 8 << 20,
            max_attribute_parts: 500_000,
            max_payload_bytes: 1 << 20,
            max_attribute_bytes: 128 << 10,
            max_attributes: 1_000,
        }
    }
}

impl IngestLimits {
    /// Sets the largest body, in bytes.
    #[must_use]
    pub const fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets the largest input, output, error message or stack trace, in bytes.
    #[must_use]
    pub const fn with_max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = bytes;
        self
    }

    /// Sets the most spans of a body.
    #[must_use]
    pub const fn with_max_spans_per_body(mut self, spans: usize) -> Self {
        self.max_spans_per_body = spans;
        self
    }

    /// Sets the most spans of one trace in a body.
    #[must_use]
    pub const fn with_max_spans_per_trace(mut self, spans: usize) -> Self {
        self.max_spans_per_trace = spans;
        self
    }
}
