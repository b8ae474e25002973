//! Language models behind the wires of OpenAI, Anthropic and Gemini, or any address that speaks one of them.
//!
//! No model is a configuration like any other: everything that rules can settle works without one.
//!
//! ```
//! # #[cfg(feature = "llm")] {
//! use std::collections::BTreeMap;
//! use staso::models::ModelConfig;
//!
//! // Nothing is set: no model.
//! let mut environment = BTreeMap::new();
//! assert!(ModelConfig::from_environment(&environment)?.is_none());
//!
//! environment.insert("STASO_MODEL".to_owned(), "anthropic/claude-sonnet-4-5".to_owned());
//! environment.insert("ANTHROPIC_API_KEY".to_owned(), "a-key-of-yours".to_owned());
//! let config = ModelConfig::from_environment(&environment)?.ok_or("no model")?;
//! assert_eq!(config.id().as_str(), "anthropic/claude-sonnet-4-5");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What leaves the process
//! The system prompt, the conversation and the descriptions of the tools, to the base address of the provider and to
//! nowhere else; redirects are not followed. [`PreviewModel`] shows a request instead of sending it. A key is sent in
//! one header and appears in no error, log or `Debug`. Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY` …) are
//! used, except for addresses of this machine.

mod base_url;
mod config;
mod environment;
mod error;
mod failure;
mod frames;
mod http;
mod preview;
mod provider;
mod provider_model;
mod question;
mod retry;
mod timeouts;
mod wire;

pub use config::ModelConfig;
pub use error::ModelConfigError;
pub use preview::PreviewModel;
pub use provider::{Delivery, Provider};
pub use provider_model::ProviderModel;
pub use retry::{RetryOptions, RetryingModel};
pub use timeouts::ModelTimeouts;
