//! Weak choices in `tokens`: keys that the network alone vouches for, tokens of no type, algorithms that are slow.

use super::Linter;
use crate::policy::diagnostic::LintId;
use crate::token::{JwsAlgorithm, KeySet, VerificationKey, normal_type};
use crate::tree::{Node, Path, Value};

/// The largest RSA key that WebAssembly verifies in good time, in bits.
const QUICK_RSA: usize = 3072;

impl Linter<'_> {
    pub(super) fn tokens(&mut self) {
        let path = Path::ROOT;
        let path = path.key("tokens");
        let document = self.document;
        for entry in document.root.get("tokens").map_or(&[][..], Node::entries) {
            let path = path.key(&entry.key);
            let section = &entry.node;
            if let Some(types) = section.get("types") {
                self.types(types, &path.key("types"));
            }
            if let Some(algorithms) = section.get("algorithms") {
                self.algorithms(algorithms, &path.key("algorithms"));
            }
            if let Some(keys) = section.get("keys") {
                self.fetched_keys(keys, &path.key("keys"));
                self.inline_keys(keys, &path.key("keys"));
            }
        }
    }

    fn types(&mut self, list: &Node, path: &Path<'_>) {
        for (index, item) in list.items().iter().enumerate() {
            if item.as_str().is_some_and(|kind| normal_type(kind).is_empty()) {
                let message = "tokens without `typ` are taken: most ID tokens are such".into();
                let fix = "list the type of the issuer's access tokens, such as `at+jwt`";
                self.lint(LintId::TypeAbsent, &path.index(index), item, message, fix);
            }
        }
    }

    fn algorithms(&mut self, list: &Node, path: &Path<'_>) {
        for (index, item) in list.items().iter().enumerate() {
            let algorithm = item.as_str().and_then(JwsAlgorithm::parse);
            let slow = algorithm.filter(|algorithm| {
                matches!(
                    algorithm,
                    JwsAlgorithm::Es384 | JwsAlgorithm::Ps256 | JwsAlgorithm::Ps384 | JwsAlgorithm::Ps512
                )
            });
            if let Some(slow) = slow {
                let message = format!("`{slow}` is slow where WebAssembly verifies it");
                let fix = "prefer ES256, EdDSA or RS256 if the issuer can";
                self.lint(LintId::SlowInWasm, &path.index(index), item, message, fix);
            }
        }
    }

    fn fetched_keys(&mut self, keys: &Node, path: &Path<'_>) {
        let Some(url) = keys.get("url") else { return };
        match keys.get("pins") {
            None => {
                let message = "the keys are trusted by TLS with the destination alone: whoever can write to that server can sign tokens".into();
                let fix = "add `pins`, the thumbprints that `hostbound keys thumbprint` prints";
                self.lint(LintId::KeysTlsTrusted, &path.key("url"), url, message, fix);
            }
            Some(pins) if pins.as_str() == Some("none") => {
                let message = "any key that the URL answers with is trusted: whoever gets a certificate for its name can sign tokens".into();
                let fix = "write the thumbprints that `hostbound keys thumbprint` prints";
                self.lint(LintId::KeysUnpinned, &path.key("pins"), pins, message, fix);
            }
            Some(_) => {}
        }
    }

    fn inline_keys(&mut self, keys: &Node, path: &Path<'_>) {
        let Some(jwks) = keys.get("jwks") else { return };
        let path = path.key("jwks");
        let list_path = path.key("keys");
        // Where keys are pinned, only those count.
        let pins = keys.get("pins").map(|pins| match &pins.value {
            Value::List(items) => items.iter().filter_map(Node::as_str).collect(),
            _ => Vec::from_iter(pins.as_str()),
        });
        let counts = |key: &VerificationKey| {
            let thumbprint = key.thumbprint();
            pins.as_ref()
                .is_none_or(|pins| thumbprint.is_some_and(|own| pins.contains(&own.as_str())))
        };
        let single = std::slice::from_ref(jwks);
        let list = jwks.get("keys").map(Node::items);
        for (index, item) in list.unwrap_or(single).iter().enumerate() {
            let set = KeySet::from_json(&item.to_json().to_string()).ok();
            let key = set.as_ref().and_then(|set| set.keys().first());
            let is_slow = |key: &&VerificationKey| key.modulus_bits().is_some_and(|bits| bits > QUICK_RSA);
            if let Some(key) = key.filter(|key| counts(key)).filter(is_slow) {
                let message = format!("a key of {} is slow where WebAssembly verifies with it", key.kind());
                let path = if list.is_some() { list_path.index(index) } else { path };
                let fix = "prefer keys of 3072 bits or less, or of ES256 or EdDSA, if the issuer can";
                self.lint(LintId::SlowInWasm, &path, item, message, fix);
            }
        }
    }
}
