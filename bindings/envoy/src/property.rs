//! What Envoy says of a connection, in the engine's terms.

use hostbound::{Peer, Version};

/// The other end of the connection: `source.address` and, where there is one, `source.port`.
///
/// The address is that of an IP socket with its port, or of a Unix socket the path that the listener has. An address with port 0 is not that of a
/// connection: Envoy has it from a header. An internal listener's begins with `envoy:`.
pub(crate) fn peer(address: &[u8], port: Option<&[u8]>) -> Peer {
    match port {
        None if matches!(address.first(), Some(b'/' | b'@')) => Peer::Unix,
        None => Peer::Unknown,
        Some(port) if port.iter().all(|byte| *byte == 0) => Peer::Unknown,
        Some(_) => match without_port(address).and_then(Peer::parse) {
            Some(peer @ Peer::Address(_)) => peer,
            _ => Peer::Unknown,
        },
    }
}

fn without_port(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().rposition(|byte| *byte == b':')?;
    match text.get(..end)? {
        [b'[', address @ .., b']'] => Some(address),
        address => Some(address),
    }
}

/// The version of `request.protocol`; none that is not known.
pub(crate) fn version(text: &[u8]) -> Option<Version> {
    match text {
        b"HTTP/1.0" => Some(Version::Http10),
        b"HTTP/1.1" => Some(Version::Http11),
        b"HTTP/2" => Some(Version::Http2),
        b"HTTP/3" => Some(Version::Http3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Option<&[u8]> = Some(b"\x26\x92\0\0\0\0\0\0");

    #[test]
    fn peers_are_addresses_with_a_port() {
        for (text, want) in [
            ("192.0.2.7:37414", "192.0.2.7"),
            ("[2001:db8::7]:37414", "2001:db8::7"),
            ("[::ffff:192.0.2.7]:37414", "192.0.2.7"),
        ] {
            assert_eq!(
                peer(text.as_bytes(), PORT),
                Peer::parse(want.as_bytes()).unwrap(),
                "{text}"
            );
            for port in [None, Some(&b""[..]), Some(&[0; 8])] {
                assert_eq!(peer(text.as_bytes(), port), Peer::Unknown, "{text}");
            }
        }
        for text in ["192.0.2.7", "[::1]", "[::1", "", "unix:1", "x:1", ":1"] {
            assert_eq!(peer(text.as_bytes(), PORT), Peer::Unknown, "{text}");
        }
    }

    #[test]
    fn peers_are_unix_where_the_listener_has_a_path() {
        for text in ["/run/envoy.sock", "@abstract", "/192.0.2.7:80"] {
            assert_eq!(peer(text.as_bytes(), None), Peer::Unix, "{text}");
            assert_eq!(peer(text.as_bytes(), PORT), Peer::Unknown, "{text}");
        }
        for text in ["", "envoy://inner/7", "run/envoy.sock"] {
            assert_eq!(peer(text.as_bytes(), None), Peer::Unknown, "{text}");
        }
    }

    #[test]
    fn versions_are_those_that_are_known() {
        assert_eq!(version(b"HTTP/1.1"), Some(Version::Http11));
        assert_eq!(version(b"HTTP/2"), Some(Version::Http2));
        assert_eq!(version(b"HTTP/4"), None);
    }
}
