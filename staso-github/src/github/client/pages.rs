//! Lists that come in pages.

use reqwest::Url;
use reqwest::header::LINK;

use super::link;
use super::{ApiAnswer, ApiRequest};
use crate::address::RemoteAddress;

/// The pages of a list, from the first on.
///
/// The next page is where the `Link` header of an answer says, but only below the same API: a credential goes with the
/// request.
#[derive(Debug)]
pub(crate) struct Pages {
    next: Option<ApiRequest>,
    left: usize,
    cut: bool,
}

impl Pages {
    /// A list, of which at most `max_pages` are asked for.
    pub(crate) const fn new(first: ApiRequest, max_pages: usize) -> Self {
        Self { next: Some(first), left: max_pages, cut: false }
    }

    /// The request for the next page. `None` when there is none, or enough were asked for.
    pub(crate) fn request(&mut self) -> Option<ApiRequest> {
        let request = self.next.clone()?;
        self.cut = self.left == 0;
        self.left = self.left.checked_sub(1)?;
        self.next = None;
        Some(request)
    }

    /// Takes from the answer to `request` where the page after it is.
    pub(crate) fn turn(&mut self, request: &ApiRequest, answer: &ApiAnswer, api: &RemoteAddress) {
        let headers = answer.headers.get_all(LINK).into_iter();
        let mut links = headers.filter_map(|value| value.to_str().ok());
        let Some(target) = links.find_map(|links| link::target(links, "next")) else { return };
        let path = below(api, target);
        self.cut = path.is_none();
        self.next = path.map(|path| ApiRequest { path, query: Vec::new(), ..request.clone() });
    }

    /// Whether there are pages that will not be asked for: too many, or elsewhere than at the API.
    pub(crate) const fn is_cut(&self) -> bool {
        self.cut
    }
}

/// The path and query of an address below the API.
pub(super) fn below(api: &RemoteAddress, address: &str) -> Option<String> {
    let (base, url) = (Url::parse(api.as_str()).ok()?, Url::parse(address).ok()?);
    let plain = url.username().is_empty() && url.password().is_none();
    if url.origin() != base.origin() || !plain {
        return None;
    }
    let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    path.starts_with('/').then(|| format!("{path}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_api_is_a_next_page() {
        let api: RemoteAddress = "https://ghe.acme.com/api/v3".parse().unwrap();
        for (address, expected) in [
            (
                "https://ghe.acme.com/api/v3/repositories/1/issues?page=2",
                Some("/repositories/1/issues?page=2"),
            ),
            ("https://GHE.acme.com:443/api/v3/x", Some("/x")),
            ("https://ghe.acme.com/api/v3/../../login", None),
            ("https://ghe.acme.com/api/v3evil/x", None),
            ("https://ghe.acme.com:8443/api/v3/x", None),
            ("http://ghe.acme.com/api/v3/x", None),
            ("https://ghe.acme.com.evil.com/api/v3/x", None),
            ("https://user:pw@ghe.acme.com/api/v3/x", None),
            ("/api/v3/x", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(below(&api, address).as_deref(), expected, "{address}");
        }
    }
}
