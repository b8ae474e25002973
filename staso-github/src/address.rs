//! Where a remote repository or a forge is reached.

use std::fmt;
use std::str::FromStr;

/// The address that git or HTTP requests go to: `https://host/path`, `http://` on the loopback interface alone, or
/// `file:///path`. It holds no credentials, query or fragment, and ends without a slash.
///
/// A [`RepositoryUrl`](staso_core::trace::RepositoryUrl) names a repository; this says how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteAddress(String);

/// The text is no address that requests may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address that can be used: {reason}; expected https://host/path, or file:///path")]
pub struct RemoteAddressError {
    reason: &'static str,
}

impl RemoteAddress {
    /// Longest accepted address, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port, e.g. `https://github.com`; for a local path `file://`.
    #[must_use]
    pub fn origin(&self) -> &str {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0.get(start..).and_then(|rest| rest.find('/')).map_or(self.0.len(), |at| start + at);
        self.0.get(..end).unwrap_or(&self.0)
    }

    /// `https`, `http` or `file`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split("://").next().unwrap_or_default()
    }

    /// Whether requests stay on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.scheme() == "file" || self.origin().split_once("://").is_some_and(|(_, host)| is_loopback(host))
    }

    /// The address of something below this one. `path` is appended as it is, after a slash.
    ///
    /// # Errors
    /// When the result is no address.
    pub fn join(&self, path: &str) -> Result<Self, RemoteAddressError> {
        format!("{}/{path}", self.0).parse()
    }
}

impl FromStr for RemoteAddress {
    type Err = RemoteAddressError;

    fn from_str(text: &str) -> Result<Self, RemoteAddressError> {
        let fail = |reason| Err(RemoteAddressError { reason });
        let text = text.trim().trim_end_matches('/');
        if text.len() > Self::MAX_BYTES {
            return fail("it is longer than 2048 bytes");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) && !text.starts_with("file://") {
            return fail("it holds a space or control character");
        }
        if text.chars().any(char::is_control) {
            return fail("it holds a control character");
        }
        let Some((scheme, rest)) = text.split_once("://") else { return fail("it has no scheme") };
        if scheme == "file" {
            return if rest.starts_with('/') {
                Ok(Self(text.to_owned()))
            } else {
                fail("its path is relative")
            };
        }
        if rest.contains(['?', '#']) {
            return fail("it has a query or fragment");
        }
        let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
        if host.contains('@') {
            return fail("it holds credentials, which are configured apart from it");
        }
        if host.is_empty() || host.starts_with(['-', ':']) {
            return fail("it has no host");
        }
        if !is_host(host) {
            return fail("its host is no name with an optional port");
        }
        if path.is_some_and(|path| {
            path.split('/').any(|part| part.is_empty() || part == ".." || part.starts_with('-'))
        }) {
            return fail("its path has an empty part, `..` or a part that begins with a dash");
        }
        let mut host = host.to_ascii_lowercase();
        match scheme {
            "https" => host.truncate(host.strip_suffix(":443").unwrap_or(&host).len()),
            "http" if is_loopback(&host) => {}
            "http" => return fail("http is for the loopback interface alone"),
            _ => return fail("its scheme is neither https nor file"),
        }
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}{path}")))
    }
}

/// A name or number, with or without a port. Programs disagree about what any other character means, and so about where
/// credentials go.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((number, port)) if number.parse::<std::net::Ipv6Addr>().is_ok() => {
            (None, port.strip_prefix(':'))
        }
        _ => host.split_once(':').map_or((Some(host), None), |(name, port)| (Some(name), Some(port))),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    name.is_none_or(|name| !name.is_empty() && name.bytes().all(plain)) && port.is_none_or(is_port)
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name == "::1"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (text, expected) in [
            ("https://GitHub.com/acme/Support/", "https://github.com/acme/Support"),
            ("https://ghe.acme.com:443/api/v3", "https://ghe.acme.com/api/v3"),
            ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("file:///srv/a b/", "file:///srv/a b"),
        ] {
            assert_eq!(text.parse::<RemoteAddress>().unwrap().as_str(), expected);
        }
        let address: RemoteAddress = "https://ghe.acme.com:8443/api/v3".parse().unwrap();
        assert_eq!(address.origin(), "https://ghe.acme.com:8443");
        assert_eq!(address.join("app").unwrap().as_str(), "https://ghe.acme.com:8443/api/v3/app");
    }

    #[test]
    fn what_is_unsafe_is_refused() {
        for bad in [
            "",
            "acme/support",
            "http://github.com/a",
            "http://localhost.evil.com/a",
            "http://127.0.0.1.evil.com/",
            "https://user:pw@host/a",
            "https://host/a?b",
            "https://host/../a",
            "https:///a",
            "https://-oProxyCommand=x/a",
            "https://host/-x",
            "ext::sh -c id",
            "ssh://host/a",
            "https://evil.com\\.github.com/a",
            "https://github.com%2eevil.com/a",
            "https://gïthub.com/a",
            "https://host:99999/a",
            "https://host:+1/a",
            "https://[::1/a",
            "https://[x]:1/a",
            "file://relative",
            "https://host/a\nb",
        ] {
            assert!(bad.parse::<RemoteAddress>().is_err(), "{bad}");
        }
    }
}
