//! What a proxy tells the server behind it of an allowed request, in headers that clients cannot bring along.
//!
//! Decides their names and spelling. The face leaves out what clients sent of them, and adds these.

use super::Verdict;

/// What the names of all headers of [`Verdict::identity_headers`] begin with.
pub const IDENTITY_PREFIX: &str = "x-hostbound-";

/// True for a header that a server could take for one of [`Verdict::identity_headers`]: a proxy must not pass on what clients send of them, whether or not it
/// adds any itself.
///
/// Names are compared without case, and every byte that is neither letter nor digit counts as `-`: CGI (RFC 3875 §4.1.18), WSGI and PHP give `X_Hostbound_Host`
/// and `X.Hostbound.Host` to applications under the one name of `X-Hostbound-Host`.
#[must_use]
pub fn is_identity_header(name: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'-',
    };
    let start = name.get(..IDENTITY_PREFIX.len());
    start.is_some_and(|start| start.iter().map(fold).eq(IDENTITY_PREFIX.bytes()))
}

impl Verdict<'_> {
    /// What was proved of an allowed request, as headers for the server behind a proxy; nothing on a denial.
    ///
    /// | name | value |
    /// |---|---|
    /// | `x-hostbound-policy` | the policy's digest: always there, so that its absence shows that nobody judged |
    /// | `x-hostbound-host` | the authority that passed the host check |
    /// | `x-hostbound-route` | the name of the route |
    /// | `x-hostbound-preflight` | `true` for a CORS preflight, which is asked for no credentials, whatever its route requires |
    /// | `x-hostbound-signature`, `-key-id`, `-nonce` | the section by which it is signed, the key's id, the nonce |
    /// | `x-hostbound-token`, `-issuer`, `-subject`, `-scopes` | the section of the token, `iss`, `sub`, and the scopes with a space between each |
    ///
    /// What was not proved is left out, as are scopes if there are none. In values all but printable ASCII, and `%`, is percent-encoded (RFC 3986 §2.1, as
    /// UTF-8): decoding gives back what was proved, and nothing can end a header. A value is never cut, since half of a subject is another's, nor left out for
    /// its length. It is as long as the token, 16 KiB, or the answer about it, 64 KiB, can make it, three times that at most; servers that take less refuse the
    /// request themselves.
    #[must_use]
    pub fn identity_headers(&self) -> Vec<(&'static str, String)> {
        let Some(identity) = self.identity() else {
            return Vec::new();
        };
        let (signature, token) = (identity.signature(), identity.token());
        let scopes = token.map(|token| token.scopes().iter().map(|scope| encoded(scope)).collect::<Vec<_>>());
        [
            ("x-hostbound-policy", Some(encoded(&self.provenance.digest))),
            (
                "x-hostbound-host",
                identity.host().map(|host| encoded(&host.to_string())),
            ),
            ("x-hostbound-route", identity.route().map(encoded)),
            ("x-hostbound-preflight", identity.preflight().then(|| "true".into())),
            (
                "x-hostbound-signature",
                signature.map(|signature| encoded(signature.name())),
            ),
            (
                "x-hostbound-key-id",
                signature.map(|signature| encoded(signature.key_id())),
            ),
            (
                "x-hostbound-nonce",
                signature.and_then(|signature| signature.nonce()).map(encoded),
            ),
            ("x-hostbound-token", token.map(|token| encoded(token.name()))),
            ("x-hostbound-issuer", token.map(|token| encoded(token.issuer()))),
            (
                "x-hostbound-subject",
                token.and_then(|token| token.subject()).map(encoded),
            ),
            (
                "x-hostbound-scopes",
                scopes
                    .filter(|scopes| !scopes.is_empty())
                    .map(|scopes| scopes.join(" ")),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// RFC 3986 §2.1, of all but 0x21–0x7e, and of `%`.
fn encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, 0x21..=0x7e) && byte != b'%' {
            value.push(char::from(byte));
        } else {
            value.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_server_could_fold_into_one_are_told() {
        for (name, want) in [
            ("x-hostbound-host", true),
            ("X-Hostbound-Subject", true),
            ("x-hostbound-", true),
            ("X_HOSTBOUND_HOST", true),
            ("x_hostbound-host", true),
            ("x.hostbound.host", true),
            ("x-hostbound_anything", true),
            ("x~hostbound!host", true),
            ("x hostbound\0host", true),
            ("x-hostbound", false),
            ("x-hostbounds-host", false),
            ("x--hostbound-host", false),
            ("xhostbound-host", false),
            ("hostbound-host", false),
            ("http-x-hostbound-host", false),
            ("x-request-id", false),
            ("", false),
            // Long s and Kelvin sign fold to ASCII in Unicode alone.
            ("x-ho\u{17f}tbound-host", false),
        ] {
            assert_eq!(is_identity_header(name.as_bytes()), want, "{name:?}");
        }
        assert!(is_identity_header(b"x\xffhostbound\x80host"));
    }

    #[test]
    fn values_are_printable_and_can_be_read_back() {
        for (text, want) in [
            ("", ""),
            ("alice", "alice"),
            ("https://auth.example.com/?a=b#c", "https://auth.example.com/?a=b#c"),
            ("two words", "two%20words"),
            (" edge\t", "%20edge%09"),
            ("100%", "100%25"),
            ("%0d", "%250d"),
            ("a\r\nx-hostbound-subject: root", "a%0D%0Ax-hostbound-subject:%20root"),
            ("nul\0", "nul%00"),
            ("\u{7f}", "%7F"),
            ("Zoë", "Zo%C3%AB"),
            ("\u{2028}", "%E2%80%A8"),
            ("😀", "%F0%9F%98%80"),
            ("a,b;c=\"d\"\\", "a,b;c=\"d\"\\"),
        ] {
            assert_eq!(encoded(text), want);
        }
    }
}
