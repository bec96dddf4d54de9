//! A request in the words of curl, for `hostbound explain` and `sign`: method, URL, `-H`.

use clap::{Args, ValueEnum};
use hostbound::RequestDocument;
use serde_json::{Value, json};

/// What a URL and a few options say about a request.
#[derive(Args, Debug)]
pub(crate) struct Shorthand {
    /// A header field of the request; `-H Host:` is sent empty (repeatable)
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// The connection's scheme [default: the URL's, else http]
    #[arg(long, value_enum)]
    scheme: Option<Scheme>,

    /// The HTTP version [default: 1.1]
    #[arg(long, value_name = "VERSION", value_parser = ["1.0", "1.1", "2", "3"])]
    http: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scheme {
    Http,
    Https,
}

impl Shorthand {
    /// True if one of the options was given: they mean nothing to a request in JSON.
    pub(crate) fn is_given(&self) -> bool {
        let Self { headers, scheme, http } = self;
        !headers.is_empty() || scheme.is_some() || http.is_some()
    }

    /// The request. Of a URL the authority becomes Host (`:authority` on HTTP/2 and 3), unless one is given, and the path and query the target.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn request(&self, method: &str, url: &str, peer: Option<&str>) -> Result<RequestDocument, String> {
        let version = self.http.as_deref().unwrap_or("1.1");
        let mut headers = Vec::new();
        for header in &self.headers {
            headers.push(field(header)?);
        }
        let (scheme, target) = match Url::parse(url) {
            None => (self.scheme.unwrap_or(Scheme::Http), url.to_owned()),
            Some(url) => {
                if url.authority.contains('@') {
                    return Err("a URL with a user name is not sent as it stands; give -H 'Authorization: …'".into());
                }
                let has_host = |(name, _): &(String, _)| name.eq_ignore_ascii_case("host") || name == ":authority";
                if !headers.iter().any(has_host) {
                    let name = if matches!(version, "2" | "3") {
                        ":authority"
                    } else {
                        "Host"
                    };
                    headers.insert(0, (name.to_owned(), url.authority.to_owned()));
                }
                (self.scheme.unwrap_or(url.scheme), url.target())
            }
        };
        let headers: Vec<Value> = headers
            .iter()
            .map(|(name, value)| json!([latin1(name), latin1(value)]))
            .collect();
        let scheme = match scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let document = json!({
            "method": latin1(method),
            "scheme": scheme,
            "version": version,
            "target": latin1(&target),
            "headers": headers,
            "peer": peer,
        });
        // Only the peer can be wrong; the rest is bytes, which the engine judges.
        RequestDocument::from_json(document.to_string().as_bytes()).map_err(|_| {
            let peer = peer.unwrap_or_default();
            format!("--peer `{peer}` is no address; write one without port and zone, or `unix`")
        })
    }
}

/// The JSON form of bytes: each the character of its code.
fn latin1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// `Name: value`; the name may begin with a colon.
fn field(header: &str) -> Result<(String, String), String> {
    let colon = header
        .char_indices()
        .skip(1)
        .find(|(_, character)| *character == ':')
        .map(|(at, _)| at);
    let (name, value) = colon
        .and_then(|at| Some((header.get(..at)?, header.get(at + 1..)?)))
        .ok_or_else(|| format!("-H `{header}` has no colon; write -H 'Name: value'"))?;
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// An absolute URL, cut where its parts meet; nothing of it is decoded or put in order.
#[derive(Debug)]
struct Url<'a> {
    scheme: Scheme,
    authority: &'a str,
    path_and_query: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = Scheme::from_str(scheme, true).ok()?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        // A fragment never leaves the client.
        let path_and_query = rest.split('#').next()?;
        Some(Self {
            scheme,
            authority,
            path_and_query,
        })
    }

    fn target(&self) -> String {
        let slash = if self.path_and_query.starts_with('/') { "" } else { "/" };
        format!("{slash}{}", self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_cut_not_mended() {
        for (url, authority, target) in [
            ("http://127.0.0.1:8080/path?q#f", "127.0.0.1:8080", "/path?q"),
            ("HTTPS://[::1]", "[::1]", "/"),
            ("http://a?b", "a", "/?b"),
            ("http://a/../%2e//b", "a", "/../%2e//b"),
            ("http://a\\b/c", "a\\b", "/c"),
            ("http:///x", "", "/x"),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(
                (parsed.authority, parsed.target().as_str()),
                (authority, target),
                "{url}"
            );
        }
        assert!(Url::parse("/path").is_none());
        assert!(Url::parse("ftp://a/").is_none());
    }

    #[test]
    fn fields_are_split_at_their_colon() {
        for (header, name, value) in [
            ("Host: a:80", "Host", "a:80"),
            ("Host:", "Host", ""),
            (":authority: a", ":authority", "a"),
            ("X:  y\t", "X", "y"),
        ] {
            assert_eq!(field(header).unwrap(), (name.to_owned(), value.to_owned()));
        }
        assert!(field("Host").is_err());
        assert!(field("").is_err());
    }
}
