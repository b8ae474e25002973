//! What only looks like a credential stays readable, or no citation of code could be checked.

use staso_core::redaction::{contains_secret, redact};

#[test]
fn hashes_ids_names_and_encoded_files_stay() {
    for text in [
        "task-0123456789abcdef0123",
        "sk-learn-compatible-estimators",
        "risk-free eyJ AKIA",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "2C26B46B68FFC68FF99B453C1D30413413422D706483BFA0F98A5E886266E7AE",
        "\"integrity\": \"sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==\"",
        "github.com/x/y v1.2.3 h1:9Bp4bXIKuKkzJX3NEvWFmNbUd7tBpVAOrWUZ3n0lQ5A=",
        "123e4567-e89b-12d3-a456-426614174000",
        "call_9xKqTz3LmP7vRbNcYw2HdJfG toolu_01A09q90qw90lq917835lq9",
        "chatcmpl-B9xKqTz3LmP7vRbNcYw2HdJfGa1",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "icon = 'R0lGODlhAQABAIAAAAAAAP8A5AAALAAAAAABAAEAAAICRAEAOwX'",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDhA4Ea3kZ8hS9",
        "AbstractSingletonProxyFactoryBeanImplementation2024",
        "/usr/lib/python3.11/site-packages/PIL/PngImagePlugin2Helper.py",
        "self.assertEqual(parse_token2(token=token_v2), token_v2)",
        "token = next(tokens1)",
        "password = get_password_v2(user1)",
        "if password == 'x1y2z3w4q5':",
        "password=${DB_PASSWORD_1}",
        "api_key: <your-api-key-1>",
        "token = settings.token1_name",
        "max_tokens: 4096, total_tokens=12345678",
        "secret_expires: '2026-11-22T12:30:00Z', token: '2026-11-22T12:30:00Z'",
        "API_KEY = 'OPENAI_API_KEY_NAME'",
        "authorization = authorization.split(':')",
        ".. _`Token`: https://tools.ietf.org/html/rfc6750",
        "Authorization: Bearer $TOKEN_1_OF_THE_HOST",
        "https://example.org:8080/a@b and git@github.com:acme/x.git",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "",
    ] {
        assert!(!contains_secret(text), "{text} -> {}", redact(text));
        assert_eq!(redact(text), text);
    }
}

#[test]
fn what_only_a_random_generator_writes_goes() {
    for text in ["q7Rw9zK2mX4vB8nL3cT6yH1jF5gD0sPa", "kJ8+vQ2/xZ9mN4bV7cX1lK3jH6gF5dS0aPoIuYtReWq="] {
        assert!(contains_secret(text), "{text}");
    }
}

/// The code of this workspace is ordinary code; what is masked in it is what its tests plant.
#[test]
fn ordinary_code_stays() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![root];
    let (mut lines, mut masked) = (0_usize, Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                lines += text.lines().count();
                let found = text.lines().filter(|line| contains_secret(line));
                masked.extend(found.map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    assert!(lines > 10_000 && masked.len() <= 12, "{lines} lines\n{}", masked.join("\n"));
}
