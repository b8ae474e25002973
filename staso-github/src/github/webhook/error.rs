//! Why a delivery is refused.

/// Why a delivery is refused. Messages repeat nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The body is longer than the receiver takes.
    #[error("the body has {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// The length of the body, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// There is no signature.
    #[error("the delivery is not signed; set the webhook's secret in the settings of the app")]
    Unsigned,
    /// There is only the signature with SHA-1, which proves nothing any more.
    #[error("the delivery is signed with SHA-1 alone; let X-Hub-Signature-256 through")]
    Sha1Only,
    /// The signature is not that of the body with any of the secrets.
    #[error("the signature does not fit; compare the secrets, and hand over the body as it came")]
    BadSignature,
    /// A header is missing, empty, too long or given twice.
    #[error("the header {name} is missing or cannot be used")]
    MissingHeader {
        /// The header.
        name: &'static str,
    },
    /// The webhook sends forms.
    #[error("the body is a form; set the webhook's content type to application/json")]
    Form,
    /// The body is not what GitHub documents for the event.
    #[error("the body cannot be read as the event {event}, at line {line}, column {column}")]
    Malformed {
        /// The event that the header names.
        event: String,
        /// Where reading ended, from 1.
        line: usize,
        /// Where reading ended, from 1.
        column: usize,
    },
}

impl WebhookError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            Self::Unsigned | Self::Sha1Only | Self::BadSignature => 401,
            Self::Form => 415,
            Self::MissingHeader { .. } | Self::Malformed { .. } => 400,
        }
    }
}
