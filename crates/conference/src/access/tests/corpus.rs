//! Invalid tokens, each with the expected refusal. Tokens with invalid claims are signed correctly,
//! so that only the claim is wrong.

use super::*;

/// A valid header.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A description, a token, and the expected refusal.
type Bad = (String, String, TokenRefusal);

fn bad(what: impl Into<String>, token: String, refusal: TokenRefusal) -> Bad {
    (what.into(), token, refusal)
}

fn good_payload() -> String {
    for_an_hour(json!({"roomId": "standup"})).to_string()
}

/// Returns a correctly signed token with this header.
fn with_header(header: &str) -> String {
    forge(header, good_payload().as_bytes(), SECRET)
}

/// Returns a correctly signed token with this payload.
fn with_payload(payload: &str) -> String {
    forge(HEADER, payload.as_bytes(), SECRET)
}

/// Tokens whose header asks for another algorithm. All are signed with HMAC-SHA-256 and the right
/// secret, or not at all: that is how `none` and the confusion of key types are exploited.
fn algorithms() -> Vec<Bad> {
    let mut list = Vec::new();
    for alg in [
        r#""none""#,
        r#""None""#,
        r#""NONE""#,
        r#""nOnE""#,
        r#""none ""#,
        r#""""#,
        "null",
        "0",
        r#"["HS256"]"#,
        r#"{"HS256":1}"#,
    ] {
        let header = format!(r#"{{"alg":{alg},"typ":"JWT"}}"#);
        let token = with_header(&header);
        let (message, _) = token.rsplit_once('.').unwrap();
        list.push(bad(
            format!("{alg} without a signature"),
            format!("{message}."),
            TokenRefusal::Header,
        ));
        list.push(bad(format!("{alg}, signed"), token, TokenRefusal::Header));
    }
    for alg in [
        "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS512", "EdDSA",
        "hs256", "HS256 ", "HS2560", "A256KW", "dir",
    ] {
        let token = with_header(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
        list.push(bad(alg, token, TokenRefusal::Header));
    }
    list
}

/// Tokens whose header names keys, extensions or unknown fields.
fn headers() -> Vec<Bad> {
    let header = |fields: &str| with_header(&format!(r#"{{"alg":"HS256",{fields}}}"#));
    let mut list = Vec::new();
    for fields in [
        r#""jku":"https://attacker.example/keys""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""x5u":"https://attacker.example/cert""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"AAAA""#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""zip":"DEF""#,
        r#""enc":"A128GCM""#,
        r#""cty":"JWT""#,
        r#""typ":"JWE""#,
        r#""alg":"none""#,
        r#""alg":"HS256""#,
    ] {
        list.push(bad(fields, header(fields), TokenRefusal::Header));
    }
    for (fields, name) in [
        (r#""typ":1"#, "typ"),
        (r#""kid":1"#, "kid"),
        (r#""kid":null"#, "kid"),
        (r#""kid":["a"]"#, "kid"),
        (r#""kid":"a\u0000b""#, "kid"),
    ] {
        list.push(bad(fields, header(fields), TokenRefusal::Claim(name)));
    }
    for whole in [
        "",
        "{}",
        "[]",
        "null",
        "\"HS256\"",
        "{\"alg\":\"HS256\"",
        "\u{feff}{}",
    ] {
        list.push(bad(
            format!("header {whole}"),
            with_header(whole),
            TokenRefusal::Header,
        ));
    }
    // A key id that an injection would turn into an empty or a known key.
    for (kid, secret) in [
        ("../../../../dev/null", &b""[..]),
        ("' UNION SELECT 'aaaa' -- ", b"aaaa"),
        ("| /bin/true", b""),
        ("previous", PREVIOUS),
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        let token = forge(&header, good_payload().as_bytes(), secret);
        list.push(bad(format!("kid {kid}"), token, TokenRefusal::Signature));
    }
    list
}

/// Tokens with an invalid signature.
fn signatures() -> Vec<Bad> {
    let token = with_payload(&good_payload());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut list = vec![
        bad(
            "no signature",
            format!("{message}."),
            TokenRefusal::Signature,
        ),
        bad(
            "another's secret",
            forge(HEADER, good_payload().as_bytes(), b"another's secret"),
            TokenRefusal::Signature,
        ),
        bad(
            "an empty secret",
            forge(HEADER, good_payload().as_bytes(), b""),
            TokenRefusal::Signature,
        ),
        bad(
            "another payload",
            format!(
                "{header}.{}.{signature}",
                URL_SAFE_NO_PAD.encode(r#"{"roomId":"board","exp":1800003600}"#)
            ),
            TokenRefusal::Signature,
        ),
        bad(
            "another header",
            format!(
                "{}.{payload}.{signature}",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#)
            ),
            TokenRefusal::Signature,
        ),
        bad(
            "a signature too long",
            format!(
                "{message}.{}",
                URL_SAFE_NO_PAD.encode([&bytes[..], &[0]].concat())
            ),
            TokenRefusal::Signature,
        ),
    ];
    for len in [1, 15, 16, 31] {
        let cut = URL_SAFE_NO_PAD.encode(&bytes[..len]);
        list.push(bad(
            format!("{len} bytes of signature"),
            format!("{message}.{cut}"),
            TokenRefusal::Signature,
        ));
    }
    for bit in [0, 7, 100, 128, 255] {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        list.push(bad(
            format!("bit {bit} of the signature flipped"),
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(flipped)),
            TokenRefusal::Signature,
        ));
    }
    list
}

/// Texts that are not tokens, most of them derived from one.
fn shapes() -> Vec<Bad> {
    let token = with_payload(&good_payload());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let mut texts = vec![
        String::new(),
        ".".to_owned(),
        header.to_owned(),
        message.to_owned(),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}\0"),
        format!("Bearer {token}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}.{signature}ä"),
        format!("{header}.{payload}.+/+/"),
        format!("%20{token}"),
        format!("\"{token}\""),
        r#"{"payload":"e30","signatures":[]}"#.to_owned(),
    ];
    // The last base64 digit of 32 bytes has two unused bits, which must be zero.
    let last = signature.chars().last().unwrap();
    let next = char::from(u8::try_from(last).unwrap() + 1);
    let twin = &signature[..signature.len() - 1];
    texts.push(format!("{message}.{twin}{next}"));
    let mut list: Vec<_> = texts
        .into_iter()
        .map(|text| bad(format!("{text:?}"), text, TokenRefusal::Malformed))
        .collect();
    list.push(bad("two dots", "..".to_owned(), TokenRefusal::Header));
    list.push(bad(
        "no payload",
        forge(HEADER, b"", SECRET),
        TokenRefusal::Claims,
    ));
    let long = for_an_hour(json!({"roomId": "standup", "more": "x".repeat(4096)}));
    list.push(bad("too long", signed(&long), TokenRefusal::TooLong));
    list.push(bad(
        "very long",
        "a.".repeat(1 << 20),
        TokenRefusal::TooLong,
    ));
    list
}

/// Payloads that are not strict JSON objects.
fn payloads() -> Vec<Bad> {
    let deep = format!(
        r#"{{"roomId":"standup","exp":1800003600,"a":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let twice = [
        r#"{"roomId":"standup","exp":1800003600,"roomId":"board"}"#,
        r#"{"roomId":"standup","exp":1,"exp":1800003600}"#,
        r#"{"room":"a","exp":1800003600,"roomAdmin":false,"roomAdmin":true}"#,
        r#"{"exp":1800003600,"video":{"room":"a","room":"b","roomJoin":true}}"#,
        r#"{"roomId":"standup","exp":1800003600,"room\u0049d":"board"}"#,
    ];
    let mut list: Vec<_> = [
        "null",
        "true",
        "1800003600",
        "\"standup\"",
        "[]",
        "{",
        "{}}",
        "{\"exp\":1800003600",
        "{'roomId':'standup'}",
        "{\"roomId\":\"standup\",\"exp\":1800003600,}",
        "{\"roomId\":\"standup\",\"exp\":NaN}",
        "{\"roomId\":\"standup\",\"exp\":01800003600}",
        "{\"roomId\":\"stand\u{1}up\",\"exp\":1800003600}",
        "{\"roomId\":\"\\ud800\",\"exp\":1800003600}",
        "\u{feff}{\"roomId\":\"a\",\"exp\":1800003600}",
    ]
    .into_iter()
    .chain(twice)
    .chain([deep.as_str()])
    .map(|payload| {
        let what: String = payload.chars().take(60).collect();
        bad(what, with_payload(payload), TokenRefusal::Claims)
    })
    .collect();
    let not_text = [
        &b"{\"roomId\":\"\xff\xfe\",\"exp\":1800003600}"[..],
        b"\x80",
    ];
    for bytes in not_text {
        list.push(bad(
            "not UTF-8",
            forge(HEADER, bytes, SECRET),
            TokenRefusal::Claims,
        ));
    }
    list
}

/// Tokens with invalid times.
fn times() -> Vec<Bad> {
    let token = |name: &str, value: Value| {
        let mut claims = for_an_hour(json!({"roomId": "standup"}));
        claims[name] = value;
        signed(&claims)
    };
    let mut list = vec![
        bad(
            "no exp",
            signed(&json!({"roomId": "standup", "iat": NOW_S})),
            TokenRefusal::Claim("exp"),
        ),
        bad(
            "expired",
            token("exp", (NOW_S - 31).into()),
            TokenRefusal::Expired,
        ),
        bad(
            "expired in 1970",
            token("exp", 0.into()),
            TokenRefusal::Expired,
        ),
        bad(
            "a life of a month",
            token("exp", (NOW_S + 30 * 86_400).into()),
            TokenRefusal::Lifetime,
        ),
        bad(
            "no end",
            token("exp", u64::MAX.into()),
            TokenRefusal::Lifetime,
        ),
        bad(
            "milliseconds",
            token("exp", ((NOW_S + 3600) * 1000).into()),
            TokenRefusal::Lifetime,
        ),
        bad(
            "begun long ago",
            token("iat", 0.into()),
            TokenRefusal::Lifetime,
        ),
        bad(
            "not yet",
            token("nbf", (NOW_S + 31).into()),
            TokenRefusal::NotYetValid,
        ),
        bad(
            "never",
            token("nbf", u64::MAX.into()),
            TokenRefusal::NotYetValid,
        ),
        bad(
            "issued tomorrow",
            token("iat", (NOW_S + 86_400).into()),
            TokenRefusal::NotYetValid,
        ),
    ];
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800003600"),
            json!(1_800_003_600.5),
            json!(1_800_003_600.0),
            json!(-1),
            json!(null),
            json!(true),
            json!([1_800_003_600]),
            json!({}),
        ] {
            let what = format!("{name} is {value}");
            list.push(bad(what, token(name, value), TokenRefusal::Claim(name)));
        }
    }
    let huge = with_payload(r#"{"roomId":"standup","exp":1e400}"#);
    list.push(bad("exp is 1e400", huge, TokenRefusal::Claims));
    let large = with_payload(r#"{"roomId":"standup","exp":1.8e9}"#);
    list.push(bad("exp is 1.8e9", large, TokenRefusal::Claim("exp")));
    list
}

/// Values that are neither identifiers nor names.
fn bad_texts() -> [Value; 9] {
    [
        json!(""),
        json!("   "),
        json!("x".repeat(TEXT_LEN_MAX + 1)),
        json!("ä".repeat(TEXT_LEN_MAX / 2 + 1)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!(7),
        json!(null),
        json!(["standup"]),
    ]
}

/// Tokens with a claim of the wrong type, without a grant, or with two.
fn grants() -> Vec<Bad> {
    let mut list = Vec::new();
    let user = json!({"userId": "u-7", "email": "ada@example.org"});
    let flat = json!({"room": "standup", "identity": "u-7", "name": "Ada"});
    for (base, name) in [
        (&json!({"roomId": "standup"}), "roomId"),
        (&user, "userId"),
        (&user, "email"),
        (&flat, "room"),
        (&flat, "identity"),
        (&flat, "name"),
        (&json!({"room": "standup"}), "sub"),
        (&json!({"roomId": "standup"}), "iss"),
    ] {
        for value in bad_texts() {
            let mut claims = for_an_hour(base.clone());
            let what: String = format!("{name} is {value}").chars().take(40).collect();
            claims[name] = value;
            list.push(bad(what, signed(&claims), TokenRefusal::Claim(name)));
        }
    }
    for name in ["canPublish", "canSubscribe", "roomAdmin"] {
        for value in [json!("true"), json!(1), json!(0), json!(null), json!([])] {
            let mut flat = for_an_hour(flat.clone());
            flat[name] = value.clone();
            let mut nested = for_an_hour(json!({"video": {"room": "standup", "roomJoin": true}}));
            nested["video"][name] = value.clone();
            for claims in [flat, nested] {
                let what = format!("{name} is {value}");
                list.push(bad(what, signed(&claims), TokenRefusal::Claim(name)));
            }
        }
    }
    list
}

/// Nested room grants that are invalid.
fn videos() -> Vec<Bad> {
    let claim = TokenRefusal::Claim;
    let join = |more: Value| {
        let mut video = json!({"room": "standup", "roomJoin": true});
        for (name, value) in more.as_object().unwrap() {
            video[name] = value.clone();
        }
        video
    };
    let mut list: Vec<_> = [
        (json!("standup"), claim("video")),
        (json!(["standup"]), claim("video")),
        (json!(null), claim("video")),
        (json!(true), claim("video")),
        (json!({}), claim("roomJoin")),
        (json!({"room": "standup"}), claim("roomJoin")),
        (json!({"roomJoin": true}), claim("room")),
        (
            json!({"room": "standup", "roomAdmin": true}),
            claim("roomJoin"),
        ),
        (join(json!({"roomJoin": false})), claim("roomJoin")),
        (join(json!({"roomJoin": "true"})), claim("roomJoin")),
        (
            join(json!({"canPublishSources": ["microphone"]})),
            TokenRefusal::Ambiguous,
        ),
        (join(json!({"hidden": true})), TokenRefusal::Ambiguous),
    ]
    .into_iter()
    .map(|(video, refusal)| {
        let what = format!("video is {video}");
        bad(what, signed(&for_an_hour(json!({"video": video}))), refusal)
    })
    .collect();
    for room in bad_texts() {
        let what: String = format!("video.room is {room}").chars().take(40).collect();
        let claims = for_an_hour(json!({"video": join(json!({"room": room}))}));
        list.push(bad(what, signed(&claims), claim("room")));
    }
    list
}

/// Tokens without a grant, or with two.
fn mixtures() -> Vec<Bad> {
    let video = json!({"room": "standup", "roomJoin": true});
    [
        (json!({}), TokenRefusal::NoGrant),
        (json!({"sub": "u-7"}), TokenRefusal::NoGrant),
        (json!({"email": "ada@example.org"}), TokenRefusal::NoGrant),
        (json!({"RoomId": "standup"}), TokenRefusal::NoGrant),
        (json!({"rooms": ["standup"]}), TokenRefusal::NoGrant),
        (
            json!({"__proto__": {"roomId": "standup"}}),
            TokenRefusal::NoGrant,
        ),
        (json!({"userId": "u-7"}), TokenRefusal::Claim("email")),
        (
            json!({"roomId": "standup", "userId": "u-7", "email": "ada@example.org"}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"roomId": "standup", "room": "board"}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"roomId": "standup", "video": video}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"room": "standup", "video": video}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"userId": "u-7", "email": "ada@example.org", "video": video}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"roomId": "standup", "video": null}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"roomId": "standup", "roomAdmin": true}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"roomId": "standup", "canPublish": false}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"video": video, "canSubscribe": true}),
            TokenRefusal::Ambiguous,
        ),
        (
            json!({"room": "standup", "sub": "u-7", "identity": "u-8"}),
            TokenRefusal::Ambiguous,
        ),
    ]
    .into_iter()
    .map(|(claims, refusal)| bad(claims.to_string(), signed(&for_an_hour(claims)), refusal))
    .collect()
}

#[test]
fn every_bad_token_is_refused_for_what_is_wrong_with_it() {
    let corpus = [
        algorithms(),
        headers(),
        signatures(),
        shapes(),
        payloads(),
        times(),
        grants(),
        videos(),
        mixtures(),
    ]
    .concat();
    let mut tokens: Vec<_> = corpus.iter().map(|(_, token, _)| token).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), corpus.len(), "each stands once");
    assert!(corpus.len() >= 80, "{}", corpus.len());
    for (what, token, refusal) in &corpus {
        assert_eq!(keys().verify(token, NOW_S), Err(*refusal), "{what}");
    }
}

#[test]
fn a_bad_token_is_bad_for_the_previous_secret_too() {
    let keys = TokenKeys::new(PREVIOUS, Some(SECRET)).unwrap();
    for (what, token, refusal) in [algorithms(), shapes(), payloads(), grants()].concat() {
        assert_eq!(keys.verify(&token, NOW_S), Err(refusal), "{what}");
    }
}
