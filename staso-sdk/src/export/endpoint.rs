//! The address of the ingest service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

/// The base address of a Staso service: `https`, or `http` to this machine; without credentials, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    is_loopback: bool,
}

/// An address that a key must not be sent to. Messages never repeat it, because it may hold credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no absolute address.
    #[error("not an absolute http or https address")]
    NotAbsolute,
    /// It is `http` to another machine.
    #[error("https is required for other machines than this one")]
    NotEncrypted,
    /// It holds more than scheme, host, port and path.
    #[error("credentials, query and fragment are not allowed")]
    ExtraParts,
}

impl Endpoint {
    /// The service of staso.ai.
    pub const DEFAULT: &'static str = "https://api.staso.ai";

    /// The address of one call below the base.
    pub(super) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Whether the service is on this machine.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether it needs TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    /// The address, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.base
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if text.contains(['?', '#', '@']) {
            return Err(EndpointError::ExtraParts);
        }
        let uri: Uri = text.parse().map_err(|_| EndpointError::NotAbsolute)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(EndpointError::NotAbsolute)?;
        let is_loopback = is_loopback(host);
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback => {}
            Some("http") => return Err(EndpointError::NotEncrypted),
            _ => return Err(EndpointError::NotAbsolute),
        }
        Ok(Self { base: text.trim_end_matches('/').to_owned(), is_loopback })
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_to_encrypted_or_local_services_only() {
        for good in [
            "https://api.staso.ai/",
            "http://127.0.0.1:8080",
            "http://[::1]:1/base",
            "http://LOCALHOST",
            "http://127.9.9.9",
        ] {
            assert!(good.parse::<Endpoint>().is_ok(), "{good}");
        }
        let cases = [
            ("http://api.staso.ai", EndpointError::NotEncrypted),
            ("http://127.0.0.1.example.org", EndpointError::NotEncrypted),
            ("http://localhost.example.org", EndpointError::NotEncrypted),
            ("https://u:p@api.staso.ai", EndpointError::ExtraParts),
            ("https://api.staso.ai/?a=1", EndpointError::ExtraParts),
            ("https://api.staso.ai/#a", EndpointError::ExtraParts),
            ("ftp://api.staso.ai", EndpointError::NotAbsolute),
            ("api.staso.ai", EndpointError::NotAbsolute),
            ("", EndpointError::NotAbsolute),
            ("https:///x", EndpointError::NotAbsolute),
        ];
        for (bad, why) in cases {
            assert_eq!(bad.parse::<Endpoint>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn the_base_keeps_its_path() {
        let endpoint: Endpoint = "https://gateway.example.org/staso/".parse().unwrap();
        assert_eq!(endpoint.join("/v1/traces/ingest"), "https://gateway.example.org/staso/v1/traces/ingest");
    }
}
