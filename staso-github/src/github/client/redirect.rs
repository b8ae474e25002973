//! Where a request goes when the server sends it on.

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};

use crate::address::is_loopback;

/// Redirects of one request.
pub(super) const MAX_REDIRECTS: u8 = 3;

/// The way of one request: where it goes next, how, and whether the credential goes with it.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether the body goes with it.
    pub(super) with_body: bool,
    /// Whether the credential goes with it: not once the request has been to another origin, not even back home.
    pub(super) with_credential: bool,
    home: Url,
    hops: u8,
}

impl Trail {
    /// The first step, at the server that the credential is for.
    pub(super) fn new(url: Url, method: Method) -> Self {
        Self { home: url.clone(), url, method, with_body: true, with_credential: true, hops: 0 }
    }

    /// Whether the server has sent the request on.
    pub(super) const fn moved(&self) -> bool {
        self.hops > 0
    }

    /// Takes the next step when the status says so. Returns whether there is one.
    pub(super) fn follow(&mut self, status: u16, location: Option<&HeaderValue>) -> Result<bool, String> {
        if status == 401 && !self.with_credential {
            return Err("another host wants a credential, and gets none".to_owned());
        }
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        if self.hops == MAX_REDIRECTS {
            return Err(format!("more than {MAX_REDIRECTS} redirects"));
        }
        let location = location.and_then(|value| value.to_str().ok()).ok_or("a redirect to nowhere")?;
        let next = self.url.join(location).map_err(|_| "a redirect to what is no address")?;
        self.allowed(&next)?;
        let foreign = next.origin() != self.home.origin();
        if status == 303 && self.method != Method::HEAD {
            (self.method, self.with_body) = (Method::GET, false);
        }
        if foreign && !matches!(self.method, Method::GET | Method::HEAD) {
            return Err("a change was to be sent to another host".to_owned());
        }
        self.with_credential &= !foreign;
        self.url = next;
        self.hops += 1;
        Ok(true)
    }

    fn allowed(&self, next: &Url) -> Result<(), String> {
        let plain = next.scheme() == "http";
        let loopback = |url: &Url| url.host_str().is_some_and(is_loopback);
        if plain && !(self.home.scheme() == "http" && loopback(&self.home) && loopback(next)) {
            return Err("a redirect to http, where anyone can read".to_owned());
        }
        if !plain && next.scheme() != "https" {
            return Err("a redirect to another protocol".to_owned());
        }
        if !next.username().is_empty() || next.password().is_some() {
            return Err("a redirect to an address with credentials".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(trail: &mut Trail, status: u16, to: &str) -> Result<bool, String> {
        trail.follow(status, Some(&HeaderValue::from_str(to).map_err(|error| error.to_string())?))
    }

    fn trail(method: Method) -> Trail {
        Trail::new(Url::parse("https://api.github.com/repos/acme/support").unwrap(), method)
    }

    #[test]
    fn from_https_there_is_no_way_to_http() {
        for to in ["http://api.github.com/x", "http://127.0.0.1/x", "http://localhost:1/", "//@/", "data:,x"]
        {
            assert!(step(&mut trail(Method::GET), 301, to).is_err(), "{to}");
        }
    }

    #[test]
    fn another_port_or_host_is_another_origin() {
        for (to, kept) in [
            ("https://api.github.com:443/x", true),
            ("/x", true),
            ("https://api.github.com:8443/x", false),
            ("https://codeload.github.com/x", false),
            ("//evil.example/x", false),
            ("https://api.github.com.evil.example/x", false),
        ] {
            let mut trail = trail(Method::GET);
            assert_eq!(step(&mut trail, 302, to), Ok(true), "{to}");
            assert_eq!(trail.with_credential, kept, "{to}");
        }
    }

    proptest! {
        #[test]
        fn no_chain_takes_the_credential_to_another_origin(
            steps in proptest::collection::vec((
                prop::sample::select(vec![200_u16, 301, 302, 303, 304, 307, 308]),
                "(https?:)?(//)?(api\\.github\\.com|evil\\.example|127\\.0\\.0\\.1|a@b)?(:[0-9]{1,5})?[/?@\\\\.a]{0,4}",
            ), 0..8),
            post in any::<bool>(),
        ) {
            let mut trail = trail(if post { Method::POST } else { Method::GET });
            let home = trail.url.origin();
            for (status, to) in steps {
                let before = trail.clone();
                match step(&mut trail, status, &to) {
                    Ok(true) => {}
                    Ok(false) => prop_assert_eq!(&before.url, &trail.url),
                    Err(_) => break,
                }
                prop_assert_eq!(trail.url.scheme(), "https");
                prop_assert!(!trail.with_credential || trail.url.origin() == home);
                prop_assert!(before.with_credential || !trail.with_credential);
                prop_assert!(trail.hops <= MAX_REDIRECTS);
            }
        }
    }
}
