//! Keys in all the forms in which settings, files and environments give them.

use proptest::prelude::*;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;
use staso_core::run::Budget;

use super::*;
use crate::github::auth::key::RsaKey;
use crate::github::auth::{CredentialsError, JwtSigner, jwt};

const PKCS8: &str = include_str!("../../../../tests/keys/app-pkcs8.pem");
const PUBLIC: &str = include_str!("../../../../tests/keys/app-public.pem");

/// Whether the JWT of a request is signed by the key of the tests.
fn is_signed(seen: &Seen) -> bool {
    let (message, signature) = bearer(seen).rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    verifies(message.as_bytes(), &signature)
}

fn verifies(message: &[u8], signature: &[u8]) -> bool {
    // The key itself, PKCS#1, follows the 24 bytes that say that it is an RSA key.
    let info = SubjectPublicKeyInfoDer::from_pem_slice(PUBLIC.as_bytes()).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &info[24..]).verify(message, signature).is_ok()
}

fn refusal(pem: &str) -> String {
    match RsaKey::from_pem(&pem.into()).unwrap_err() {
        VcsError::BadAppKey { reason } => reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn case_02_every_form_of_a_key_signs() {
    let pem = PKCS1.split_once('\n').unwrap().1.trim();
    for key in [
        PKCS1.to_owned(),
        PKCS8.to_owned(),
        PKCS1.replace('\n', "\r\n"),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\r\\n"),
        format!("\"{}\\n\"", pem.replace('\n', "\\n")),
        format!("  '{pem}'\n"),
        pem.replace('\n', "\n    "),
    ] {
        let auth = GitHubAuth::App(AppCredentials::new(" 12345\n", key.into()));
        let bench = Bench::with(auth, [installed()]);
        bench.granted().await.unwrap();
        let seen = &bench.server.requests()[0];
        assert!(is_signed(seen));
        assert_eq!(claims(seen)["iss"], "12345");
    }
}

#[tokio::test]
async fn case_02_a_key_of_another_app_is_refused_and_never_shown() {
    let other = include_str!("../../../../tests/keys/other-app.pem");
    let auth = GitHubAuth::App(AppCredentials::new("12345", other.into()));
    let bench = Bench::with(auth, [refused(401, "A JSON web token could not be decoded").into()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    let VcsError::BadAppKey { reason } = &error else { panic!("{error}") };
    assert_eq!(reason, "GitHub says: A JSON web token could not be decoded");
    assert!(!is_signed(&bench.server.requests()[0]));
    assert_eq!(bench.asked(), [LOOKUP]);
}

#[tokio::test]
async fn case_02_an_id_of_no_app_is_refused() {
    let bench = Bench::new([refused(404, "Integration not found").into()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::BadAppKey { .. }), "{error}");
    let empty = GitHubAuth::App(AppCredentials::new(" ", PKCS1.into()));
    let error =
        Api::new(GitHubEndpoints::github_com().unwrap(), empty, ClientOptions::default()).unwrap_err();
    assert!(matches!(error, VcsError::BadAppKey { .. }), "{error}");
}

#[test]
fn case_02_what_is_no_key_of_an_app_says_why() {
    assert_eq!(refusal(include_str!("../../../../tests/keys/rsa-1024.pem")), "it is shorter than 2048 bits");
    assert_eq!(
        refusal(include_str!("../../../../tests/keys/ec-sec1.pem")),
        "it is an EC key, and GitHub's are RSA keys"
    );
    assert_eq!(refusal(include_str!("../../../../tests/keys/ec-pkcs8.pem")), "it is no RSA key");
    assert_eq!(
        refusal(include_str!("../../../../tests/keys/app-encrypted.pem")),
        "it is encrypted with a passphrase"
    );
    let encrypted =
        PKCS1.replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1);
    assert_eq!(refusal(&encrypted), "it is encrypted with a passphrase");
    assert_eq!(refusal(PUBLIC), "it is the public key");
    assert_eq!(refusal(""), "it is no private key in PEM");
    assert_eq!(refusal(&PKCS1[..PKCS1.len() / 2]), "it is damaged");
    assert_eq!(refusal(&PKCS1.replace("MII", "MIX")), "it is damaged");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn case_02_no_damage_shows_the_key(at in 0..PKCS1.len(), length in 0..40usize, put in "[ -~]{0,8}") {
        let mut damaged = PKCS1.to_owned();
        damaged.replace_range(at..(at + length).min(PKCS1.len()), &put);
        if let Err(error) = RsaKey::from_pem(&damaged.into()) {
            let shown = format!("{error} {error:?}");
            prop_assert!(shown.len() < 300);
            prop_assert!(!PKCS1.lines().skip(2).any(|line| shown.contains(&line[..line.len().min(16)])));
        }
    }

    #[test]
    fn any_text_is_a_key_or_is_refused(text in "\\PC{0,200}") {
        drop(RsaKey::from_pem(&text.into()));
    }
}

/// A host that signs itself: here with the key of the tests, elsewhere with one that it cannot read either.
#[derive(Debug)]
struct Vault(RsaKey);

#[async_trait::async_trait]
impl JwtSigner for Vault {
    async fn sign(&self, message: &[u8], ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
        self.0.sign(message, ctx).await
    }
}

#[tokio::test]
async fn the_host_can_sign_itself() {
    let vault = Arc::new(Vault(RsaKey::from_pem(&PKCS1.into()).unwrap()));
    let auth = GitHubAuth::App(AppCredentials::with_signer(CLIENT_ID, vault));
    let bench = Bench::with(auth, [installed(), made(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    let seen = bench.server.requests();
    assert!(is_signed(&seen[0]));
    assert_eq!(bearer(&seen[0]), bearer(&seen[1]), "a signature serves for a few minutes");
}

#[derive(Debug)]
struct Stuck {
    cancels: bool,
}

#[async_trait::async_trait]
impl JwtSigner for Stuck {
    async fn sign(&self, _: &[u8], ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
        if self.cancels {
            ctx.cancellation().cancel();
        }
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_host_that_never_signs_holds_no_run_that_is_cancelled_or_over() {
    let auth = GitHubAuth::App(AppCredentials::with_signer(CLIENT_ID, Arc::new(Stuck { cancels: true })));
    let bench = Bench::with(auth, []);
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error}");
    let ctx = bench.run().0.with_budget(Budget::default().with_wall(seconds(5)));
    let error = jwt::sign(&Stuck { cancels: false }, CLIENT_ID, 0, &ctx).await.unwrap_err();
    assert!(matches!(error, VcsError::Timeout { limit_ms: 5_000, .. }), "{error}");
}

#[tokio::test]
async fn a_key_is_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(&path, PKCS8).unwrap();
    let auth = GitHubAuth::App(AppCredentials::from_file(CLIENT_ID, &path).unwrap());
    let bench = Bench::with(auth, [installed()]);
    bench.granted().await.unwrap();
    assert!(is_signed(&bench.server.requests()[0]));
}

#[test]
fn a_file_that_is_no_key_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let refusal = |name: &str| AppCredentials::from_file("1", path(name)).unwrap_err();
    assert!(matches!(refusal("missing.pem"), CredentialsError::Unreadable { .. }));

    let mut expected = vec![];
    std::fs::write(path("long.pem"), vec![b'a'; (64 << 10) + 1]).unwrap();
    expected.push(("long.pem", "it is longer than 64 KiB"));
    std::fs::write(path("binary.pem"), [0xff, 0xfe]).unwrap();
    expected.push(("binary.pem", "it is not text"));
    std::fs::create_dir(path("folder")).unwrap();
    expected.push(("folder", "it is no regular file"));
    for (name, expected) in expected {
        let CredentialsError::NotAKey { reason, .. } = refusal(name) else { panic!("{name}") };
        assert_eq!(reason, expected);
    }
    std::fs::write(path("edge.pem"), vec![b'a'; 64 << 10]).unwrap();
    AppCredentials::from_file("1", path("edge.pem")).unwrap();
}

#[test]
fn no_debug_shows_a_key() {
    let secret = SecretString::from("canary");
    let app = AppCredentials::new("12345", secret.clone());
    let key = RsaKey::from_pem(&PKCS1.into()).unwrap();
    let shown = format!("{app:?} {:?} {:?} {key:?}", GitHubAuth::App(app.clone()), GitHubAuth::Token(secret));
    assert!(shown.contains("12345"));
    assert!(!shown.contains("canary"));
    assert!(shown.len() < 500, "{shown}");
}
