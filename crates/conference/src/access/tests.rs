//! Valid tokens, secrets, expiry and rotation. Invalid tokens are in `corpus`.

mod corpus;

use aws_lc_rs::hmac;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// Time of these tests, in seconds since 1970: 15 January 2027.
const NOW_S: u64 = 1_800_000_000;

/// A good secret: 64 random hexadecimal digits.
const SECRET: &[u8] = b"7d1f0a93c64be825d0375fae91b2684cfa9e03d75c18b642e09d7ab351f8c26e";

/// The previous secret.
const PREVIOUS: &[u8] = b"q8Zr4Xw0Ld9TnKc2VsYb6HfJ1mGp5EaU";

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET, None).unwrap()
}

/// Returns a token with exactly these bytes, signed independently of the code under test.
fn forge(header: &str, payload: &[u8], secret: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// Returns a correctly signed token with these claims.
fn signed(claims: &Value) -> String {
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    forge(header, claims.to_string().as_bytes(), SECRET)
}

/// Returns `claims`, valid for an hour.
fn for_an_hour(mut claims: Value) -> Value {
    claims["iat"] = NOW_S.into();
    claims["exp"] = (NOW_S + 3600).into();
    claims
}

fn room_grant() -> RoomGrant {
    RoomGrant {
        room: "standup".to_owned(),
        identity: Some("u-7".to_owned()),
        name: Some("Ada".to_owned()),
        can_publish: false,
        can_subscribe: true,
        room_admin: true,
    }
}

#[test]
fn six_valid_tokens_are_accepted() {
    let invite = Grant::Invite {
        room: "standup".to_owned(),
    };
    let user = Grant::User {
        id: "u-7".to_owned(),
        email: "ada@example.org".to_owned(),
    };
    let nested = json!({
        "sub": "u-7", "name": "Ada", "iss": "somebody", "jti": "1", "nbf": NOW_S,
        "video": {"room": "standup", "roomJoin": true, "roomAdmin": true, "canPublish": false},
    });
    let flat = json!({
        "room": "standup", "identity": "u-7", "name": "Ada",
        "canPublish": false, "canSubscribe": true, "roomAdmin": true,
    });
    let invited = for_an_hour(json!({"roomId": "standup"}));
    let only_expiry = json!({"roomId": "standup", "exp": NOW_S + LIFETIME_S_MAX});
    let older = forge(
        r#"{"kid":"old","alg":"HS256"}"#,
        invited.to_string().as_bytes(),
        PREVIOUS,
    );
    let user_claims = for_an_hour(json!({"userId": "u-7", "email": "ada@example.org"}));
    let good = [
        (signed(&invited), invite.clone()),
        (signed(&only_expiry), invite.clone()),
        (signed(&user_claims), user),
        (signed(&for_an_hour(nested)), Grant::Room(room_grant())),
        (signed(&for_an_hour(flat)), Grant::Room(room_grant())),
        (older, invite),
    ];
    let keys = TokenKeys::new(SECRET, Some(PREVIOUS)).unwrap();
    for (token, grant) in good {
        assert_eq!(keys.verify(&token, NOW_S), Ok(grant));
    }
}

#[test]
fn issued_token_grants_what_it_was_issued_for() {
    for keys in [
        keys(),
        keys().with_issuer_and_audience(Some("us"), Some("here")),
    ] {
        let invite = keys.verify(&keys.issue_invite("standup", NOW_S), NOW_S);
        let room = "standup".to_owned();
        assert_eq!(invite, Ok(Grant::Invite { room: room.clone() }));

        let host = keys.verify(&keys.issue_host_token("standup", NOW_S), NOW_S);
        let everything = RoomGrant {
            room,
            identity: None,
            name: None,
            can_publish: true,
            can_subscribe: true,
            room_admin: true,
        };
        assert_eq!(host, Ok(Grant::Room(everything)));

        let user = keys.verify(
            &keys.issue_user_token("u-7", "ada@example.org", NOW_S),
            NOW_S,
        );
        let id = "u-7".to_owned();
        let email = "ada@example.org".to_owned();
        assert_eq!(user, Ok(Grant::User { id, email }));
    }
}

#[test]
fn invite_has_the_documented_claims() {
    let token = keys().issue_invite("standup", NOW_S);
    let payload = token.split('.').nth(1).unwrap();
    let claims = object(&decode(payload).unwrap()).unwrap();
    let expected = json!({"roomId": "standup", "iat": NOW_S, "exp": NOW_S + 86_400});
    assert_eq!(Value::Object(claims), expected);
}

#[test]
fn token_is_valid_from_first_to_last_second_with_leeway() {
    let token = keys().issue_invite("standup", NOW_S);
    let refusal = |unix_s| keys().verify(&token, unix_s).err();
    assert_eq!(
        refusal(NOW_S - LEEWAY_S - 1),
        Some(TokenRefusal::NotYetValid)
    );
    assert_eq!(refusal(NOW_S - LEEWAY_S), None);
    assert_eq!(refusal(NOW_S + LIFETIME_S + LEEWAY_S - 1), None);
    assert_eq!(
        refusal(NOW_S + LIFETIME_S + LEEWAY_S),
        Some(TokenRefusal::Expired)
    );
    assert_eq!(refusal(0), Some(TokenRefusal::NotYetValid));
    assert_eq!(refusal(u64::MAX), Some(TokenRefusal::Expired));
}

#[test]
fn token_with_lifetime_above_a_week_is_refused() {
    let lives = |lifetime_s: u64, issued: bool| {
        let mut claims = json!({"roomId": "standup", "exp": NOW_S + lifetime_s});
        if issued {
            claims["iat"] = NOW_S.into();
        }
        keys().verify(&signed(&claims), NOW_S)
    };
    for issued in [true, false] {
        assert!(lives(LIFETIME_S_MAX + LEEWAY_S, issued).is_ok());
        let longer = lives(LIFETIME_S_MAX + LEEWAY_S + 1, issued);
        assert_eq!(longer, Err(TokenRefusal::Lifetime));
    }
    // Issued long ago, its lifetime is too long even in its last hour.
    let claims = json!({"roomId": "standup", "iat": NOW_S - LIFETIME_S_MAX, "exp": NOW_S + 3600});
    let verified = keys().verify(&signed(&claims), NOW_S);
    assert_eq!(verified, Err(TokenRefusal::Lifetime));
}

#[test]
fn previous_secret_verifies_until_it_is_removed() {
    let before = TokenKeys::new(PREVIOUS, None).unwrap();
    let during = TokenKeys::new(SECRET, Some(PREVIOUS)).unwrap();
    let after = keys();
    let old = before.issue_invite("standup", NOW_S);
    let new = during.issue_invite("standup", NOW_S);
    assert!(before.verify(&old, NOW_S).is_ok());
    assert!(during.verify(&old, NOW_S).is_ok());
    assert!(during.verify(&new, NOW_S).is_ok());
    assert!(after.verify(&new, NOW_S).is_ok());
    assert_eq!(after.verify(&old, NOW_S), Err(TokenRefusal::Signature));
    assert_eq!(before.verify(&new, NOW_S), Err(TokenRefusal::Signature));
}

#[test]
fn issuer_and_audience_are_required_when_set() {
    let verify = |keys: TokenKeys, parties: Value| {
        let mut claims = for_an_hour(json!({"roomId": "standup"}));
        for (name, value) in parties.as_object().unwrap() {
            claims[name] = value.clone();
        }
        keys.verify(&signed(&claims), NOW_S).err()
    };
    let strict = || keys().with_issuer_and_audience(Some("us"), Some("here"));
    let issuer = Some(TokenRefusal::Claim("iss"));
    let audience = Some(TokenRefusal::Claim("aud"));
    assert_eq!(verify(strict(), json!({"iss": "us", "aud": "here"})), None);
    assert_eq!(
        verify(strict(), json!({"iss": "us", "aud": ["there", "here"]})),
        None
    );
    assert_eq!(verify(strict(), json!({"aud": "here"})), issuer);
    assert_eq!(
        verify(strict(), json!({"iss": "them", "aud": "here"})),
        issuer
    );
    assert_eq!(verify(strict(), json!({"iss": "us"})), audience);
    assert_eq!(
        verify(strict(), json!({"iss": "us", "aud": "there"})),
        audience
    );
    assert_eq!(verify(strict(), json!({"iss": "us", "aud": []})), audience);
    assert_eq!(
        verify(strict(), json!({"iss": "us", "aud": ["here", 1]})),
        audience
    );
    // It has an audience, and none is configured here.
    assert_eq!(verify(keys(), json!({"aud": "here"})), audience);
    assert_eq!(verify(keys(), json!({"aud": []})), audience);
    assert_eq!(verify(keys(), json!({"aud": 7})), audience);
    assert_eq!(verify(keys(), json!({"aud": null})), audience);
    assert_eq!(verify(keys(), json!({"iss": "anybody"})), None);
}

#[test]
fn grant_without_permissions_allows_publish_and_subscribe_but_not_admin() {
    for claims in [
        json!({"room": "standup"}),
        json!({"video": {"room": "standup", "roomJoin": true}}),
    ] {
        let Ok(Grant::Room(grant)) = keys().verify(&signed(&for_an_hour(claims)), NOW_S) else {
            panic!("a room grant");
        };
        assert!(grant.can_publish && grant.can_subscribe && !grant.room_admin);
        assert_eq!((grant.identity, grant.name), (None, None));
    }
}

#[test]
fn weak_secrets_are_refused_with_their_weakness() {
    let raw: Vec<u8> = (0..32).map(|n: u8| n.wrapping_mul(89) ^ 0xa7).collect();
    let matrix: [(&[u8], Option<SecretWeakness>); 19] = [
        (b"", Some(SecretWeakness::Missing)),
        (b"secret", Some(SecretWeakness::Short { len: 6 })),
        (&SECRET[..31], Some(SecretWeakness::Short { len: 31 })),
        (&[b'a'; 32], Some(SecretWeakness::Repetitive)),
        (&[b' '; 64], Some(SecretWeakness::Repetitive)),
        (
            b"abcabcabcabcabcabcabcabcabcabcabc",
            Some(SecretWeakness::Repetitive),
        ),
        (
            b"vxqzkwj-vxqzkwj-vxqzkwj-vxqzkwj-vxqzkwj",
            Some(SecretWeakness::Repetitive),
        ),
        (
            b"productionproductionproductionproduction",
            Some(SecretWeakness::Sample),
        ),
        (
            b"your-secret-key-change__________",
            Some(SecretWeakness::Sample),
        ),
        (
            b"your-secret-key-change-in-production-123456",
            Some(SecretWeakness::Sample),
        ),
        (
            b"your-jwt-secret-key.your-jwt-secret-key",
            Some(SecretWeakness::Sample),
        ),
        (
            b"changemechangemechangemechangeme",
            Some(SecretWeakness::Sample),
        ),
        (
            b"MY_SUPER_SECRET_JWT_SIGNING_KEY_0000",
            Some(SecretWeakness::Sample),
        ),
        (
            b"a-string-secret-at-least-256-bits-long",
            Some(SecretWeakness::Sample),
        ),
        (
            b"0123456789abcdef0123456789abcdef",
            Some(SecretWeakness::Sample),
        ),
        (SECRET, None),
        (&SECRET[..32], None),
        (&raw, None),
        (b"umbrella orbit kettle fjord nine velvet", None),
    ];
    for (secret, expected) in matrix {
        let shown = String::from_utf8_lossy(secret);
        let weakness = TokenKeys::new(secret, None).err();
        let current = expected.map(|weakness| WeakSecret {
            which: SecretGeneration::Current,
            weakness,
        });
        assert_eq!(weakness, current, "{shown}");
        let weakness = TokenKeys::new(SECRET, Some(secret)).err();
        let previous = expected.map(|weakness| WeakSecret {
            which: SecretGeneration::Previous,
            weakness,
        });
        assert_eq!(weakness, previous, "{shown}");
    }
}

#[test]
fn weakness_is_reported_without_the_secret() {
    let said = TokenKeys::new(b"hunter2", None).unwrap_err().to_string();
    assert_eq!(said, "the current secret has 7 bytes and needs 32");
    let sample = b"your-secret-key-change-your-secret-key-change";
    let said = TokenKeys::new(SECRET, Some(sample))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "the previous secret is one that stands in examples, or made like them"
    );
}

#[test]
fn debug_shows_neither_secrets_nor_tokens() {
    let keys = TokenKeys::new(SECRET, Some(PREVIOUS)).unwrap();
    let shown = format!("{keys:?}");
    assert_eq!(shown, "TokenKeys { secrets: 2, .. }");
    let token = keys.issue_invite("standup", NOW_S);
    let refusal = keys.verify(&token[..token.len() - 1], NOW_S).unwrap_err();
    let said = format!("{refusal:?} {refusal}");
    assert!(token.split('.').all(|part| !said.contains(part)), "{said}");
}

/// Valid tokens of every kind.
fn any_good_token() -> impl Strategy<Value = (String, Grant)> {
    let name = "[a-zA-Z0-9 äß_-]{0,40}[a-z]";
    (0..4_u8, name, name, any::<bool>()).prop_map(|(kind, first, second, truth)| {
        let claims = match kind {
            0 => json!({"roomId": first}),
            1 => json!({"userId": first, "email": second}),
            2 => json!({"room": first, "identity": second, "canPublish": truth}),
            _ => json!({"name": second,
                "video": {"room": first, "roomJoin": true, "roomAdmin": truth}}),
        };
        let token = signed(&for_an_hour(claims));
        let grant = keys().verify(&token, NOW_S).unwrap();
        (token, grant)
    })
}

proptest! {
    #[test]
    fn a_changed_token_is_refused(
        (token, _) in any_good_token(),
        at in any::<prop::sample::Index>(),
        byte in 1..128_u8,
        edit in 0..3_u8,
    ) {
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        match edit {
            0 => changed[at] = byte,
            1 => changed.insert(at, byte),
            _ => {
                changed.remove(at);
            }
        }
        let changed = String::from_utf8(changed).unwrap();
        prop_assume!(changed != token);
        prop_assert!(keys().verify(&changed, NOW_S).is_err());
    }

    #[test]
    fn two_tokens_cannot_be_mixed((one, _) in any_good_token(), (other, _) in any_good_token()) {
        let parts = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
        let (left, right) = (parts(&one), parts(&other));
        prop_assume!(left[1] != right[1]);
        let mixed = format!("{}.{}.{}", left[0], left[1], right[2]);
        prop_assert_eq!(keys().verify(&mixed, NOW_S), Err(TokenRefusal::Signature));
    }

    #[test]
    fn any_text_is_refused(text in any::<String>(), parts in "[a-zA-Z0-9_=-]{0,80}(\\.[a-zA-Z0-9_=-]{0,80}){0,4}") {
        prop_assert!(keys().verify(&text, NOW_S).is_err());
        prop_assert!(keys().verify(&parts, NOW_S).is_err());
    }

    #[test]
    fn random_secrets_are_accepted(bytes in any::<[u8; 32]>()) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert!(TokenKeys::new(&bytes, None).is_ok());
        prop_assert!(TokenKeys::new(hex.as_bytes(), None).is_ok());
        prop_assert!(TokenKeys::new(STANDARD.encode(bytes).as_bytes(), None).is_ok());
    }
}
