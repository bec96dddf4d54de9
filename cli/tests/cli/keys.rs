//! `hostbound keys`: what may verify, and thumbprints.

use serde_json::{Value, json};

use crate::run::{directory, run_in};

const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn thumbprints_are_those_of_the_rfc() {
    let directory = directory(&[("key.json", ED25519)]);
    // RFC 8037 A.3.
    let ran = run_in(directory.path(), &["keys", "thumbprint", "key.json"], b"");
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k  -\n", "")
    );
    let again = run_in(directory.path(), &["keys", "thumbprint"], ED25519.as_bytes());
    assert_eq!(again.stdout, ran.stdout);
}

#[test]
fn each_key_that_may_not_verify_is_named() {
    let set = format!(
        r#"{{"keys":[{ED25519},{{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"}},{{"kty":"EC","kid":"other","crv":"P-521","x":"","y":""}},{{"kty":"OKP","kid":"small","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}]}}"#
    );
    let directory = directory(&[("set.json", &set), ("good.json", ED25519)]);
    let ran = run_in(directory.path(), &["keys", "check", "good.json", "set.json"], b"");
    assert_eq!(
        ran.stdout,
        "ok - OKP Ed25519 EdDSA\n\
         error set.json: keys[1] (`short`) is RSA of less than 2048 or more than 4096 bits\n\
         error set.json: keys[2] (`other`) is neither RSA nor EC on P-256 or P-384, nor Ed25519, nor `oct`\n\
         error set.json: keys[3] (`small`) is a point of small order, by which anybody can sign, or one that is not reduced\n"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

#[test]
fn json_tells_kinds_algorithms_and_no_secret() {
    let secret = r#"{"kty":"oct","kid":"s","k":"cHVibGlzaGVkLXRlc3Qta2V5LTAxMjM0NTY3ODlhYmNkZWY"}"#;
    let directory = directory(&[("secret.json", secret), ("none.json", "{}")]);
    let ran = run_in(
        directory.path(),
        &["keys", "check", "--format", "json", "secret.json", "none.json"],
        b"",
    );
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            json!({"file": "secret.json", "keys": [{"kid": "s", "kind": "oct", "algorithms": ["HS256"], "thumbprint": null}], "errors": []}),
            json!({"file": "none.json", "keys": [], "errors": ["neither a key nor an object with a list `keys` that has one"]}),
        ]
    );
    assert!(!ran.stdout.contains("cHVi"));
    assert_eq!(run_in(directory.path(), &["keys", "check", "absent.json"], b"").code, 2);
    let large = vec![b' '; 70_000];
    let ran = run_in(directory.path(), &["keys", "check"], &large);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "error -: longer than 64 KiB\n"));
}
