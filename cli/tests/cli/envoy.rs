//! `hostbound envoy`. What Envoy makes of it is tested in `tests/envoy`.

use serde_json::{Value, json};

use crate::run::{LOCAL, directory, root, run_in};

const SIGNED: &str = "version = 1\n[hosts]\nallow = [\"api.example.com\"]\n[signatures.partner]\nprofile = \"host-nonce\"\n\
    keys = [{ id = \"k\", secret = { env = \"HOSTBOUND_TEST_KEY\" } }]\n[[routes]]\npath = \"/**\"\nrequire = [\"signature:partner\"]\n";
const SECRETS: &str = r#"{"HOSTBOUND_TEST_KEY":"0123456789abcdef0123456789abcdef"}"#;

/// The `PluginConfig` in a resource.
fn plugin(resource: &Value) -> &Value {
    &resource["resources"][0]["typed_config"]["config"]
}

/// What the filter is given.
fn configuration(plugin: &Value) -> Value {
    serde_json::from_str(plugin["configuration"]["value"].as_str().unwrap()).unwrap()
}

#[test]
fn a_policy_becomes_a_resource() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let ran = run_in(directory.path(), &["envoy"], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let resource: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(resource["resources"][0]["name"], "hostbound");
    let plugin = plugin(&resource);
    assert_eq!(plugin["failure_policy"], "FAIL_RELOAD");
    assert_eq!(plugin["allow_on_headers_stop_iteration"], true);
    let vm = &plugin["vm_config"];
    assert_eq!(vm["code"]["local"]["filename"], "/etc/envoy/hostbound.wasm");
    let configuration = configuration(plugin);
    let compiled = run_in(directory.path(), &["compile"], b"").stdout;
    assert_eq!(
        configuration["policy"],
        serde_json::from_str::<Value>(&compiled).unwrap()
    );
    assert_eq!(configuration["log"], "denied");
    assert_eq!(configuration["identity_headers"], false);
    assert!(configuration.get("secrets").is_none() && configuration.get("servers").is_none());
}

/// Envoy calls nothing that is not listed, and the filter gets nothing that is not: the list is what the filter's source names, no more and no less.
#[test]
fn the_capabilities_are_those_of_the_filter() {
    let source = std::fs::read_to_string(root().join("bindings/envoy/src/host.rs")).unwrap();
    let mut named: Vec<_> = source
        .split("fn proxy_")
        .skip(1)
        .map(|rest| format!("proxy_{}", rest.split('(').next().unwrap()))
        // Not restricted: without them there is no module.
        .filter(|name| !["proxy_on_memory_allocate", "proxy_abi_version_0_2_1"].contains(&name.as_str()))
        .collect();
    named.sort();
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let resource: Value = serde_json::from_str(&run_in(directory.path(), &["envoy"], b"").stdout).unwrap();
    let listed = &plugin(&resource)["vm_config"]["capability_restriction_config"]["allowed_capabilities"];
    assert_eq!(
        listed.as_object().unwrap().keys().collect::<Vec<_>>(),
        named.iter().collect::<Vec<_>>()
    );
}

#[test]
fn every_form_holds_the_same_filter() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let made = |form| -> Value {
        let arguments = ["envoy", "--form", form, "--name", "edge", "--module", "/m.wasm"];
        serde_json::from_str(&run_in(directory.path(), &arguments, b"").stdout).unwrap()
    };
    let (discovery, filter, bootstrap) = (made("discovery"), made("filter"), made("bootstrap"));
    assert_eq!(discovery["resources"][0]["name"], "edge");
    assert_eq!(filter["name"], "edge");
    assert_eq!(filter["typed_config"]["config"]["vm_config"]["vm_id"], "edge");
    assert_eq!(discovery["resources"][0]["typed_config"], filter["typed_config"]);
    let manager = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["http_filters"][0], filter);
}

#[cfg(unix)]
#[test]
fn what_holds_secrets_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory(&[("p.toml", SIGNED), ("s.json", SECRETS)]);
    let write = || {
        run_in(
            directory.path(),
            &["envoy", "p.toml", "--secrets", "s.json", "-o", "filter.json"],
            b"",
        )
    };
    let path = directory.path().join("filter.json");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let ran = write();
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str(), mode()),
        (0, "", "", 0o600)
    );
    let resource: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let secrets = configuration(plugin(&resource))["secrets"].clone();
    assert_eq!(secrets, serde_json::from_str::<Value>(SECRETS).unwrap());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!((write().code, mode()), (0, 0o640));
}

#[test]
fn clusters_are_those_of_the_servers_that_are_asked() {
    let policies = root().join("policies");
    let run = |arguments: &[&str]| run_in(&policies, &[&["envoy", "jwt-api.toml"], arguments].concat(), b"");
    let ran = run(&[
        "--cluster",
        "https://auth.example.com=auth",
        "--identity-headers",
        "--log",
        "all",
    ]);
    let configuration = configuration(plugin(&serde_json::from_str(&ran.stdout).unwrap()));
    assert_eq!(configuration["servers"], json!({ "https://auth.example.com": "auth" }));
    assert_eq!(
        (&configuration["identity_headers"], &configuration["log"]),
        (&json!(true), &json!("all"))
    );
    for (arguments, want) in [
        (
            &[][..],
            "`tokens.access` asks https://auth.example.com: name its cluster, as --cluster https://auth.example.com=CLUSTER",
        ),
        (
            &[
                "--cluster",
                "https://auth.example.com=a",
                "--cluster",
                "https://auth.example.com=b",
            ],
            "--cluster names https://auth.example.com twice",
        ),
        (
            &[
                "--cluster",
                "https://auth.example.com=a",
                "--cluster",
                "https://other.example=b",
            ],
            "the policy asks nobody at https://other.example: leave its --cluster out",
        ),
        (&["--cluster", "auth"], "expected an origin and a cluster"),
        (&["--name", "a b"], "a name has letters"),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(want), "{}", ran.stderr);
    }
}

/// Envoy would refuse it too, but later.
#[test]
fn what_the_filter_would_refuse_is_not_written() {
    let shared = SIGNED.replace("profile =", "replay = \"shared\"\nprofile =");
    let directory = directory(&[
        ("bad.toml", "version = 1\n[hosts]\nallow = [\"*.com\"]\n"),
        ("signed.toml", SIGNED),
        ("shared.toml", &shared),
        ("short.json", r#"{"HOSTBOUND_TEST_KEY":"hunter2"}"#),
        ("s.json", SECRETS),
        ("out.json", "old"),
    ]);
    for (arguments, want) in [
        (&["bad.toml"][..], "bad.toml:3:10"),
        (&["signed.toml"], "`HOSTBOUND_TEST_KEY`"),
        (&["signed.toml", "--secrets", "short.json"], "secret-short"),
        (
            &["shared.toml", "--secrets", "s.json"],
            "write `process`, and route by key id",
        ),
    ] {
        let ran = run_in(
            directory.path(),
            &[&["envoy", "-o", "out.json"], arguments].concat(),
            b"",
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(want), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        assert_eq!(
            std::fs::read_to_string(directory.path().join("out.json")).unwrap(),
            "old"
        );
    }
}
