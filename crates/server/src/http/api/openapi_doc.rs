//! OpenAPI 3.1 description of the REST interface, generated from the handlers. Describes every
//! response that can occur.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::super::content_encoding::accepts;
use super::super::json_response::Problem;
use super::{history, history_schemas, ice_servers, participants, rooms, schemas};

/// The OpenAPI document.
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
        rooms::list, history::list, history::show, history::remove, history::remove_participant,
        history::remove_name, ice_servers::servers,
    ),
    components(schemas(
        Problem, schemas::NewRoom, schemas::CreatedRoom, schemas::RoomState, schemas::RoomDetails,
        schemas::RoomPage, schemas::Participant, schemas::ParticipantRole,
        schemas::ParticipantList, schemas::Mute,
        schemas::PolicyChange, schemas::EmptyBody, schemas::Invitation, schemas::IceServer,
        schemas::IceServerList, schemas::RoomPolicy, schemas::TrackKind,
        history_schemas::HistoryPage, history_schemas::HistoryCall, history_schemas::HistoryCallDetails,
        history_schemas::HistoryParticipant, history_schemas::HistoryMinute,
        history_schemas::HistoryFigures, history_schemas::HistoryDirection,
        history_schemas::HistoryPictures, history_schemas::HistoryCause,
        history_schemas::HistoryDeletion,
    )),
    modifiers(&SecuritySchemes),
    tags(
        (name = "Rooms", description = "For everybody."),
        (name = "Hosts", description = "For the host of a room, and for operators."),
        (name = "Operators", description = "With the operator's key."),
        (name = "Connecting", description = "Before a call."),
    ),
)]
struct Document;

/// Adds the security schemes.
pub struct SecuritySchemes;

impl Modify for SecuritySchemes {
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

/// Returns the document as JSON.
pub fn generate() -> String {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.to_pretty_json().unwrap_or_default()
}

/// The document in the forms in which it is sent. It is compressed once.
pub struct StoredDocument {
    /// As text.
    plain: Bytes,
    /// As text, compressed by gzip.
    gzip: Bytes,
}

impl StoredDocument {
    /// Stores a document.
    pub fn new(text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing into a vector cannot fail.
        let compressed = encoder
            .write_all(text.as_bytes())
            .and_then(|()| encoder.finish());
        Self {
            plain: text.into(),
            gzip: compressed.unwrap_or_default().into(),
        }
    }

    /// Returns the response of `GET /api/openapi.json`.
    pub fn response(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "Accept-Encoding"),
        ];
        if accepts(request, "gzip") && !self.gzip.is_empty() {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            return (headers, encoding, self.gzip.clone()).into_response();
        }
        (headers, self.plain.clone()).into_response()
    }
}
