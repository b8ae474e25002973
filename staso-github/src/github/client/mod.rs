//! HTTP with a GitHub: requests, answers, and what to do when neither comes through.

mod answer;
mod http;
mod request;

pub(crate) use answer::{ApiAnswer, SendError};
pub(crate) use http::Client;
pub(crate) use request::{ApiRequest, Caller, Repeat};
