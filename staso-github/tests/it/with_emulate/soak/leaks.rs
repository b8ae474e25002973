//! Whether a credential is anywhere where it must not be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Credentials, in every form in which they could show up.
#[derive(Debug)]
pub(super) struct Leaks {
    forms: BTreeSet<String>,
}

impl Leaks {
    /// What was sent and minted, and the key of the app.
    pub(super) fn of(secrets: BTreeSet<String>, key_of_app: &str) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let pair = STANDARD.decode(&secret).ok().and_then(|pair| String::from_utf8(pair).ok());
            let token = pair.as_deref().and_then(|pair| pair.strip_prefix("x-access-token:"));
            for plain in [Some(secret.as_str()), token].into_iter().flatten() {
                forms.insert(plain.to_owned());
                forms.insert(STANDARD.encode(plain));
                forms.insert(URL_SAFE_NO_PAD.encode(plain));
                forms.insert(STANDARD.encode(format!("x-access-token:{plain}")));
            }
            // A JWT is as good as its signature, whatever is left of the rest.
            forms.extend(secret.rsplit_once('.').map(|(_, signature)| signature.to_owned()));
        }
        let lines = key_of_app.lines().filter(|line| !line.starts_with("-----") && line.len() > 20);
        forms.extend(lines.map(str::to_owned));
        assert!(forms.iter().all(|form| form.len() > 15), "nothing that is found by accident: {forms:?}");
        Self { forms }
    }

    pub(super) fn count(&self) -> usize {
        self.forms.len()
    }

    /// Panics when one is in the text.
    pub(super) fn assert_none_in(&self, what: &str, text: &str) {
        for form in &self.forms {
            if let Some(at) = text.find(form) {
                let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
                panic!("a credential in {what}, after {:?}", &text[start..at]);
            }
        }
    }

    /// Panics when one is in a file, in the name of one, or in an object of a git repository.
    pub(super) fn assert_none_below(&self, directory: &Path) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        if directory.join("objects").is_dir() && directory.join("HEAD").is_file() {
            let objects = Command::new("git")
                .arg("--git-dir")
                .arg(directory)
                .args(["-c", "safe.directory=*", "cat-file", "--batch", "--batch-all-objects"])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&objects.stdout);
            self.assert_none_in(&format!("objects of {}", directory.display()), &text);
        }
        for entry in entries {
            let path = entry.unwrap().path();
            self.assert_none_in("the name of a file", &path.to_string_lossy());
            if path.is_dir() && !path.is_symlink() {
                self.assert_none_below(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.assert_none_in(&path.to_string_lossy(), &String::from_utf8_lossy(&bytes));
            }
        }
    }
}
