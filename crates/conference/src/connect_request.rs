//! Parameters of a new connection: dialect, room, peer name and token. None of them is trusted: the
//! token is verified, and the room is only a default.

/// Dialect of a connection, as far as it is known when the connection opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// JSON `{type, payload, id?}` on a raw WebSocket.
    Native,
    /// Socket.IO packets of one namespace. The first event selects among the dialects of that
    /// namespace.
    SocketIo(Namespace),
    /// mediasoup's demonstration protocol on a raw WebSocket.
    Protoo,
}

/// Socket.IO namespace that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// `/`
    Main,
    /// `/call`
    Call,
    /// `/mediasoup`
    Mediasoup,
}

impl Namespace {
    /// Returns the namespace with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Main, Self::Call, Self::Mediasoup]
            .into_iter()
            .find(|it| it.name() == name)
    }

    /// Returns the name of the namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "/",
            Self::Call => "/call",
            Self::Mediasoup => "/mediasoup",
        }
    }
}

/// Parameters with which a connection opens.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Dialect, as far as it is known yet.
    pub dialect: DialectKind,
    /// Room in the URL, for dialects whose clients send no room name.
    pub room: Option<String>,
    /// Peer name in the URL.
    pub peer: Option<String>,
    /// Access token, not yet verified.
    pub token: Option<String>,
    /// Whether joining a room on this connection needs a token.
    pub token_required: bool,
    /// Network address of the client; `None` when it distinguishes nobody.
    pub client: Option<ClientKey>,
}

/// Network address of a client. The conference only compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientKey(pub u128);

impl ConnectRequest {
    /// Returns parameters without room, peer name and token.
    pub const fn new(dialect: DialectKind) -> Self {
        Self {
            dialect,
            room: None,
            peer: None,
            token: None,
            token_required: false,
            client: None,
        }
    }
}

/// Prints everything but the token and names.
impl std::fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("dialect", &self.dialect)
            .field("has_token", &self.token.is_some())
            .field("token_required", &self.token_required)
            .finish_non_exhaustive()
    }
}
