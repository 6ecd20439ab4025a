//! The description of the REST interface (OpenAPI 3.1), made from the handlers themselves. It says
//! of every answer that can occur what it looks like.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::super::SiteContext;
use super::super::json_response::Problem;
use super::{ice_servers, participants, rooms, schemas};

/// The whole of it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Watersmeet",
        description = "Rooms, made and managed by programs. Bodies are strict JSON of at most \
            16 KiB; what goes wrong is answered with `{error, code}`, and the code never changes. \
            A token is what invitations carry; hosts have one too. The operator's key is \
            `api_key` in the configuration.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        rooms::create, rooms::show, participants::list,
        rooms::remove, rooms::set_policy, rooms::invite, participants::mute, participants::remove,
        rooms::list, ice_servers::servers,
    ),
    components(schemas(
        Problem, schemas::NewRoom, schemas::MadeRoom, schemas::RoomState, schemas::RoomDetails,
        schemas::RoomPage, schemas::Participant, schemas::ParticipantList, schemas::Mute,
        schemas::PolicyChange, schemas::Nothing, schemas::Invitation, schemas::IceServer,
        schemas::IceServerList, schemas::RoomPolicy, schemas::Kind,
    )),
    modifiers(&Credentials),
    tags(
        (name = "Rooms", description = "For everybody."),
        (name = "Hosts", description = "For the host of a room, and for operators."),
        (name = "Operators", description = "With the operator's key."),
        (name = "Connecting", description = "Before a call."),
    ),
)]
pub struct Description;

/// How callers say who they are.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let Some(components) = openapi.components.as_mut() else {
            return;
        };
        let mut bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        bearer = bearer.description(Some("The operator's key, or a token."));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let token = ApiKey::Query(ApiKeyValue::with_description("token", "A token."));
        components.add_security_scheme("token", SecurityScheme::ApiKey(token));
    }
}

/// The description as text.
pub fn text() -> String {
    let mut description = Description::openapi();
    description.info.version = env!("CARGO_PKG_VERSION").to_owned();
    description.to_pretty_json().unwrap_or_default()
}

/// `GET /api/openapi.json`.
pub async fn document(State(site): State<SiteContext>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, site.terms.description.clone()).into_response()
}
