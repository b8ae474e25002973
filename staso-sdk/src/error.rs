//! Why recording could not start.

use crate::export::EndpointError;

/// Recording could not start as configured. Nothing was installed; the application can go on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting, in code or in the environment, has a value that cannot be used.
    #[error("{name} cannot be used: {reason}")]
    Setting {
        /// The environment variable or builder method.
        name: &'static str,
        /// What is wrong; never repeats the value.
        reason: String,
    },
    /// The address of the ingest service cannot be used.
    #[error("the endpoint cannot be used")]
    Endpoint(#[from] EndpointError),
    /// The key is a placeholder out of an example, or cannot be sent as a header.
    #[error("the api key is not usable: {reason}")]
    ApiKey {
        /// What is wrong; never repeats the key.
        reason: &'static str,
    },
    /// The operating system refused a thread for delivery.
    #[error("starting the delivery thread failed")]
    Thread(#[source] std::io::Error),
}
