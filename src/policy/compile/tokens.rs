//! The `tokens` sections.

use std::sync::Arc;

use super::Compiler;
use crate::policy::cases::unusable;
use crate::policy::diagnostic::ErrorCode;
use crate::policy::measure;
use crate::policy::shape::shortened;
use crate::request::is_token_byte;
use crate::secret::SecretReference;
use crate::signature::grammar::is_word;
use crate::token::{
    JwsAlgorithm, KeyFile, KeySet, KeySource, TokenPlace, TokenRules, TokenSection, is_scope, normal_type,
};
use crate::tree::{Entry, Node, Path};

/// A year, in seconds.
const LONGEST: u64 = 8760 * 3600;

impl Compiler<'_, '_> {
    pub(super) fn tokens(&mut self, section: &Node, path: &Path<'_>) -> Vec<TokenSection> {
        let entries = section.entries().iter();
        entries
            .filter_map(|entry| self.token(entry, &path.key(&entry.key)))
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

    fn token(&mut self, entry: &Entry, path: &Path<'_>) -> Option<TokenSection> {
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
        let keys = self.key_source(node.get("keys")?, &path.key("keys"), &algorithms)?;
        Some(TokenSection {
            name: entry.key.clone(),
            issuer: node.get("issuer")?.as_str()?.to_owned(),
            audience,
            algorithms,
            types,
            keys,
            required_claims,
            expect: expected,
            max_lifetime,
            max_age,
            clock_tolerance: tolerance.unwrap_or(30),
            from: from?,
            rules: TokenRules::new(&entry.key),
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

    fn key_source(&mut self, table: &Node, path: &Path<'_>, algorithms: &[JwsAlgorithm]) -> Option<KeySource> {
        match (table.get("file"), table.get("jwks")) {
            (Some(file), None) => Some(KeySource::File(KeyFile {
                reference: SecretReference::File(file.as_str()?.to_owned()),
                path: path.to_string(),
            })),
            (None, Some(jwks)) => self.inline_keys(jwks, &path.key("jwks"), algorithms),
            (file, _) => {
                let (code, message) = match file {
                    Some(_) => (ErrorCode::KeyConflict, "the keys are both in `file` and in `jwks`"),
                    None => (ErrorCode::KeyMissing, "the keys are neither in `file` nor in `jwks`"),
                };
                self.report
                    .error(code, path, table.span.clone(), message.into())
                    .fix("write one, such as `{ file = \"jwks.json\" }`".into());
                None
            }
        }
    }

    fn inline_keys(&mut self, jwks: &Node, path: &Path<'_>, algorithms: &[JwsAlgorithm]) -> Option<KeySource> {
        let mut refuse = |message: String, fix: &str| {
            self.report
                .error(ErrorCode::KeySetRefused, path, jwks.span.clone(), message)
                .fix(fix.to_owned());
        };
        if let Some(value) = unusable(jwks) {
            refuse(
                format!("the key set has {} in it", value.kind()),
                "copy the issuer's key set",
            );
            return None;
        }
        let keys = match KeySet::from_json(&jwks.to_json().to_string()) {
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
        Some(KeySource::Inline(Arc::new(keys)))
    }
}
