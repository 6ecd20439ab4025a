//! `Link` headers that name STUN and TURN servers (RFC 9725 §4.6, RFC 8288).

use watersmeet_conference::turn::IceServer;

/// Returns the values of `Link`, one for each address of each server.
pub fn ice_server_links(servers: &[IceServer]) -> Vec<String> {
    let links = servers.iter().flat_map(|server| {
        server.urls.iter().map(|url| {
            let mut link = format!("<{url}>; rel=\"ice-server\"");
            if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
                let (username, credential) = (quoted(username), quoted(credential));
                link += &format!("; username={username}; credential={credential}");
                link += "; credential-type=\"password\"";
            }
            link
        })
    });
    links.collect()
}

/// Returns a text as a quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_link_with_the_credentials_of_its_server() {
        let server = |urls: &[&str], username: Option<&str>| IceServer {
            urls: urls.iter().map(|&it| it.to_owned()).collect(),
            username: username.map(str::to_owned),
            credential: username.map(|_| "a\"b".to_owned()),
        };
        let servers = [
            server(&["stun:stun.example.org"], None),
            server(
                &["turn:a.example?transport=udp", "turns:a.example"],
                Some("1:x"),
            ),
        ];
        let credentials = "username=\"1:x\"; credential=\"a\\\"b\"; credential-type=\"password\"";
        assert_eq!(
            ice_server_links(&servers),
            [
                "<stun:stun.example.org>; rel=\"ice-server\"".to_owned(),
                format!("<turn:a.example?transport=udp>; rel=\"ice-server\"; {credentials}"),
                format!("<turns:a.example>; rel=\"ice-server\"; {credentials}"),
            ]
        );
    }
}
