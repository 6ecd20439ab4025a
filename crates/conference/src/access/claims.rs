//! Reads the claims of a token whose signature is valid. A token is refused when a claim has the
//! wrong type, which never counts as absent, or when it has a restriction that cannot be honoured.

use serde_json::{Map, Value};

use super::grant::{Grant, LEEWAY_S, LIFETIME_S_MAX, RoomGrant, TEXT_LEN_MAX, TokenRefusal};

/// Accepted fields of a header (RFC 7515 §4.1). All others are refused; several name keys,
/// certificates or extensions (`jku`, `jwk`, `x5u`, `x5c`, `crit`, `b64`, `zip`).
const HEADER_FIELDS: [&str; 3] = ["alg", "typ", "kid"];

/// Claims of the flat form of a room grant, beside its room.
const FLAT_FIELDS: [&str; 3] = ["canPublish", "canSubscribe", "roomAdmin"];

/// Restrictions of a nested room grant that cannot be honoured here. Ignoring them would permit
/// more than the token does.
const RESTRICTIONS: [&str; 2] = ["canPublishSources", "hidden"];

type Claims = Map<String, Value>;

/// Checks that a header asks for HS256. `kid` may be present and selects nothing: both keys are
/// tried.
///
/// # Errors
/// The header has another algorithm or type, or a field that is not accepted.
pub(super) fn check_header(header: &Claims) -> Result<(), TokenRefusal> {
    let known = header
        .keys()
        .all(|field| HEADER_FIELDS.contains(&field.as_str()));
    let algorithm = header.get("alg").and_then(Value::as_str) == Some("HS256");
    // RFC 7519 §5.1 recommends capitals and makes the field optional.
    let kind = match optional_text(header, "typ")? {
        Some(kind) => kind.eq_ignore_ascii_case("JWT"),
        None => true,
    };
    optional_text(header, "kid")?;
    if known && algorithm && kind {
        Ok(())
    } else {
        Err(TokenRefusal::Header)
    }
}

/// Checks `exp`, `nbf` and `iat` (RFC 7519 §4.1.4–6) against the time, in seconds since 1970. Returns
/// `exp`.
pub(super) fn check_time(claims: &Claims, unix_s: u64) -> Result<u64, TokenRefusal> {
    let expires_s = optional_seconds(claims, "exp")?.ok_or(TokenRefusal::Claim("exp"))?;
    let begins_s = optional_seconds(claims, "nbf")?;
    let issued_s = optional_seconds(claims, "iat")?;
    let latest_s = unix_s.saturating_add(LEEWAY_S);
    if begins_s.is_some_and(|it| it > latest_s) || issued_s.is_some_and(|it| it > latest_s) {
        return Err(TokenRefusal::NotYetValid);
    }
    if unix_s >= expires_s.saturating_add(LEEWAY_S) {
        return Err(TokenRefusal::Expired);
    }
    let lifetime_s = expires_s.saturating_sub(issued_s.unwrap_or(unix_s));
    if lifetime_s > LIFETIME_S_MAX + LEEWAY_S {
        return Err(TokenRefusal::Lifetime);
    }
    Ok(expires_s)
}

/// Checks issuer and audience. A token whose audience does not name this server is refused
/// (RFC 7519 §4.1.3).
pub(super) fn check_parties(
    claims: &Claims,
    issuer: Option<&str>,
    audience: Option<&str>,
) -> Result<(), TokenRefusal> {
    let from = optional_text(claims, "iss")?;
    if issuer.is_some() && from != issuer {
        return Err(TokenRefusal::Claim("iss"));
    }
    let is_audience = |name: &Value| name.is_string() && name.as_str() == audience;
    let is_for_us = match claims.get("aud") {
        None => audience.is_none(),
        Some(Value::Array(names)) => {
            names.iter().all(Value::is_string) && names.iter().any(is_audience)
        }
        Some(name) => is_audience(name),
    };
    if is_for_us {
        Ok(())
    } else {
        Err(TokenRefusal::Claim("aud"))
    }
}

/// Returns the grant in the claims.
///
/// # Errors
/// The claims contain no grant, several grants, or an ambiguous one.
pub(super) fn grant(claims: &Claims) -> Result<Grant, TokenRefusal> {
    let kinds = ["roomId", "userId", "video", "room"];
    let mut kinds = kinds.into_iter().filter(|kind| claims.contains_key(*kind));
    let kind = kinds.next().ok_or(TokenRefusal::NoGrant)?;
    let is_flat = kind == "room";
    let is_mixed = FLAT_FIELDS.iter().any(|it| claims.contains_key(*it)) && !is_flat;
    if kinds.next().is_some() || is_mixed {
        return Err(TokenRefusal::Ambiguous);
    }
    match kind {
        "roomId" => Ok(Grant::Invite {
            room: text(claims, "roomId")?.to_owned(),
        }),
        "userId" => Ok(Grant::User {
            id: text(claims, "userId")?.to_owned(),
            email: text(claims, "email")?.to_owned(),
        }),
        "video" => {
            let video = claims.get("video").and_then(Value::as_object);
            let video = video.ok_or(TokenRefusal::Claim("video"))?;
            if RESTRICTIONS.iter().any(|it| video.contains_key(*it)) {
                return Err(TokenRefusal::Ambiguous);
            }
            // Without `roomJoin`, the token permits requests about the room but not joining it.
            if optional_bool(video, "roomJoin")? != Some(true) {
                return Err(TokenRefusal::Claim("roomJoin"));
            }
            room_grant(video, claims).map(Grant::Room)
        }
        _ => room_grant(claims, claims).map(Grant::Room),
    }
}

/// Returns the room grant with the claims in `permissions`, and the identity in `bearer`. As with
/// LiveKit, publishing and subscribing are permitted unless a claim says otherwise.
fn room_grant(permissions: &Claims, bearer: &Claims) -> Result<RoomGrant, TokenRefusal> {
    let subject = optional_text(bearer, "sub")?;
    let identity = optional_text(bearer, "identity")?;
    if subject.is_some() && identity.is_some() && subject != identity {
        return Err(TokenRefusal::Ambiguous);
    }
    Ok(RoomGrant {
        room: text(permissions, "room")?.to_owned(),
        identity: identity.or(subject).map(str::to_owned),
        name: optional_text(bearer, "name")?.map(str::to_owned),
        can_publish: optional_bool(permissions, "canPublish")?.unwrap_or(true),
        can_subscribe: optional_bool(permissions, "canSubscribe")?.unwrap_or(true),
        room_admin: optional_bool(permissions, "roomAdmin")?.unwrap_or(false),
    })
}

/// Returns a text claim of 1 to `TEXT_LEN_MAX` bytes. It must not be blank or contain control
/// characters.
fn text<'a>(claims: &'a Claims, name: &'static str) -> Result<&'a str, TokenRefusal> {
    optional_text(claims, name)?.ok_or(TokenRefusal::Claim(name))
}

/// Returns a text claim with the limits of `text`, or `None` when it is absent.
fn optional_text<'a>(
    claims: &'a Claims,
    name: &'static str,
) -> Result<Option<&'a str>, TokenRefusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let is_valid = |text: &&str| {
        !text.trim().is_empty() && text.len() <= TEXT_LEN_MAX && !text.contains(char::is_control)
    };
    let text = value.as_str().filter(is_valid);
    text.map(Some).ok_or(TokenRefusal::Claim(name))
}

/// Returns a time claim in whole seconds since 1970, or `None` when it is absent.
fn optional_seconds(claims: &Claims, name: &'static str) -> Result<Option<u64>, TokenRefusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value.as_u64().map(Some).ok_or(TokenRefusal::Claim(name))
}

/// Returns a Boolean claim, or `None` when it is absent.
fn optional_bool(claims: &Claims, name: &'static str) -> Result<Option<bool>, TokenRefusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value.as_bool().map(Some).ok_or(TokenRefusal::Claim(name))
}
