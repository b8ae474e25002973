//! Integration tests of the SDK, one module a subject.

mod capture_delivery;
mod capture_fixture;
mod capture_policy;
mod capture_process;
mod capture_source;
mod capture_spans;
