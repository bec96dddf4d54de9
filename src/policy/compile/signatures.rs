//! The `signatures` sections.

use super::Compiler;
use super::keys::KeysOf;
use super::lists::HostList;
use crate::policy::diagnostic::ErrorCode;
use crate::policy::measure;
use crate::policy::shape::shortened;
use crate::request::is_token_byte;
use crate::signature::grammar::is_word;
use crate::signature::{
    HeaderNames, ListedComponent, MAX_COMPONENTS, MacNonce, MessageRules, Profile, RuleNames, SchemeRules, Selector,
    SignatureParameter, SignatureSection,
};
use crate::table::Table;
use crate::tree::{Entry, Node, Path};

/// The keys that only some profiles have.
const OWN_KEYS: [(&str, &[Profile]); 7] = [
    ("components", &[Profile::HttpMessageSignatures]),
    ("parameters", &[Profile::HttpMessageSignatures]),
    ("tag", &[Profile::HttpMessageSignatures]),
    ("label", &[Profile::HttpMessageSignatures]),
    ("nonce", &[Profile::ServiceScoped]),
    ("query", &[Profile::ServiceScoped]),
    ("service_id", &[Profile::ServiceScoped]),
];

/// The header roles of each profile, with their default names.
const fn header_roles(profile: Profile) -> &'static [(&'static str, Option<&'static str>)] {
    match profile {
        Profile::HttpMessageSignatures => &[],
        Profile::HostNonce => &[
            ("signature", Some("x-api-signature")),
            ("timestamp", Some("x-timestamp")),
            ("nonce", Some("x-nonce")),
            ("key_id", None),
        ],
        Profile::ServiceScoped => &[
            ("signature", Some("x-signature")),
            ("timestamp", Some("x-timestamp")),
            ("service_id", Some("x-service-id")),
            ("key_id", None),
        ],
        Profile::StandardWebhooks => &[
            ("signature", Some("webhook-signature")),
            ("timestamp", Some("webhook-timestamp")),
            ("id", Some("webhook-id")),
        ],
    }
}

impl Compiler<'_, '_> {
    pub(super) fn signatures(&mut self, section: &Node, path: &Path<'_>, allowed: &HostList) -> Vec<SignatureSection> {
        let mut secrets = Table::default();
        let mut sections = Vec::new();
        for entry in section.entries() {
            sections.extend(self.signature(entry, &path.key(&entry.key), allowed, &mut secrets));
        }
        sections
    }

    fn signature(
        &mut self,
        entry: &Entry,
        path: &Path<'_>,
        allowed: &HostList,
        secrets: &mut Table<String>,
    ) -> Option<SignatureSection> {
        let node = &entry.node;
        if !is_word(&entry.key, 64, "_-") {
            let message = format!("`{}` is no name of a section", shortened(&entry.key));
            self.report
                .error(ErrorCode::ValueUnknown, path, entry.key_span.clone(), message)
                .fix("write letters, digits, `_` and `-`, at most 64, a letter or digit first".into());
        }
        let profile = Profile::parse(node.get("profile")?.as_str()?)?;
        for other in node.entries() {
            let own = OWN_KEYS.iter().find(|(key, _)| *key == other.key);
            if own.is_some_and(|(_, profiles)| !profiles.contains(&profile)) {
                self.not_of_profile(other, profile, &path.key(&other.key));
            }
        }
        let max_age = self.measured(node, "max_age", path, measure::seconds, 1..=86_400, "`1s` to `24h`");
        let tolerance = self.measured(
            node,
            "clock_tolerance",
            path,
            measure::seconds,
            0..=600,
            "`0s` to `10m`",
        );
        let max_body = self.measured(node, "max_body", path, measure::bytes, 1..=1 << 34, "`1B` to `16GiB`");
        let capacity = node.get("replay_capacity").and_then(Node::as_integer);
        let headers = self.signature_headers(node, profile, path);
        let has_key_id = headers.as_ref().is_some_and(|headers| headers.key_id.is_some());
        let scheme = match (profile, headers) {
            (Profile::HostNonce, Some(headers)) => SchemeRules::HostNonce { headers },
            (Profile::ServiceScoped, Some(headers)) => SchemeRules::ServiceScoped {
                headers,
                nonce: match node.get("nonce").and_then(Node::as_str) {
                    Some("mac") => MacNonce::Every,
                    Some("none") => MacNonce::None,
                    _ => MacNonce::UnsafeMethods,
                },
                signs_query: node.get("query").and_then(Node::as_str) != Some("unsigned"),
            },
            (Profile::StandardWebhooks, Some(headers)) => SchemeRules::Webhooks { headers },
            _ => SchemeRules::Message(self.message_rules(node, path)),
        };
        let content_types = self.content_types(node.get("content_types"), &path.key("content_types"));
        let keys = self.keys(
            node.get("keys")?,
            KeysOf {
                section: &entry.key,
                profile,
                has_key_id,
            },
            &path.key("keys"),
            allowed,
            secrets,
        );
        Some(SignatureSection {
            name: entry.key.clone(),
            scheme,
            max_age: max_age.unwrap_or(120),
            clock_tolerance: tolerance.unwrap_or(5),
            max_body: max_body.unwrap_or(1 << 20),
            is_shared: node.get("replay").and_then(Node::as_str) == Some("shared"),
            replay_capacity: capacity.and_then(|count| u64::try_from(count).ok()).unwrap_or(100_000),
            content_types,
            keys,
            rules: RuleNames::new(&entry.key),
        })
    }

    pub(super) fn not_of_profile(&mut self, entry: &Entry, profile: Profile, path: &Path<'_>) {
        let message = format!("no key `{}` with the profile `{profile}`", entry.key);
        self.report
            .error(ErrorCode::KeyUnknown, path, entry.key_span.clone(), message)
            .fix("remove it".into());
    }

    pub(super) fn value_unknown(&mut self, node: &Node, path: &Path<'_>, what: &str, fix: &str) {
        let message = format!("`{}` is no {what}", shortened(&node.offending()));
        self.report
            .error(ErrorCode::ValueUnknown, path, node.span.clone(), message)
            .fix(fix.to_owned());
    }

    pub(super) fn measured(
        &mut self,
        section: &Node,
        key: &str,
        path: &Path<'_>,
        measure: impl Fn(&str) -> Option<u64>,
        range: std::ops::RangeInclusive<u64>,
        range_text: &str,
    ) -> Option<u64> {
        let node = section.get(key)?;
        let value = measure(node.as_str()?).filter(|value| range.contains(value));
        if value.is_none() {
            self.value_unknown(
                node,
                &path.key(key),
                "value of this key",
                &format!("write {range_text}"),
            );
        }
        value
    }

    fn signature_headers(&mut self, section: &Node, profile: Profile, path: &Path<'_>) -> Option<HeaderNames> {
        let table = section.get("headers");
        let path = path.key("headers");
        let roles = header_roles(profile);
        for entry in table.map_or(&[][..], Node::entries) {
            if !roles.iter().any(|(role, _)| *role == entry.key) {
                self.not_of_profile(entry, profile, &path.key(&entry.key));
            }
        }
        let mut names: Vec<(&str, Option<String>)> = Vec::new();
        for (role, default) in roles {
            let node = table.and_then(|table| table.get(role));
            let written = node.and_then(Node::as_str).map(str::to_ascii_lowercase);
            if let (Some(node), Some(name)) = (node, &written)
                && !is_own_header(name)
            {
                self.value_unknown(
                    node,
                    &path.key(role),
                    "name for this header",
                    "write a name such as `x-api-signature`",
                );
            }
            names.push((role, written.or_else(|| default.map(str::to_owned))));
        }
        for (index, (role, name)) in names.iter().enumerate() {
            let earlier = names
                .iter()
                .take(index)
                .find(|(_, other)| name.is_some() && other == name);
            let Some((earlier, _)) = earlier else { continue };
            // Of two names that are alike at least one is written.
            let written = |role: &str| {
                table
                    .and_then(|table| table.get(role))
                    .map(|node| (role.to_owned(), node.clone()))
            };
            if let Some((role, node)) = written(role).or_else(|| written(earlier)) {
                let message = format!(
                    "`{}` is the name of another header of this profile",
                    shortened(&node.offending())
                );
                self.report
                    .error(ErrorCode::NameDuplicate, &path.key(&role), node.span.clone(), message)
                    .fix("give each header a name of its own".into());
            }
        }
        let name = |role: &str| {
            let found = names.iter().find(|(other, _)| *other == role);
            found.and_then(|(_, name)| name.clone())
        };
        let third = roles.get(2).map(|(role, _)| *role)?;
        Some(HeaderNames {
            signature: name("signature")?,
            timestamp: name("timestamp")?,
            third: name(third)?,
            key_id: name("key_id"),
        })
    }

    fn message_rules(&mut self, section: &Node, path: &Path<'_>) -> MessageRules {
        let components = match section.get("components") {
            Some(list) => self.components(list, &path.key("components")),
            None => ["@method", "@authority", "@path", "@query", "content-digest"]
                .into_iter()
                .filter_map(ListedComponent::parse)
                .collect(),
        };
        let parameters = match section.get("parameters") {
            Some(list) => self.signature_parameters(list, &path.key("parameters")),
            None => SignatureParameter::NAMES
                .into_iter()
                .filter(|name| *name != "tag")
                .filter_map(SignatureParameter::parse)
                .collect(),
        };
        let selector = match (section.get("tag"), section.get("label")) {
            (Some(tag), None) => {
                let text = tag.as_str().unwrap_or_default();
                let is_plain = text
                    .bytes()
                    .all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte));
                if !is_plain || text.len() > 128 {
                    self.value_unknown(
                        tag,
                        &path.key("tag"),
                        "tag",
                        "write printable ASCII without quotes, at most 128",
                    );
                }
                Selector::Tag(text.to_owned())
            }
            (None, Some(label)) => {
                let text = label.as_str().unwrap_or_default();
                let is_key = text.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
                });
                let starts = text.starts_with(|first: char| first.is_ascii_lowercase() || first == '*');
                if !is_key || !starts || text.len() > 64 {
                    self.value_unknown(
                        label,
                        &path.key("label"),
                        "label",
                        "write a key such as `sig1` (RFC 9651 §3.1.2)",
                    );
                }
                Selector::Label(text.to_owned())
            }
            (tag, _) => {
                let (code, message, fix) = if tag.is_some() {
                    (ErrorCode::KeyConflict, "both `tag` and `label`", "keep one of them")
                } else {
                    (
                        ErrorCode::KeyMissing,
                        "neither `tag` nor `label`",
                        "add `tag`, by which the signature is found among others",
                    )
                };
                self.report
                    .error(code, path, section.span.clone(), message.to_owned())
                    .fix(fix.to_owned());
                Selector::Tag(String::new())
            }
        };
        MessageRules {
            components,
            parameters,
            selector,
        }
    }

    fn components(&mut self, list: &Node, list_path: &Path<'_>) -> Vec<ListedComponent> {
        let mut components = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            match item.as_str().and_then(ListedComponent::parse) {
                Some(component) if components.contains(&component) => {
                    self.covered(item, &path, "an earlier entry of this list");
                }
                Some(component) => components.push(component),
                None => self.value_unknown(
                    item,
                    &path,
                    "component of a request",
                    "write a derived component such as `@method`, or the lower-case name of a header",
                ),
            }
        }
        if components.len() > MAX_COMPONENTS {
            let message = format!("more than {MAX_COMPONENTS} components, which no signature covers");
            self.report
                .error(ErrorCode::ValueUnknown, list_path, list.span.clone(), message)
                .fix("list the headers that change what the request means".into());
        }
        components
    }

    fn signature_parameters(&mut self, list: &Node, list_path: &Path<'_>) -> Vec<SignatureParameter> {
        let mut parameters = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let Some(parameter) = item.as_str().and_then(SignatureParameter::parse) else {
                continue;
            };
            if parameters.contains(&parameter) {
                self.covered(item, &list_path.index(index), "an earlier entry of this list");
            } else {
                parameters.push(parameter);
            }
        }
        for (parameter, name) in [
            (SignatureParameter::Created, "created"),
            (SignatureParameter::KeyId, "keyid"),
        ] {
            if !parameters.contains(&parameter) {
                let message = format!("the list lacks `{name}`");
                self.report
                    .error(ErrorCode::KeyMissing, list_path, list.span.clone(), message)
                    .fix(format!("add `{name}`"));
            }
        }
        parameters
    }

    fn content_types(&mut self, list: Option<&Node>, list_path: &Path<'_>) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        for (index, item) in list.map_or(&[][..], Node::items).iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default().to_ascii_lowercase();
            let is_type = text.split_once('/').is_some_and(|(kind, rest)| {
                [kind, rest]
                    .iter()
                    .all(|part| !part.is_empty() && part.bytes().all(|byte| is_token_byte(byte) && byte != b'*'))
            });
            if !is_type {
                self.value_unknown(item, &path, "media type", "write a type such as `application/json`");
            } else if types.contains(&text) {
                self.covered(item, &path, "an earlier entry of this list");
            } else {
                types.push(text);
            }
        }
        types
    }
}

/// True for a header that may carry a credential. A name with `_` could not be told from the same with `-`; those that requests are judged by have
/// their own meaning.
pub(super) fn is_own_header(name: &str) -> bool {
    let is_name = name.bytes().all(|byte| is_token_byte(byte) && byte != b'_');
    is_name && !RESERVED_HEADERS.contains(&name) && !name.starts_with("sec-")
}

/// Headers that say something else already.
const RESERVED_HEADERS: [&str; 19] = [
    "access-control-request-method",
    "authorization",
    "connection",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "signature",
    "signature-input",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];
