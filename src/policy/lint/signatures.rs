//! Weak choices in `signatures`: what a signature leaves open.

use super::Linter;
use crate::policy::diagnostic::LintId;
use crate::policy::measure;
use crate::signature::Profile;
use crate::tree::{Node, Path};

/// A signature that lives longer is a wide window for a replay: five minutes, in seconds.
const WIDE: u64 = 300;

/// What each part of a request is covered by, with the lint for when nothing does.
const COVERED_BY: [(LintId, &[&str], &str, &str); 3] = [
    (
        LintId::SignatureHostUnbound,
        &["@authority", "@target-uri"],
        "the signature does not cover the host: a signed request can be sent to another one",
        "add `@authority`",
    ),
    (
        LintId::SignatureQueryUnsigned,
        &["@query", "@request-target", "@target-uri"],
        "the signature does not cover the query: anyone on the way can change it",
        "add `@query`",
    ),
    (
        LintId::SignatureBodyUnbound,
        &["content-digest"],
        "the signature does not cover the body: requests with one are denied",
        "add `content-digest`",
    ),
];

impl Linter<'_> {
    pub(super) fn signatures(&mut self) {
        let path = Path::ROOT;
        let path = path.key("signatures");
        let document = self.document;
        for entry in document.root.get("signatures").map_or(&[][..], Node::entries) {
            let path = path.key(&entry.key);
            let section = &entry.node;
            let text = |key| section.get(key).and_then(Node::as_str);
            if let (Some(node), Some(Profile::ServiceScoped)) =
                (section.get("profile"), text("profile").and_then(Profile::parse))
            {
                let message =
                    "`service-scoped` signs neither host nor nonce: the policy has to make up for both".into();
                let fix = "move to `host-nonce` or `http-message-signatures` when the clients can";
                self.lint(LintId::SignatureLegacy, &path.key("profile"), node, message, fix);
            }
            if let Some(components) = section.get("components") {
                let has = |name: &&str| components.items().iter().any(|item| item.as_str() == Some(name));
                for (id, names, message, fix) in COVERED_BY {
                    if !names.iter().any(has) {
                        self.lint(id, &path.key("components"), components, message.into(), fix);
                    }
                }
            }
            let query = section.get("query").filter(|_| text("query") == Some("unsigned"));
            if let Some(query) = query {
                let message = "the signature does not cover the query: anyone on the way can change it".into();
                let fix = "sign the query, and remove this";
                self.lint(LintId::SignatureQueryUnsigned, &path.key("query"), query, message, fix);
            }
            let parameters = section.get("parameters");
            let is_nonce = |item: &Node| item.as_str() == Some("nonce");
            let without = parameters
                .filter(|list| !list.items().iter().any(is_nonce))
                .map(|node| ("parameters", node));
            let none = section.get("nonce").filter(|_| text("nonce") == Some("none"));
            if let Some((key, node)) = without.or(none.map(|node| ("nonce", node))) {
                let message = "a signed request can be sent again while its signature is fresh".into();
                let fix = if key == "nonce" {
                    "remove it, or write `mac`"
                } else {
                    "add `nonce`"
                };
                self.lint(LintId::SignatureNonceAbsent, &path.key(key), node, message, fix);
            }
            if let Some(age) = section.get("max_age")
                && text("max_age").and_then(measure::seconds).is_some_and(|age| age > WIDE)
            {
                let message = "a signature lives for more than five minutes".into();
                self.lint(
                    LintId::SignatureWindowWide,
                    &path.key("max_age"),
                    age,
                    message,
                    "write `5m` or less",
                );
            }
            if self.surroundings.has_several_processes && text("replay") != Some("shared") {
                let (key_path, node) = match section.get("replay") {
                    Some(node) => (path.key("replay"), node),
                    None => (path, section),
                };
                let message =
                    "each process keeps its own used nonces: a request can be replayed once to every other".into();
                self.lint(
                    LintId::ReplayProcess,
                    &key_path,
                    node,
                    message,
                    "write `replay = \"shared\"`",
                );
            }
        }
    }
}
