//! What of a policy everybody may read: as much as a page in a browser needs to judge itself and what it asks for.
//!
//! Decides what is named, not what is hidden: a key that is new stays out until it is listed here.

use super::digest::write_json;
use super::document::PolicyDocument;
use crate::tree::{Entry, Node, Value};

/// The keys that go out, and below them those of theirs; without any below, the whole value.
struct Public(&'static str, &'static [Self]);

const PUBLIC: &[Public] = &[
    Public("version", &[]),
    Public("name", &[]),
    Public("mode", &[]),
    Public("hosts", &[Public("allow", &[])]),
    Public(
        "egress",
        &[
            Public("allow", &[]),
            Public("credentials", &[]),
            Public("redirects", &[]),
            Public("destinations", &[Public("origin", &[]), Public("credentials", &[])]),
        ],
    ),
];

impl PolicyDocument {
    /// The part of a valid policy that a page in a browser needs, as a policy of its own in JSON: the names of `hosts.allow`, and of `egress` the destinations, the
    /// names of the headers that are bound to them, and what becomes of redirects. Whoever can open the page can read it.
    ///
    /// Of addresses that are not in `hosts.allow`, and of certificates, pins, keys, secrets, routes, peers and proxies it has nothing. It is the same whatever the policy
    /// was written in.
    #[must_use]
    pub fn to_public_json(&self) -> String {
        let mut json = String::new();
        write_json(&mut json, &public(&self.root, PUBLIC));
        json.push('\n');
        json
    }
}

fn public(node: &Node, keys: &[Public]) -> Node {
    let value = match &node.value {
        Value::Table(entries) if !keys.is_empty() => {
            let listed = |entry: &Entry| {
                let Public(_, below) = keys.iter().find(|Public(key, _)| *key == entry.key)?;
                Some(Entry {
                    node: public(&entry.node, below),
                    ..entry.clone()
                })
            };
            Value::Table(entries.iter().filter_map(listed).collect())
        }
        Value::List(items) => Value::List(items.iter().map(|item| public(item, keys)).collect()),
        value => value.clone(),
    };
    Node::new(value, node.span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn a_key_that_is_not_listed_stays_out() {
        let rows = [
            (
                r#"{"version":1,"hosts":{"allow":["a.example"]}}"#,
                r#"{"hosts":{"allow":["a.example"]},"version":1}"#,
            ),
            (
                r#"{"version":1,"name":"n","mode":"report","explain_to_client":true,"$schema":"private","hosts":{"allow":["a.example"],"scheme":"https",
                "denied_status":403,"trusted_proxies":["10.0.0.0/8"],"forwarded":"x-forwarded-host","proxy_hosts":["private.internal"],
                "exempt":[{"path":"/private","from":["10.0.0.0/8"]}]},"peers":{"allow":["10.0.0.0/8"]},"routes":[{"path":"/private","require":[]}]}"#,
                r#"{"hosts":{"allow":["a.example"]},"mode":"report","name":"n","version":1}"#,
            ),
            (
                r#"{"version":1,"hosts":{"allow":["a.example"]},"egress":{"allow":["https://b.example"],"addresses":["10.0.0.0/8"],"nat64":["2001:db8:64::/96"],
                "redirects":"none","credentials":{"https://b.example":["x-key"]},"destinations":[{"origin":"https://c.example","addresses":["10.1.0.0/16"],
                "credentials":["authorization"],"ca":{"file":"private.pem"},"client_certificate":{"file":"private.pem"}}]}}"#,
                r#"{"egress":{"allow":["https://b.example"],"credentials":{"https://b.example":["x-key"]},"destinations":[{"credentials":["authorization"],"origin":"https://c.example"}],"redirects":"none"},"hosts":{"allow":["a.example"]},"version":1}"#,
            ),
        ];
        for (policy, want) in rows {
            let document = PolicyDocument::from_json(policy, "p").unwrap();
            document.compile().unwrap();
            let public = document.to_public_json();
            assert_eq!(public.trim_end(), want);
            Policy::from_json(&public, "public").unwrap();
            // What is public is public again.
            let again = PolicyDocument::from_json(&public, "public").unwrap();
            assert_eq!(again.to_public_json(), public);
        }
    }
}
