//! What Envoy says of a connection, in the engine's terms.

use hostbound::{Peer, Version};

/// The other end of the connection. An address with port 0 is none: Envoy has it from a header.
///
/// `text` is `source.address`: an address and a port, or the path of a Unix socket, which is empty for a client that has none.
pub(crate) fn peer(text: &[u8]) -> Peer {
    let address = match text {
        [b'[', rest @ ..] => rest
            .iter()
            .position(|byte| *byte == b']')
            .and_then(|end| Some((rest.get(..end)?, rest.get(end.checked_add(1)?..)?))),
        _ => text
            .iter()
            .position(|byte| *byte == b':')
            .and_then(|end| text.split_at_checked(end)),
    };
    let Some((address, port)) = address else {
        return Peer::Unknown;
    };
    match port.strip_prefix(b":") {
        None | Some(b"" | b"0") => Peer::Unknown,
        Some(_) => match Peer::parse(address) {
            Some(peer @ Peer::Address(_)) => peer,
            _ => Peer::Unknown,
        },
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

    #[test]
    fn peers_have_an_address_and_a_port() {
        for (text, want) in [
            ("192.0.2.7:37414", "192.0.2.7"),
            ("[2001:db8::7]:37414", "2001:db8::7"),
            ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ] {
            assert_eq!(peer(text.as_bytes()), Peer::parse(want.as_bytes()).unwrap(), "{text}");
        }
        for text in [
            "192.0.2.7:0",
            "192.0.2.7",
            "192.0.2.7:",
            "[::1]:0",
            "[::1]",
            "[::1",
            "",
            "unix:1",
            "x:1",
            ":1",
        ] {
            assert_eq!(peer(text.as_bytes()), Peer::Unknown, "{text}");
        }
    }

    #[test]
    fn versions_are_those_that_are_known() {
        assert_eq!(version(b"HTTP/1.1"), Some(Version::Http11));
        assert_eq!(version(b"HTTP/2"), Some(Version::Http2));
        assert_eq!(version(b"HTTP/4"), None);
    }
}
