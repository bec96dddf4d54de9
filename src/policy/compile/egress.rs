//! The `egress` section.

use super::Compiler;
use crate::address::{AddressRules, Nat64Prefix, Network, NetworkError};
use crate::authority::{Scheme, split_scheme};
use crate::egress::{Destination, DestinationKey, Egress, Redirects};
use crate::host::{HostPattern, HostPatternError};
use crate::policy::diagnostic::ErrorCode;
use crate::policy::shape::shortened;
use crate::request::is_token_byte;
use crate::tree::{Node, Path};

impl Compiler<'_, '_> {
    pub(super) fn egress(&mut self, section: &Node, path: &Path<'_>) -> Egress {
        let mut egress = Egress::default();
        egress.redirects = match section.get("redirects").and_then(Node::as_str) {
            Some("none") => Redirects::None,
            Some("allowed") => Redirects::Allowed,
            _ => Redirects::SameOrigin,
        };
        if section.get("allow").is_none() && section.get("destinations").is_none() {
            self.report
                .error(ErrorCode::KeyMissing, path, section.span.clone(), "the section lists no destination".into())
                .fix("add `allow` or `destinations`, or remove the section: without it every outbound request is refused".into());
        }
        let allow_path = path.key("allow");
        for (index, item) in section.get("allow").map_or(&[][..], Node::items).iter().enumerate() {
            let path = allow_path.index(index);
            let Some((scheme, pattern)) = self.destination_pattern(item, &path) else {
                continue;
            };
            if egress.allow(scheme, &pattern).is_err() {
                self.covered(item, &path, "an earlier entry of this list");
            }
        }
        let nat64 = self.nat64(section.get("nat64"), &path.key("nat64"));
        egress.addresses = self.address_rules(section.get("addresses"), &nat64, &path.key("addresses"));
        let destinations_path = path.key("destinations");
        for (index, entry) in section
            .get("destinations")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            self.destination(&mut egress, entry, index, &nat64, &destinations_path.index(index));
        }
        let credentials_path = path.key("credentials");
        for entry in section.get("credentials").map_or(&[][..], Node::entries) {
            let path = credentials_path.key(&entry.key);
            let headers = self.header_names(&entry.node, &path);
            match DestinationKey::parse(&entry.key) {
                Some(key) if egress.lists(&key) => {
                    egress.name_credentials(&headers);
                    if egress.credentials.insert(&key.bytes(), headers).is_some() {
                        let message = format!("the origin `{}` is listed twice", shortened(&entry.key));
                        self.report
                            .error(ErrorCode::NameDuplicate, &path, entry.key_span.clone(), message)
                            .fix("list every header in the one entry".into());
                    }
                }
                Some(_) => {
                    let message = format!("`{}` is in no entry of egress.allow", shortened(&entry.key));
                    self.report
                        .error(ErrorCode::EntryNeverMatches, &path, entry.key_span.clone(), message)
                        .fix("add it to egress.allow, or remove it here".into());
                }
                None => self.no_origin(&entry.key, entry.key_span.clone(), &path),
            }
        }
        egress
    }

    fn destination(&mut self, egress: &mut Egress, entry: &Node, index: usize, nat64: &[Nat64Prefix], path: &Path<'_>) {
        let Some(origin) = entry.get("origin") else { return };
        let text = origin.as_str().unwrap_or_default();
        let Some(key) = DestinationKey::parse(text) else {
            return self.no_origin(text, origin.span.clone(), &path.key("origin"));
        };
        let file = |name: &str| Some(entry.get(name)?.get("file")?.as_str()?.to_owned());
        let own = entry.get("addresses");
        let destination = Destination {
            origin: Some(key.clone()),
            index,
            addresses: own.map(|list| self.address_rules(Some(list), nat64, &path.key("addresses"))),
            pins: self.pins(entry.get("pins"), &path.key("pins")),
            ca: file("ca"),
            client_certificate: file("client_certificate"),
            credentials: entry
                .get("credentials")
                .map_or_else(Vec::new, |list| self.header_names(list, &path.key("credentials"))),
        };
        if key.scheme == Scheme::Http {
            for name in ["pins", "ca", "client_certificate"] {
                if let Some(node) = entry.get(name) {
                    let message = format!("`{name}` has no effect over http");
                    self.report
                        .error(
                            ErrorCode::EntryNeverMatches,
                            &path.key(name),
                            node.span.clone(),
                            message,
                        )
                        .fix("write an https origin, or remove it".into());
                }
            }
        }
        egress.name_credentials(&destination.credentials);
        if egress.destinations.insert(&key.bytes(), destination).is_some() {
            let message = format!("the origin `{}` is listed twice", shortened(text));
            self.report
                .error(
                    ErrorCode::NameDuplicate,
                    &path.key("origin"),
                    origin.span.clone(),
                    message,
                )
                .fix("write one entry with all of its rules".into());
        }
    }

    fn no_origin(&mut self, text: &str, span: std::ops::Range<usize>, path: &Path<'_>) {
        let message = format!("`{}` is no exact http or https origin", shortened(text));
        self.report.error(ErrorCode::OriginMalformed, path, span, message).fix(
            "write scheme, host and port, such as `https://auth.example.com` or `https://orders.internal:8443`".into(),
        );
    }

    /// scheme "://" host-pattern [":" port], with the scheme's default port if none is written.
    fn destination_pattern(&mut self, item: &Node, path: &Path<'_>) -> Option<(Scheme, HostPattern)> {
        let text = item.as_str()?;
        let parts = split_scheme(text).and_then(|(scheme, rest)| {
            let known = Scheme::parse(scheme.as_bytes()).filter(|known| known.as_str() == scheme);
            Some((known?, rest))
        });
        let Some((scheme, rest)) = parts else {
            let message = format!("`{}` does not start with `https://` or `http://`", shortened(text));
            let fix = HostPattern::parse(text)
                .is_ok()
                .then(|| format!("write `https://{text}`"));
            let fix = fix.unwrap_or_else(|| "write something like `https://auth.example.com`".to_owned());
            self.report
                .error(ErrorCode::OriginMalformed, path, item.span.clone(), message)
                .fix(fix);
            return None;
        };
        let pattern = match HostPattern::parse(rest) {
            Ok(pattern) if pattern.network().is_none() => pattern,
            Ok(_) => {
                let message = format!("`{}` is a network, not a destination", shortened(text));
                self.report
                    .error(ErrorCode::OriginMalformed, path, item.span.clone(), message)
                    .fix("list the addresses under egress.addresses, and the names or literals here".into());
                return None;
            }
            Err(error) => {
                let code = if error == HostPatternError::TooWide {
                    ErrorCode::HostTooWide
                } else {
                    ErrorCode::HostMalformed
                };
                let message = format!("`{}` {error}", shortened(rest));
                let fix = error.fix().map(|fix| format!("write `{}://{fix}`", scheme.as_str()));
                self.report.error(code, path, item.span.clone(), message).maybe_fix(fix);
                return None;
            }
        };
        let port = pattern.port().unwrap_or(scheme.default_port());
        Some((scheme, pattern.with_port(port)))
    }

    fn nat64(&mut self, list: Option<&Node>, list_path: &Path<'_>) -> Vec<Nat64Prefix> {
        let mut seen = AddressRules::new();
        for (index, item) in list.map_or(&[][..], Node::items).iter().enumerate() {
            let path = list_path.index(index);
            match Nat64Prefix::parse(item.as_str().unwrap_or_default()) {
                Ok(prefix) => {
                    if let Err(earlier) = seen.insert_nat64(prefix) {
                        self.covered(item, &path, &format!("{list_path}[{earlier}]"));
                    }
                }
                Err(error) => {
                    let message = format!("`{}` {error}", shortened(&item.offending()));
                    self.report
                        .error(ErrorCode::NetworkMalformed, &path, item.span.clone(), message)
                        .fix("write a prefix of RFC 6052, such as `2001:db8:64::/96`".into());
                }
            }
        }
        seen.nat64().to_vec()
    }

    /// One entry or a list of them; nothing is `global`.
    fn address_rules(&mut self, node: Option<&Node>, nat64: &[Nat64Prefix], path: &Path<'_>) -> AddressRules {
        let mut rules = AddressRules::new();
        for prefix in nat64 {
            // They were told apart when they were read.
            let _ = rules.insert_nat64(*prefix);
        }
        match node {
            None => {
                let _ = rules.insert_global();
            }
            Some(node) if node.as_str().is_some() => self.address_entry(&mut rules, node, path, path),
            Some(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    self.address_entry(&mut rules, item, path, &path.index(index));
                }
            }
        }
        rules
    }

    fn address_entry(&mut self, rules: &mut AddressRules, item: &Node, list_path: &Path<'_>, path: &Path<'_>) {
        let text = item.as_str().unwrap_or_default();
        let quoted = shortened(text);
        let inserted = if text == "global" {
            rules.insert_global()
        } else {
            match Network::parse(text) {
                Ok(network) => {
                    if let Some(decoded) = rules.decoding(network) {
                        let message = format!("`{quoted}` is decoded before addresses are compared");
                        self.report
                            .error(ErrorCode::EntryNeverMatches, path, item.span.clone(), message)
                            .fix(format!("write `{decoded}`"));
                        return;
                    }
                    rules.insert(network)
                }
                Err(error) => {
                    let fix = match error {
                        NetworkError::HostBits { network } => format!("write `{network}`"),
                        _ => "write `global` or a network such as `10.0.0.0/8`".to_owned(),
                    };
                    let message = format!("`{quoted}` {error}");
                    self.report
                        .error(ErrorCode::NetworkMalformed, path, item.span.clone(), message)
                        .fix(fix);
                    return;
                }
            }
        };
        if let Err(earlier) = inserted {
            self.covered(item, path, &format!("{list_path}[{earlier}]"));
        }
    }

    fn pins(&mut self, list: Option<&Node>, list_path: &Path<'_>) -> Vec<String> {
        let mut pins: Vec<String> = Vec::new();
        for (index, item) in list.map_or(&[][..], Node::items).iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            if !is_pin(text) {
                let message = format!("`{}` is no pin", shortened(text));
                self.report
                    .error(ErrorCode::ValueUnknown, &path, item.span.clone(), message)
                    .fix("write `sha256/` and the base64 of 32 bytes: the SHA-256 of the SubjectPublicKeyInfo".into());
            } else if pins.iter().any(|pin| pin == text) {
                self.covered(item, &path, "an earlier entry of this list");
            } else {
                pins.push(text.to_owned());
            }
        }
        pins
    }

    fn header_names(&mut self, list: &Node, list_path: &Path<'_>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let name = item.as_str().unwrap_or_default().to_ascii_lowercase();
            if !name.bytes().all(is_token_byte) {
                let message = format!("`{}` is no header name", shortened(&name));
                self.report
                    .error(ErrorCode::ValueUnknown, &path, item.span.clone(), message)
                    .fix("write a name such as `authorization`".into());
            } else if names.contains(&name) {
                self.covered(item, &path, "an earlier entry of this list");
            } else {
                names.push(name);
            }
        }
        names
    }
}

/// `sha256/` and the base64 of 32 bytes.
fn is_pin(text: &str) -> bool {
    use base64::Engine;
    let encoded = text.strip_prefix("sha256/");
    let decoded = encoded.and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded).ok());
    decoded.is_some_and(|digest| digest.len() == 32)
}
