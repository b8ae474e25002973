//! Data about people, only on request.

use staso_core::redaction::{Redactor, redact};

#[test]
fn people_are_taken_out_on_request_only() {
    let redactor = Redactor::default().with_personal_data();
    for (text, clean) in [
        ("mail ada.l+x@mail.example.org.", "mail [email]."),
        ("card 4111 1111 1111 1111, 5500-0000-0000-0004", "card [card], [card]"),
        ("378282246310005", "[card]"),
        ("on 2026-11-22 4111111111111111", "on 2026-11-22 [card]"),
        ("DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432", "[iban] and [iban]"),
        ("call +49 (151) 1234-5678!", "call [phone]!"),
        ("+14155552671", "[phone]"),
    ] {
        assert_eq!(redactor.clean(text), clean);
        assert_eq!(redact(text), text, "default off");
    }
    for text in [
        "4111 1111 1111 1112",
        "0000000000000000",
        "1700000000000000000 ns, order 4000123412341234567890",
        "GB82WEST12345698765431",
        "git@github.com:acme/x.git @decorator a@b",
        "x+12345678, +1234567, +0123456789",
        "v1.4111111111111111",
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
    ] {
        assert_eq!(redactor.clean(text), text);
    }
}
