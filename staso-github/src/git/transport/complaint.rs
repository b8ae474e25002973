//! What git and servers complain about: made readable, free of credentials, and sorted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use staso_core::id::CommitId;
use staso_core::redaction::{Redactor, visible};

use super::TransportError;
use crate::credentials::GitCredentials;

/// Characters of one complaint in an error.
const REASON_CHARS: usize = 2_000;
/// What a server says stands behind this.
const SERVER: &str = "remote: ";

/// Takes one call's credentials out of texts.
#[derive(Debug, Clone)]
pub(crate) struct Scrubber {
    redactor: Redactor,
    /// Passwords that are too short for a redactor.
    short: Option<GitCredentials>,
}

impl Scrubber {
    pub(crate) fn new(credentials: Option<&GitCredentials>, redactor: &Redactor) -> Self {
        let mut redactor = redactor.clone();
        let mut short = None;
        if let Some(credentials) = credentials {
            let password = credentials.password.expose_secret();
            let pair = STANDARD.encode(format!("{}:{password}", credentials.username));
            redactor = redactor.with_known_secret("git", password).with_known_secret("git header", pair);
            short = Some(credentials)
                .filter(|_| (1..Redactor::MIN_SECRET_BYTES).contains(&password.len()))
                .cloned();
        }
        Self { redactor, short }
    }

    /// The text without credentials and invisible characters, cut.
    pub(crate) fn readable(&self, text: &str) -> String {
        let text = text.trim();
        let start = text.char_indices().rev().nth(REASON_CHARS).map_or(0, |(at, _)| at);
        // Cutting first could leave a part of a credential that is not recognised.
        let mut clean = self.redactor.clean(&visible(text));
        if let Some(short) = &self.short {
            clean = clean.replace(short.password.expose_secret(), "[secret]");
        }
        if start > 0 {
            let end = clean.char_indices().rev().nth(REASON_CHARS).map_or(0, |(at, _)| at);
            clean = format!("… {}", clean.get(end..).unwrap_or_default());
        }
        clean
            .split(['\n', '\t'])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// What git printed on its error stream. Shows nothing until it is scrubbed.
pub(crate) struct Complaint {
    raw: String,
    authenticated: bool,
    scrubber: Scrubber,
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Complaint").field(&self.reason()).finish()
    }
}

impl Complaint {
    pub(crate) const fn new(raw: String, authenticated: bool, scrubber: Scrubber) -> Self {
        Self { raw, authenticated, scrubber }
    }

    /// All of it, readable.
    pub(crate) fn reason(&self) -> String {
        self.scrubber.readable(&self.raw)
    }

    /// What the server said, readable: the rule that refuses a push, or why someone may not.
    pub(crate) fn of_server(&self) -> String {
        let lines: Vec<&str> =
            self.raw.split(['\n', '\r']).filter_map(|line| line.strip_prefix(SERVER)).collect();
        self.scrubber.readable(&lines.join("\n"))
    }

    /// A text of the server, readable.
    pub(crate) fn readable(&self, text: &str) -> String {
        self.scrubber.readable(text)
    }

    /// The failure that git's own words mean. What a server prints has no say in it, but for the one line with which it
    /// ends the conversation.
    pub(crate) fn failure(&self) -> TransportError {
        let own: Vec<&str> =
            self.raw.split(['\n', '\r']).filter(|line| !line.starts_with(SERVER.trim_end())).collect();
        let says = |words: &[&str]| own.iter().any(|line| words.iter().any(|word| line.contains(word)));
        if let Some(status) = own.iter().find_map(|line| status(line)) {
            return self.of_status(status);
        }
        if let Some(commit) = own.iter().find_map(|line| after(line, "not our ref ")) {
            return TransportError::UnknownCommit { commit };
        }
        let reason = self.reason();
        if says(&["attempting to allocate"]) {
            let what = "an object of the repository, which git takes into memory as a whole,".to_owned();
            TransportError::TooLarge { what, limit: "640 MiB".to_owned() }
        } else if says(&["Server does not allow request for unadvertised object"]) {
            TransportError::ShaWantsRefused
        } else if says(&["could not read Username", "could not read Password", "Authentication failed"]) {
            self.of_status(401)
        } else if says(&["shallow update not allowed"]) {
            TransportError::ShallowRefused
        } else if says(&["certificate", "SSL", "TLS", "gnutls"]) {
            TransportError::Untrusted { reason }
        } else if says(&["' not found", "does not appear to be a git repository", "does not exist"]) {
            TransportError::NotFound
        } else if says(&["info/refs not valid", "invalid server response", "protocol error"]) {
            TransportError::Unusable { reason }
        } else if says(&[
            "unable to access",
            "Could not resolve host",
            "Connection refused",
            "RPC failed",
            "unexpected disconnect",
            "hung up unexpectedly",
        ]) {
            TransportError::Unreachable { reason }
        } else {
            TransportError::Failed { reason }
        }
    }

    fn of_status(&self, status: u16) -> TransportError {
        let said = self.of_server();
        of_status(status, self.authenticated, if said.is_empty() { self.reason() } else { said })
    }
}

/// What an HTTP status means.
pub(super) fn of_status(status: u16, authenticated: bool, reason: String) -> TransportError {
    match status {
        301 | 302 | 303 | 307 | 308 => TransportError::Moved,
        401 if authenticated => TransportError::Unauthorized,
        401 => TransportError::CredentialsWanted,
        403 => TransportError::Forbidden { reason },
        404 | 410 => TransportError::NotFound,
        407 | 408 | 429 | 500..=599 => TransportError::Unreachable { reason },
        _ => TransportError::Unusable { reason },
    }
}

/// The HTTP status in `The requested URL returned error: 403` or `RPC failed; HTTP 411 curl 22 …`.
fn status(line: &str) -> Option<u16> {
    let rest = ["The requested URL returned error: ", "RPC failed; HTTP "]
        .into_iter()
        .find_map(|words| line.split_once(words).map(|(_, rest)| rest))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The commit that follows `words`.
fn after(line: &str, words: &str) -> Option<CommitId> {
    let (_, rest) = line.split_once(words)?;
    CommitId::new(rest.split_whitespace().next()?).ok()
}
