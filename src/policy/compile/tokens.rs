//! The `tokens` sections.

use std::sync::Arc;

use super::Compiler;
use crate::egress::{DestinationKey, Egress};
use crate::policy::diagnostic::ErrorCode;
use crate::policy::digest::write_json;
use crate::policy::measure;
use crate::policy::shape::shortened;
use crate::request::is_token_byte;
use crate::secret::SecretReference;
use crate::signature::grammar::is_word;
use crate::table::Table;
use crate::token::{
    Introspection, JwsAlgorithm, KeyFile, KeySet, TokenPlace, TokenRules, TokenSection, TokenSource, is_scope,
    normal_type,
};
use crate::tree::{Entry, Node, Path};

/// A year, in seconds.
const LONGEST: u64 = 8760 * 3600;

/// Which keys of a set count.
enum Pins {
    Absent,
    /// All, as the policy says in so many words.
    None,
    Listed(Vec<String>),
}

/// The base64url of a SHA-256.
fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && crate::token::base64url(text).is_some()
}

/// The origin of an https URL that stands as WHATWG writes it.
fn origin_of(text: &str) -> Option<DestinationKey> {
    let rest = text.strip_prefix("https://")?;
    let start = rest.find('/')?;
    let (authority, target) = rest.split_at_checked(start)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let path = target.split('?').next().unwrap_or_default();
    if !target.bytes().all(is_plain)
        || path.split('/').any(is_dots)
        || target.len() > 2048
        || authority.ends_with(":443")
        || authority.bytes().any(|byte| byte.is_ascii_uppercase())
    {
        return None;
    }
    DestinationKey::parse(&format!("https://{authority}"))
}

/// `.` or `..`, whether escaped or not.
fn is_dots(segment: &str) -> bool {
    dot(segment).is_some_and(|rest| rest.is_empty() || dot(rest) == Some(""))
}

/// What follows a dot.
fn dot(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('.').or_else(|| text.strip_prefix("%2e"));
    rest.or_else(|| text.strip_prefix("%2E"))
}

impl Compiler<'_, '_> {
    pub(super) fn tokens(&mut self, section: &Node, path: &Path<'_>, egress: Option<&Egress>) -> Vec<TokenSection> {
        let entries = section.entries().iter();
        entries
            .filter_map(|entry| self.token(entry, &path.key(&entry.key), egress))
            .collect()
    }

    /// The scopes that a route asks for.
    pub(super) fn scopes(&mut self, route: &Node, path: &Path<'_>, has_token: bool) -> Vec<String> {
        let Some(list) = route.get("scopes") else {
            return Vec::new();
        };
        let list_path = path.key("scopes");
        if !has_token {
            self.report
                .error(
                    ErrorCode::EntryNeverMatches,
                    &list_path,
                    list.span.clone(),
                    "`scopes` has no effect on a route that requires no token".into(),
                )
                .fix("remove it, or add `token:NAME` to `require`".into());
        }
        let mut scopes = Vec::<String>::new();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            if !is_scope(text) {
                self.value_unknown(
                    item,
                    &path,
                    "scope",
                    "write printable ASCII without spaces, quotes and backslashes",
                );
            } else if scopes.iter().any(|scope| scope == text) {
                self.covered(item, &path, "an earlier entry of this list");
            }
            scopes.push(text.to_owned());
        }
        scopes
    }

    fn token(&mut self, entry: &Entry, path: &Path<'_>, egress: Option<&Egress>) -> Option<TokenSection> {
        let node = &entry.node;
        if !is_word(&entry.key, 64, "_-") {
            let message = format!("`{}` is no name of a section", shortened(&entry.key));
            self.report
                .error(ErrorCode::ValueUnknown, path, entry.key_span.clone(), message)
                .fix("write letters, digits, `_` and `-`, at most 64, a letter or digit first".into());
        }
        let life = "`1s` to `8760h`";
        let max_lifetime = self.measured(node, "max_lifetime", path, measure::seconds, 1..=LONGEST, life);
        let max_age = self.measured(node, "max_age", path, measure::seconds, 1..=LONGEST, life);
        let tolerance = self.measured(
            node,
            "clock_tolerance",
            path,
            measure::seconds,
            0..=600,
            "`0s` to `10m`",
        );
        let audience = self.words(node, "audience", path);
        let required_claims = self.words(node, "required_claims", path);
        let algorithms = self.algorithms(node, path);
        let types = match node.get("types") {
            Some(list) => self.types(list, &path.key("types")),
            None => vec!["at+jwt".to_owned(), "jwt".to_owned()],
        };
        let expect_path = path.key("expect");
        let expect = node.get("expect");
        let mut expected = Vec::new();
        for claim in expect.map_or(&[][..], Node::entries) {
            let values = expect.map_or_else(Vec::new, |expect| self.words(expect, &claim.key, &expect_path));
            expected.push((claim.key.clone(), values));
        }
        let from = self.place(node.get("from"), &path.key("from"));
        let fetched = node.get("keys").and_then(|keys| keys.get("url"));
        if let (Some(_), Some(list)) = (fetched, node.get("algorithms"))
            && algorithms.iter().any(|algorithm| algorithm.is_symmetric())
        {
            let what = "algorithms of HMAC with keys that are fetched: whoever can read a secret can sign";
            self.report
                .error(
                    ErrorCode::ValueUnknown,
                    &path.key("algorithms"),
                    list.span.clone(),
                    what.into(),
                )
                .fix("list algorithms of public keys, or put the key set into a file".into());
        }
        let (source, pins) = match (node.entry("keys"), node.get("introspection")) {
            (Some(keys), None) => {
                if node.get("algorithms").is_none() {
                    self.report
                        .error(
                            ErrorCode::KeyMissing,
                            path,
                            node.span.clone(),
                            "the key `algorithms` is missing".into(),
                        )
                        .fix(
                            "add the algorithms that the issuer signs with, such as `algorithms = [\"RS256\"]`".into(),
                        );
                }
                self.key_source(&keys.node, &path.key("keys"), &algorithms, egress)?
            }
            (None, Some(rules)) => {
                for key in ["algorithms", "types"] {
                    if let Some(entry) = node.entry(key) {
                        let message = format!("`{key}` has no effect on opaque tokens");
                        self.report
                            .error(ErrorCode::KeyConflict, &path.key(key), entry.key_span.clone(), message)
                            .fix("remove it".into());
                    }
                }
                let source = self.introspection(rules, &path.key("introspection"), egress)?;
                (source, Vec::new())
            }
            (keys, _) => {
                let (code, message) = match keys {
                    Some(_) => (
                        ErrorCode::KeyConflict,
                        "the section has both `keys` and `introspection`",
                    ),
                    None => (
                        ErrorCode::KeyMissing,
                        "the section has neither `keys` nor `introspection`",
                    ),
                };
                self.report
                    .error(code, path, node.span.clone(), message.into())
                    .fix("write one: `keys` for signed tokens, `introspection` for opaque ones".into());
                return None;
            }
        };
        Some(TokenSection {
            name: entry.key.as_str().into(),
            issuer: node.get("issuer")?.as_str()?.into(),
            audience,
            algorithms,
            types,
            rules: TokenRules::new(&entry.key, &source),
            source,
            pins,
            is_cached: node.get("cache").and_then(Node::as_bool).unwrap_or(true),
            required_claims,
            expect: expected,
            max_lifetime,
            max_age,
            clock_tolerance: tolerance.unwrap_or(30),
            from: from?,
        })
    }

    /// A list of strings, each once.
    fn words(&mut self, table: &Node, key: &str, path: &Path<'_>) -> Vec<String> {
        let list_path = path.key(key);
        let mut words = Vec::<String>::new();
        for (index, item) in table.get(key).map_or(&[][..], Node::items).iter().enumerate() {
            let text = item.as_str().unwrap_or_default();
            if words.iter().any(|word| word == text) {
                self.covered(item, &list_path.index(index), "an earlier entry of this list");
            }
            words.push(text.to_owned());
        }
        words
    }

    fn types(&mut self, list: &Node, list_path: &Path<'_>) -> Vec<String> {
        let mut types = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let kind = normal_type(item.as_str().unwrap_or_default());
            let path = list_path.index(index);
            if !kind.bytes().all(|byte| is_token_byte(byte) || byte == b'/') {
                self.value_unknown(item, &path, "value of `typ`", "write something like `at+jwt`");
            } else if types.contains(&kind) {
                self.covered(item, &path, "an earlier entry of this list");
            }
            types.push(kind);
        }
        types
    }

    fn algorithms(&mut self, section: &Node, path: &Path<'_>) -> Vec<JwsAlgorithm> {
        let list_path = path.key("algorithms");
        let list = section.get("algorithms");
        let mut algorithms = Vec::new();
        for (index, item) in list.map_or(&[][..], Node::items).iter().enumerate() {
            let Some(algorithm) = item.as_str().and_then(JwsAlgorithm::parse) else {
                continue;
            };
            if algorithms.contains(&algorithm) {
                self.covered(item, &list_path.index(index), "an earlier entry of this list");
            }
            algorithms.push(algorithm);
        }
        let symmetric = algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
        if let (Some(list), true) = (list, symmetric > 0 && symmetric < algorithms.len()) {
            self.report
                .error(
                    ErrorCode::ValueUnknown,
                    &list_path,
                    list.span.clone(),
                    "algorithms of HMAC beside those of public keys: a public key could be taken for a secret".into(),
                )
                .fix("keep those of one kind (RFC 8725 §3.1)".into());
        }
        algorithms
    }

    fn place(&mut self, table: Option<&Node>, path: &Path<'_>) -> Option<TokenPlace> {
        let Some(table) = table else {
            return Some(TokenPlace::Bearer);
        };
        let (header, cookie) = (table.get("header"), table.get("cookie"));
        match (header, cookie) {
            (Some(node), None) => {
                let name = node.as_str()?.to_ascii_lowercase();
                if name == "authorization" {
                    return Some(TokenPlace::Bearer);
                }
                if !super::signatures::is_own_header(&name) {
                    self.value_unknown(
                        node,
                        &path.key("header"),
                        "name for this header",
                        "write a name such as `x-access-token`",
                    );
                }
                Some(TokenPlace::Header(name))
            }
            (None, Some(node)) => {
                let name = node.as_str()?;
                if !name.bytes().all(is_token_byte) {
                    self.value_unknown(
                        node,
                        &path.key("cookie"),
                        "name of a cookie",
                        "write a name such as `session`",
                    );
                }
                Some(TokenPlace::Cookie(name.to_owned()))
            }
            (header, _) => {
                let (code, message) = match header {
                    Some(_) => (ErrorCode::KeyConflict, "`from` has both `header` and `cookie`"),
                    None => (ErrorCode::KeyMissing, "`from` has neither `header` nor `cookie`"),
                };
                self.report
                    .error(code, path, table.span.clone(), message.into())
                    .fix("write one, such as `{ header = \"authorization\" }`".into());
                None
            }
        }
    }

    /// The keys, and the thumbprints of those that count.
    fn key_source(
        &mut self,
        table: &Node,
        path: &Path<'_>,
        algorithms: &[JwsAlgorithm],
        egress: Option<&Egress>,
    ) -> Option<(TokenSource, Vec<String>)> {
        let pins = self.thumbprints(table.get("pins"), &path.key("pins"));
        match (table.get("file"), table.get("jwks"), table.get("url")) {
            (Some(file), None, None) => {
                let source = TokenSource::File(KeyFile {
                    reference: SecretReference::File(file.as_str()?.to_owned()),
                    path: path.to_string(),
                });
                Some((source, self.named(pins, table, path)))
            }
            (None, Some(jwks), None) => {
                let pins = self.named(pins, table, path);
                let source = self.inline_keys(jwks, &path.key("jwks"), algorithms, &pins)?;
                Some((source, pins))
            }
            (None, None, Some(url)) => {
                let origin = self.fetched(url, &path.key("url"), egress)?;
                let is_trusted = egress.and_then(|egress| egress.destinations.get(&origin.bytes()));
                let is_trusted = is_trusted.is_some_and(|one| !one.pins.is_empty() || one.ca.is_some());
                if matches!(pins, Pins::Absent) && !is_trusted {
                    let what = "keys that come over the network need pins: whoever answers in the issuer's place could sign tokens";
                    self.report
                        .error(ErrorCode::KeyMissing, path, table.span.clone(), what.into())
                        .fix("add the thumbprints that `hostbound keys thumbprint` prints, or `pins` or `ca` to the entry of egress.destinations".into());
                }
                let pins = match pins {
                    Pins::Listed(pins) => pins,
                    Pins::Absent | Pins::None => Vec::new(),
                };
                Some((TokenSource::Url(url.as_str()?.to_owned()), pins))
            }
            (file, jwks, url) => {
                let is_none = [file, jwks, url].iter().all(Option::is_none);
                let (code, message) = if is_none {
                    (
                        ErrorCode::KeyMissing,
                        "the keys are neither in `file` nor in `jwks` nor at a `url`",
                    )
                } else {
                    (
                        ErrorCode::KeyConflict,
                        "the keys are in more than one of `file`, `jwks` and `url`",
                    )
                };
                self.report
                    .error(code, path, table.span.clone(), message.into())
                    .fix("write one, such as `{ file = \"jwks.json\" }`".into());
                None
            }
        }
    }

    fn thumbprints(&mut self, node: Option<&Node>, path: &Path<'_>) -> Pins {
        let Some(node) = node else { return Pins::Absent };
        if node.as_str() == Some("none") {
            return Pins::None;
        }
        let single = std::slice::from_ref(node);
        let is_list = node.as_str().is_none();
        let items = if is_list { node.items() } else { single };
        let mut pins: Vec<String> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = item.as_str().unwrap_or_default();
            let path = if is_list { path.index(index) } else { *path };
            if !is_thumbprint(text) {
                self.value_unknown(
                    item,
                    &path,
                    "thumbprint",
                    "write the 43 characters that `hostbound keys thumbprint` prints",
                );
            } else if pins.iter().any(|pin| pin == text) {
                self.covered(item, &path, "an earlier entry of this list");
            }
            pins.push(text.to_owned());
        }
        Pins::Listed(pins)
    }

    /// The pins of keys that are not fetched.
    fn named(&mut self, pins: Pins, table: &Node, path: &Path<'_>) -> Vec<String> {
        match pins {
            Pins::Listed(pins) => pins,
            Pins::Absent => Vec::new(),
            Pins::None => {
                let node = table.get("pins").unwrap_or(table);
                let what = "`\"none\"` has no effect on keys that are not fetched";
                self.report
                    .error(
                        ErrorCode::EntryNeverMatches,
                        &path.key("pins"),
                        node.span.clone(),
                        what.into(),
                    )
                    .fix("remove it".into());
                Vec::new()
            }
        }
    }

    /// A URL that the face fetches, in the spelling that it is sent in; its origin, which `egress` lists.
    fn fetched(&mut self, node: &Node, path: &Path<'_>, egress: Option<&Egress>) -> Option<DestinationKey> {
        let text = node.as_str().unwrap_or_default();
        let Some(origin) = origin_of(text) else {
            self.value_unknown(
                node,
                path,
                "https URL that can be fetched",
                "write one such as `https://auth.example.com/.well-known/jwks.json`, in lower case, without user, dot segments and fragment",
            );
            return None;
        };
        if !egress.is_some_and(|egress| egress.lists(&origin)) {
            let message = format!("`{}` is in no entry of egress.allow", shortened(text));
            self.report
                .error(ErrorCode::ReferenceUnknown, path, node.span.clone(), message)
                .fix(format!("add `https://{}` to `allow` of section `egress`", origin.host));
        }
        Some(origin)
    }

    fn introspection(&mut self, table: &Node, path: &Path<'_>, egress: Option<&Egress>) -> Option<TokenSource> {
        let url = table.get("url");
        let origin = url.and_then(|url| self.fetched(url, &path.key("url"), egress));
        if let (Some(url), Some(origin), Some(egress)) = (url, &origin, egress) {
            let own = egress
                .destinations
                .get(&origin.bytes())
                .map(|one| one.credentials.as_slice());
            let bound = own
                .into_iter()
                .chain(egress.credentials.get(&origin.bytes()).map(Vec::as_slice))
                .flatten();
            if egress.lists(origin) && !bound.into_iter().any(|name| name == "authorization") {
                let message = format!(
                    "`authorization` is not among the credentials for `{}`",
                    shortened(url.as_str()?)
                );
                self.report
                    .error(ErrorCode::ReferenceUnknown, &path.key("url"), url.span.clone(), message)
                    .fix(format!(
                        "add `credentials = {{ \"https://{}\" = [\"authorization\"] }}` to section `egress`",
                        origin.host
                    ));
            }
        }
        // Several sections may ask one server as one client.
        let secret = self.secret(table.get("secret"), &path.key("secret"), &mut Table::default());
        origin?;
        Some(TokenSource::Introspection(Introspection {
            url: url?.as_str()?.to_owned(),
            client_id: table.get("client_id")?.as_str()?.to_owned(),
            secret: secret?,
        }))
    }

    fn inline_keys(
        &mut self,
        jwks: &Node,
        path: &Path<'_>,
        algorithms: &[JwsAlgorithm],
        pins: &[String],
    ) -> Option<TokenSource> {
        let mut refuse = |message: String, fix: &str| {
            self.report
                .error(ErrorCode::KeySetRefused, path, jwks.span.clone(), message)
                .fix(fix.to_owned());
        };
        if let Some(value) = jwks.unusable() {
            refuse(
                format!("the key set has {} in it", value.kind()),
                "copy the issuer's key set",
            );
            return None;
        }
        let mut text = String::new();
        write_json(&mut text, jwks);
        let read = if pins.is_empty() {
            KeySet::from_json(&text)
        } else {
            KeySet::pinned(&text, pins).map(|(keys, _)| keys)
        };
        let keys = match read {
            Ok(keys) => keys,
            Err(errors) => {
                for error in errors.errors() {
                    refuse(error.to_string(), "leave the key out, or give one that may verify");
                }
                return None;
            }
        };
        if keys.is_symmetric() {
            refuse(
                "a secret has no place in a policy".into(),
                "put the key set into a file, and name that",
            );
        } else if !keys.fits_any(algorithms) {
            refuse(
                "no key of the set fits a listed algorithm".into(),
                "correct `algorithms`, or the keys",
            );
        }
        Some(TokenSource::Inline(Arc::new(keys)))
    }
}
