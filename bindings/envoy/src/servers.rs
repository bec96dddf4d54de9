//! The servers that are asked about tokens, as Envoy reaches them: a cluster, an authority and a path.
//!
//! Which they are is the policy's; to what address a cluster leads, and whom it trusts, is Envoy's configuration.

use hostbound::Policy;

use crate::config::ConfigError;

/// The server of one `tokens` section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Server {
    pub(crate) section: String,
    pub(crate) cluster: String,
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    /// With its query.
    pub(crate) path: String,
}

impl Server {
    /// The servers of a policy, by the clusters of their origins.
    pub(crate) fn of(policy: &Policy, clusters: &[(&str, &str)]) -> Result<Vec<Self>, ConfigError> {
        let servers = policy.token_servers().map(|(section, url)| {
            let section = section.to_owned();
            let Some((scheme, authority, path)) = split(url) else {
                return Err(ConfigError::Url { section });
            };
            let origin = format!("{scheme}://{authority}");
            let Some((_, cluster)) = clusters.iter().find(|(known, _)| *known == origin) else {
                return Err(ConfigError::ServerMissing { section, origin });
            };
            Ok(Self {
                section,
                cluster: (*cluster).to_owned(),
                scheme,
                authority: authority.to_owned(),
                path,
            })
        });
        servers.collect()
    }
}

/// Scheme, authority and path of a URL that is written as it is sent.
fn split(url: &str) -> Option<(&'static str, &str, String)> {
    let (scheme, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => ("https", rest),
        (None, Some(rest)) => ("http", rest),
        (None, None) => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let is_sent_as_it_is = |byte: u8| byte.is_ascii_graphic() && !b"#@\\".contains(&byte);
    if authority.is_empty() || !rest.bytes().all(is_sent_as_it_is) {
        return None;
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some((scheme, authority, format!("{slash}{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_as_they_are_sent() {
        for (url, want) in [
            ("https://a.example", Some(("https", "a.example", "/"))),
            (
                "https://a.example:8443/k?x=1",
                Some(("https", "a.example:8443", "/k?x=1")),
            ),
            ("http://127.0.0.1?x", Some(("http", "127.0.0.1", "/?x"))),
            ("https:///k", None),
            ("https://u@a.example/", None),
            ("https://a.example/#k", None),
            ("https://a.example/k k", None),
            ("ftp://a.example/", None),
        ] {
            let want = want.map(|(scheme, authority, path)| (scheme, authority, path.to_owned()));
            assert_eq!(split(url), want, "{url}");
        }
    }
}
