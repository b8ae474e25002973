//! Lists that come in pages.

use std::future::Future;

use reqwest::Url;
use reqwest::header::LINK;

use super::link;
use super::{ApiAnswer, ApiRequest};
use crate::address::RemoteAddress;

/// The items of all pages that were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// Whether there are more pages than were fetched: too many, or elsewhere than at the API.
    pub(crate) cut: bool,
}

/// Fetches a list from its first page on, at most `max_pages`. `fetch` sends one request; `items` takes the items out of
/// an answer, or says why it is no page.
///
/// The next page is where the `Link` header says, but only below the same API: a credential goes with the request.
pub(crate) async fn pages<T, E, F>(
    first: ApiRequest,
    api: &RemoteAddress,
    max_pages: usize,
    mut fetch: impl FnMut(ApiRequest) -> F,
    items: impl Fn(&ApiAnswer) -> Result<Vec<T>, E>,
) -> Result<Paged<T>, E>
where
    F: Future<Output = Result<ApiAnswer, E>>,
{
    let mut all = Paged { items: Vec::new(), cut: false };
    let mut next = Some(first);
    for _ in 0..max_pages {
        let Some(request) = next.take() else { break };
        let answer = fetch(request.clone()).await?;
        all.items.extend(items(&answer)?);
        let Some(target) = next_target(&answer) else { return Ok(all) };
        next = below(api, target).map(|path| ApiRequest { path, query: Vec::new(), ..request });
    }
    all.cut = true;
    Ok(all)
}

fn next_target(answer: &ApiAnswer) -> Option<&str> {
    let headers = answer.headers.get_all(LINK).into_iter();
    headers.filter_map(|value| value.to_str().ok()).find_map(|value| link::target(value, "next"))
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
