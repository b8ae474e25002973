//! The headers of a delivery.

/// Longest name of an event and longest id of a delivery, in bytes.
const MAX_TOKEN_BYTES: usize = 128;

/// The headers of a delivery that matter, whatever the web server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookHeaders {
    /// `X-GitHub-Event`: the name of the event.
    pub event: Option<String>,
    /// `X-GitHub-Delivery`: the id of the delivery; the same when it is delivered again.
    pub delivery: Option<String>,
    /// `X-Hub-Signature-256`: `sha256=` and 64 hexadecimal digits.
    pub signature_256: Option<String>,
    /// Whether there is an `X-Hub-Signature`, which is made with SHA-1.
    pub has_sha1_signature: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
}

impl WebhookHeaders {
    /// Picks them from all headers, in any case and order. One that occurs twice, is empty, longer than 128 bytes or not
    /// printable ASCII counts as missing.
    ///
    /// Takes the iterator of any common map of headers, such as `http::HeaderMap`.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        const NAMES: [&str; 4] =
            ["x-github-event", "x-github-delivery", "x-hub-signature-256", "content-type"];
        let mut found: [Found; 4] = Default::default();
        let mut has_sha1_signature = false;
        for (name, value) in pairs {
            let name = name.as_ref();
            has_sha1_signature |= name.eq_ignore_ascii_case("x-hub-signature");
            for (slot, _) in
                found.iter_mut().zip(NAMES).filter(|(_, wanted)| name.eq_ignore_ascii_case(wanted))
            {
                slot.add(value.as_ref());
            }
        }
        let [event, delivery, signature_256, content_type] = found.map(Found::only);
        Self { event, delivery, signature_256, has_sha1_signature, content_type }
    }
}

#[derive(Default)]
enum Found {
    #[default]
    Nothing,
    Once(String),
    Unusable,
}

impl Found {
    fn add(&mut self, value: &[u8]) {
        *self = match (&self, printable(value)) {
            (Self::Nothing, Some(text)) => Self::Once(text),
            _ => Self::Unusable,
        };
    }

    fn only(self) -> Option<String> {
        match self {
            Self::Once(text) => Some(text),
            Self::Nothing | Self::Unusable => None,
        }
    }
}

fn printable(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    let usable =
        !text.is_empty() && text.len() <= MAX_TOKEN_BYTES && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    usable.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_two_values_are_none() {
        let headers = WebhookHeaders::from_pairs([
            ("X-GITHUB-EVENT", "push"),
            ("x-github-delivery", " 1 "),
            ("X-Hub-Signature", "sha1=00"),
            ("X-Hub-Signature-256", "sha256=00"),
            ("x-hub-signature-256", "sha256=00"),
        ]);
        assert_eq!(headers.event.as_deref(), Some("push"));
        assert_eq!(headers.delivery.as_deref(), Some("1"));
        assert_eq!((headers.signature_256, headers.has_sha1_signature), (None, true));
    }

    #[test]
    fn what_is_not_printable_or_too_long_is_missing() {
        for bad in [b"".as_slice(), b"a\nb", b"\xff", &[b'a'; 129]] {
            assert_eq!(WebhookHeaders::from_pairs([("x-github-event", bad)]).event, None);
        }
    }
}
