//! `hostbound public`.

use crate::run::{LOCAL, directory, root, run_in};

/// A policy with a section and a key of every kind; what must stay at home has `private` in it.
const WHOLE: &str = r#"
version = 1
name = "shop"
mode = "report"
explain_to_client = true

[hosts]
allow = ["shop.example", "*.shop.example", "[::1]:8443"]
scheme = "https"
denied_status = 403
trusted_proxies = ["10.9.8.0/24"]
forwarded = "x-forwarded-host"
proxy_hosts = ["proxy.private.internal"]
[[hosts.exempt]]
path = "/private-health"
from = ["10.9.8.0/24"]

[peers]
allow = ["10.9.8.0/24", "unix"]

[origins]
allow = ["self", "https://private-partner.example"]

[signatures.private-hooks]
profile = "host-nonce"
keys = [{ id = "private-2026", secret = { env = "PRIVATE_KEY" } }]

[tokens.private]
issuer = "https://private-issuer.example/"
audience = ["private-audience"]
algorithms = ["RS256"]
types = ["at+jwt"]
keys = { file = "private-jwks.json" }

[egress]
allow = ["https://api.example", "https://*.cdn.example"]
addresses = ["global", "10.9.8.0/24"]
nat64 = ["2001:db8:64::/96"]
redirects = "none"
credentials = { "https://api.example" = ["x-key"] }
[[egress.destinations]]
origin = "https://orders.example:8443"
addresses = ["10.9.8.0/24"]
pins = ["sha256/IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII="]
ca = { file = "private-ca.pem" }
client_certificate = { file = "private-client.pem" }
credentials = ["authorization"]

[[routes]]
path = "/private-health"
require = []
[[routes]]
path = "/private/**"
require = ["token:private"]
scopes = ["private:read"]
[[routes]]
path = "/private-hooks"
require = ["signature:private-hooks"]

[[cases]]
name = "private case"
request = { method = "GET", target = "/private", headers = [["host", "shop.example"]] }
expect = { decision = "allow" }
"#;

const PUBLIC: &str = r#"{"egress":{"allow":["https://api.example","https://*.cdn.example"],"credentials":{"https://api.example":["x-key"]},"destinations":[{"credentials":["authorization"],"origin":"https://orders.example:8443"}],"redirects":"none"},"hosts":{"allow":["shop.example","*.shop.example","[::1]:8443"]},"mode":"report","name":"shop","version":1}
"#;

#[test]
fn only_what_a_page_needs_is_written() {
    let directory = directory(&[("p.toml", WHOLE)]);
    let ran = run_in(directory.path(), &["public", "--policy", "p.toml"], b"");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, PUBLIC, ""));
    let ran = run_in(directory.path(), &["public", "-p", "p.toml", "-o", "public.json"], b"");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let written = std::fs::read_to_string(directory.path().join("public.json")).unwrap();
    assert_eq!(written, PUBLIC);
    for private in [
        "private", "PRIVATE", "10.9.8", "2001:db8", "pins", "sha256", "pem", "unix",
    ] {
        assert!(!written.contains(private), "{private}");
    }
    // It is a policy, and the public part of itself; compiled or not, the source gives the same.
    let checked = run_in(directory.path(), &["check", "public.json"], b"");
    assert_ne!(checked.code, 2, "{}", checked.stdout);
    let again = run_in(directory.path(), &["public", "-p", "public.json"], b"");
    assert_eq!(again.stdout, PUBLIC);
    run_in(directory.path(), &["compile", "p.toml", "-o", "compiled.json"], b"");
    let compiled = run_in(directory.path(), &["public", "-p", "compiled.json"], b"");
    assert_eq!(compiled.stdout, PUBLIC);
}

#[test]
fn hosts_of_the_running_service_are_in_it() {
    let directory = directory(&[("hostbound.toml", "version = 1\n[hosts]\nallow = [\"localhost\"]\n")]);
    let ran = run_in(directory.path(), &["public", "--allow-host", "tunnel.example"], b"");
    let want = "{\"hosts\":{\"allow\":[\"localhost\",\"tunnel.example\"]},\"version\":1}\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (0, want));
}

#[test]
fn a_refused_policy_leaves_the_old_file() {
    let directory = directory(&[
        ("p.toml", "version = 1\n[hosts]\nallow = [\"*\"]\n"),
        ("public.json", "old"),
    ]);
    let ran = run_in(directory.path(), &["public", "-p", "p.toml", "-o", "public.json"], b"");
    assert!(ran.stderr.starts_with("error[host-too-wide]: "), "{}", ran.stderr);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        std::fs::read_to_string(directory.path().join("public.json")).unwrap(),
        "old"
    );
}

/// Of every shipped policy, and of the smallest.
#[test]
fn what_is_public_of_the_shipped_policies_is_a_policy() {
    let directory = directory(&[("local.toml", LOCAL)]);
    let mut paths = vec![directory.path().join("local.toml")];
    for folder in ["policies", "policies/envoy"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let ran = run_in(directory.path(), &["public", "-p", path.to_str().unwrap()], b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", path.display());
        let public: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let keys: Vec<_> = public.as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["egress", "hosts", "mode", "name", "version"];
        assert!(
            keys.iter().all(|key| known.contains(key)),
            "{}: {keys:?}",
            path.display()
        );
        hostbound::Policy::from_json(&ran.stdout, "public").unwrap();
        for private in ["secret", "pins", "keys", "require", "10.", "issuer"] {
            assert!(!ran.stdout.contains(private), "{}: {private}", path.display());
        }
    }
}
