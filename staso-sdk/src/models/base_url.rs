//! The address of a model's provider.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The address below which a provider answers: `https`, or `http` to this machine; without credentials, query and
/// fragment. `Debug` shows the host alone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BaseUrl {
    url: Url,
    is_loopback: bool,
}

impl BaseUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(text.trim()).map_err(|_| "it is no absolute http or https address")?;
        let host = url.host_str().ok_or("it is no absolute http or https address")?;
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_loopback =
            address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err("https is required for other machines than this one"),
            _ => return Err("it is no absolute http or https address"),
        }
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if has_credentials || url.query().is_some() || url.fragment().is_some() {
            return Err("credentials, query and fragment are not allowed in it");
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { url, is_loopback })
    }

    /// The address of one call.
    pub(super) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Whether the provider is on this machine.
    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether both are the same machine and port.
    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", self.url.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;

    #[test]
    fn only_encrypted_or_local_addresses() {
        for good in
            ["https://api.example.com/v1", "http://127.0.0.1:4000", "http://[::1]:8/v1/", "http://localhost"]
        {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "ftp://localhost",
            "file:///etc/passwd",
            "https://user:password@example.com",
            "https://example.com/?key=1",
            "https://example.com/#part",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn calls_stand_below_the_base() {
        let joined = |base: &str| BaseUrl::parse(base).map(|base| base.join("chat/completions"));
        assert_eq!(joined("https://a.example/v1").as_deref(), Ok("https://a.example/v1/chat/completions"));
        assert_eq!(joined("https://a.example/v1//").as_deref(), Ok("https://a.example/v1/chat/completions"));
        assert_eq!(joined("https://a.example").as_deref(), Ok("https://a.example/chat/completions"));
    }
}
