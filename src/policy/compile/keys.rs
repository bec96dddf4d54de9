//! The keys of a `signatures` section, and where their secrets are.

use super::Compiler;
use super::lists::HostList;
use crate::host::{HostPattern, HostSet};
use crate::policy::diagnostic::ErrorCode;
use crate::policy::shape::{listed, shortened};
use crate::secret::{Encoding, Secret, SecretReference};
use crate::signature::grammar::{is_key_id, is_service_id};
use crate::signature::{MAX_TRIED_KEYS, Profile, SignatureKey, share};
use crate::table::Table;
use crate::tree::{Node, Path};

/// The section that keys are of.
#[derive(Clone, Copy)]
pub(super) struct KeysOf<'n> {
    pub(super) section: &'n str,
    pub(super) profile: Profile,
    /// Requests name their key.
    pub(super) has_key_id: bool,
}

impl Compiler<'_, '_> {
    pub(super) fn keys(
        &mut self,
        list: &Node,
        of: KeysOf<'_>,
        list_path: &Path<'_>,
        allowed: &HostList,
        secrets: &mut Table<String>,
    ) -> Vec<SignatureKey> {
        let KeysOf {
            section,
            profile,
            has_key_id,
        } = of;
        let mut keys: Vec<SignatureKey> = Vec::new();
        let mut patterns = Vec::new();
        for (index, entry) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let Some(id) = entry.get("id") else { continue };
            let text = id.as_str().unwrap_or_default();
            if !is_key_id(text) {
                self.value_unknown(
                    id,
                    &path.key("id"),
                    "key id",
                    "write letters, digits and `._:/@+=-`, at most 128",
                );
            } else if keys.iter().any(|key| key.id == text) {
                let message = format!("`{}` is the id of an earlier key", shortened(text));
                self.report
                    .error(ErrorCode::NameDuplicate, &path.key("id"), id.span.clone(), message)
                    .fix("give each key an id of its own".into());
            }
            let hosts = entry
                .get("hosts")
                .map(|hosts| self.key_hosts(hosts, &path.key("hosts"), allowed));
            let is_unbound = matches!(profile, Profile::ServiceScoped | Profile::StandardWebhooks);
            if hosts.is_none() && is_unbound {
                let message = format!("the profile `{profile}` does not sign the host");
                self.report
                    .error(ErrorCode::KeyMissing, &path, entry.span.clone(), message)
                    .fix("add `hosts`, for which the key signs".into());
            }
            let service_id = entry.get("service_id");
            match (profile, service_id) {
                (Profile::ServiceScoped, None) => {
                    self.report
                        .error(
                            ErrorCode::KeyMissing,
                            &path,
                            entry.span.clone(),
                            "the key `service_id` is missing".into(),
                        )
                        .fix("add the service that the key is for".into());
                }
                (Profile::ServiceScoped, Some(node)) => {
                    if !is_service_id(node.as_str().unwrap_or_default()) {
                        self.value_unknown(
                            node,
                            &path.key("service_id"),
                            "service id",
                            "write letters, digits and `._-`, at most 64",
                        );
                    }
                }
                (_, Some(_)) => {
                    if let Some(entry) = entry.entry("service_id") {
                        self.not_of_profile(entry, profile, &path.key("service_id"));
                    }
                }
                (_, None) => {}
            }
            let Some(secret) = self.secret(entry.get("secret"), &path.key("secret"), secrets) else {
                continue;
            };
            let (set, listed) = hosts.map_or((None, None), |(set, listed)| (Some(set), Some(listed)));
            patterns.push(listed);
            keys.push(SignatureKey {
                id: text.to_owned(),
                secret,
                hosts: set,
                service_id: service_id.and_then(Node::as_str).map(str::to_owned),
                share: share(section, text),
            });
        }
        let is_tried = profile != Profile::HttpMessageSignatures && !has_key_id;
        if is_tried && most_tried(&keys, &patterns) > MAX_TRIED_KEYS {
            let message = format!("more than {MAX_TRIED_KEYS} keys would be tried for one request");
            self.report
                .error(ErrorCode::TooManyKeys, list_path, list.span.clone(), message)
                .fix("bind the keys to hosts, or name a header with the key id in `headers.key_id`".into());
        }
        keys
    }

    fn key_hosts(&mut self, list: &Node, list_path: &Path<'_>, allowed: &HostList) -> (HostSet, Vec<HostPattern>) {
        let mut set = HostSet::default();
        let mut patterns = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            let pattern = match HostPattern::parse(text) {
                Ok(pattern) if pattern.is_exact() => pattern,
                parsed => {
                    let why = parsed
                        .err()
                        .map_or_else(|| "is no exact host".to_owned(), |error| error.to_string());
                    let message = format!("`{}` {why}", shortened(text));
                    self.report
                        .error(ErrorCode::HostMalformed, &path, item.span.clone(), message)
                        .fix("write an exact name or address such as `api.example.com`".into());
                    continue;
                }
            };
            let is_reachable = allowed.set.covering(&pattern).is_some()
                || allowed.patterns.iter().any(|other| other.overlaps(&pattern));
            if !is_reachable {
                let message = format!("`{}` is in no entry of hosts.allow", shortened(text));
                self.report
                    .error(ErrorCode::EntryNeverMatches, &path, item.span.clone(), message)
                    .fix("add it to hosts.allow, or remove it here".into());
            }
            if set.insert(&pattern).is_err() {
                self.covered(item, &path, "an earlier entry of this list");
            } else {
                patterns.push(pattern);
            }
        }
        (set, patterns)
    }

    pub(super) fn secret(
        &mut self,
        node: Option<&Node>,
        path: &Path<'_>,
        secrets: &mut Table<String>,
    ) -> Option<Secret> {
        let node = node?;
        let text = |key| Some(node.get(key)?.as_str()?.to_owned());
        let mut found = [
            text("env").map(SecretReference::Env),
            text("file").map(SecretReference::File),
            text("name").map(SecretReference::Name),
        ]
        .into_iter()
        .flatten();
        let reference = found.next();
        let words = listed("and", ["env", "file", "name"].into_iter());
        let (code, message) = match (&reference, found.next()) {
            (Some(_), None) => (None, String::new()),
            (None, _) => (Some(ErrorCode::KeyMissing), format!("the secret has none of {words}")),
            (Some(_), Some(_)) => (
                Some(ErrorCode::KeyConflict),
                format!("the secret has more than one of {words}"),
            ),
        };
        if let Some(code) = code {
            self.report
                .error(code, path, node.span.clone(), message)
                .fix("write one, such as `{ env = \"PARTNER_KEY\" }`".into());
            return None;
        }
        let reference = reference?;
        if let Some(earlier) = secrets.insert(&reference.key(), path.to_string()) {
            let message = format!("{reference} is the secret of {earlier} already");
            self.report
                .error(ErrorCode::SecretDuplicate, path, node.span.clone(), message)
                .fix("give each key a secret of its own".into());
        }
        Some(Secret {
            reference,
            encoding: match node.get("encoding").and_then(Node::as_str) {
                Some("base64") => Encoding::Base64,
                Some("hex") => Encoding::Hex,
                _ => Encoding::Utf8,
            },
            path: path.to_string(),
        })
    }
}

/// The most keys that one host and service id can have.
fn most_tried(keys: &[SignatureKey], patterns: &[Option<Vec<HostPattern>>]) -> usize {
    let places = patterns.iter().flatten().flatten().map(Some).chain([None]);
    let count = |place: Option<&HostPattern>, service: &Option<String>| {
        let of_service = keys.iter().zip(patterns).filter(|(key, _)| key.service_id == *service);
        of_service
            .filter(|(_, listed)| match (listed, place) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(listed), Some(place)) => listed.iter().any(|other| other.overlaps(place)),
            })
            .count()
    };
    let counts = places.flat_map(|place| keys.iter().map(move |key| (place, &key.service_id)));
    counts
        .map(|(place, service)| count(place, service))
        .max()
        .unwrap_or_default()
}
