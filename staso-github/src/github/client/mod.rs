//! HTTP with a GitHub: requests, answers, and what to do when neither comes through.

mod answer;
mod cache;
mod date;
mod exchange;
mod http;
mod limit;
mod link;
mod options;
mod pages;
mod queue;
mod redirect;
mod request;
mod retry;
mod statistics;
mod status;
#[cfg(test)]
mod tests;
mod verdict;
mod wait;

pub(crate) use answer::{ApiAnswer, SendError};
pub(crate) use http::Client;
pub use options::ClientOptions;
pub(crate) use pages::Pages;
pub(crate) use request::{ApiRequest, Caller, Repeat};
pub use statistics::ApiStatistics;
pub(crate) use status::{clean, message, refusal};
pub(crate) use wait::pause;
