//! What is known of a connection when it opens: how it speaks, and what its first request said.
//! Nothing of it is trusted: a token is checked, and a room is only a wish.

/// Which dialect a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// JSON `{type, payload, id?}` on a raw WebSocket.
    Native,
    /// Socket.IO packets of one namespace; which dialect of those that live there, the first event
    /// says.
    SocketIo(Namespace),
    /// mediasoup's demonstration protocol on a raw WebSocket.
    Protoo,
}

/// A Socket.IO namespace that is served.
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
    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Main, Self::Call, Self::Mediasoup]
            .into_iter()
            .find(|it| it.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "/",
            Self::Call => "/call",
            Self::Mediasoup => "/mediasoup",
        }
    }
}

/// A connection that opens.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// How it speaks.
    pub dialect: DialectKind,
    /// The room it asks for in its address; dialects that name none use it.
    pub room: Option<String>,
    /// The name it gives itself in its address.
    pub peer: Option<String>,
    /// A token that says what it may do.
    pub token: Option<String>,
    /// Whether nobody may come this way without a token.
    pub token_required: bool,
}

impl ConnectRequest {
    /// A connection that says nothing of itself.
    pub const fn new(dialect: DialectKind) -> Self {
        Self {
            dialect,
            room: None,
            peer: None,
            token: None,
            token_required: false,
        }
    }
}

/// Tokens are never printed.
impl std::fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("dialect", &self.dialect)
            .field("has_token", &self.token.is_some())
            .field("token_required", &self.token_required)
            .finish_non_exhaustive()
    }
}
