//! Fuzzes tokens: any text, and any two lines as header and claims of a correctly signed token.
//! Accepted tokens keep all limits, and are refused after any change.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use watersmeet_conference::access::{Grant, LEEWAY_S, LIFETIME_S_MAX, TEXT_LEN_MAX, TokenKeys};

/// Time of verification, in seconds since 1970.
const NOW_S: u64 = 1_800_000_000;

const SECRET: &[u8] = b"7d1f0a93c64be825d0375fae91b2684c";

static KEYS: LazyLock<TokenKeys> =
    LazyLock::new(|| TokenKeys::new(SECRET, None).expect("a good secret"));

/// Returns a signed token with this header and these claims.
fn sign(header: &str, payload: &str) -> String {
    let parts = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = parts.join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// Checks the limits of a grant.
fn check_grant(grant: &Grant) {
    let texts: Vec<&str> = match grant {
        Grant::Invite { room } => vec![room],
        Grant::User { id, email } => vec![id, email],
        Grant::Room(grant) => {
            let optional = [&grant.identity, &grant.name];
            let optional = optional.into_iter().flatten().map(String::as_str);
            optional.chain([grant.room.as_str()]).collect()
        }
    };
    for text in texts {
        assert!(!text.trim().is_empty() && text.len() <= TEXT_LEN_MAX);
        assert!(!text.contains(char::is_control));
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (header, payload) = text.split_once('\n').unwrap_or_default();
    let token = sign(header, payload);
    if text != token {
        assert!(KEYS.verify(text, NOW_S).is_err());
    }
    let Ok(grant) = KEYS.verify(&token, NOW_S) else {
        return;
    };
    check_grant(&grant);
    assert!(KEYS.verify(&token, 0).is_err());
    let expired_s = NOW_S + LIFETIME_S_MAX + 2 * LEEWAY_S;
    assert!(KEYS.verify(&token, expired_s).is_err());
    let other = TokenKeys::new(b"q8Zr4Xw0Ld9TnKc2VsYb6HfJ1mGp5EaU", None).expect("a good secret");
    assert!(other.verify(&token, NOW_S).is_err());
    let dots = token.match_indices('.').map(|(at, _)| at);
    for at in dots.chain([0, token.len() - 1]) {
        let mut changed = token.clone();
        changed.remove(at);
        assert!(KEYS.verify(&changed, NOW_S).is_err());
    }
});
