//! Third-party vectors: Wycheproof's JWS and JWK, RFC 7520, RFC 7638 and RFC 8037.
//!
//! Read from `HOSTBOUND_VECTORS` (default `../shared/vectors`); nothing of them is copied here.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Jws, JwsAlgorithm, KeySet};

fn read(name: &str, count: usize) -> Option<Value> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = std::env::var_os("HOSTBOUND_VECTORS").map_or_else(default, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
        println!("skipped: no vectors ({count} cases of {name})");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// The algorithms of the kind of secrecy that a set has: HMAC is never allowed beside others.
fn allowed(keys: &KeySet) -> Vec<JwsAlgorithm> {
    let is_symmetric = keys.keys().iter().any(super::VerificationKey::is_symmetric);
    let is_allowed = |algorithm: &JwsAlgorithm| algorithm.is_symmetric() == is_symmetric;
    JwsAlgorithm::ALL.into_iter().filter(is_allowed).collect()
}

/// The public part of what a file gives for signing.
fn public(group: &Value) -> Value {
    let mut key = group.get("public").unwrap_or(&group["private"]).clone();
    for one in std::iter::once(&mut key) {
        let keys = match one.get_mut("keys") {
            Some(list) => list.as_array_mut().unwrap().iter_mut().collect(),
            None => vec![one],
        };
        for key in keys {
            let key = key.as_object_mut().unwrap();
            for name in ["d", "p", "q", "dp", "dq", "qi"] {
                key.remove(name);
            }
        }
    }
    key
}

fn accepts(keys: &Value, token: &str) -> bool {
    let Ok(keys) = KeySet::from_json(&keys.to_string()) else {
        return false;
    };
    let algorithms = allowed(&keys);
    Jws::parse(token.as_bytes()).is_ok_and(|jws| jws.verify(&keys, &algorithms).is_ok())
}

/// Where a strict verifier differs from the file. Node reads the same list.
fn deviations() -> Vec<u64> {
    let list: Value =
        serde_json::from_str(include_str!("../../tests/vectors/third_party/jws_deviations.json")).unwrap();
    let mut ids: Vec<u64> = list["deviations"]
        .as_object()
        .unwrap()
        .keys()
        .map(|id| id.parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), 8);
    ids
}

#[test]
fn wycheproof_jws() {
    let Some(file) = read("wycheproof/json_web_signature_test.json", 401) else {
        return;
    };
    let mut different = Vec::new();
    let mut count = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let keys = public(group);
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let is_valid = test["result"] == "valid";
            if accepts(&keys, test["jws"].as_str().unwrap()) != is_valid {
                different.push(test["tcId"].as_u64().unwrap());
            }
        }
    }
    assert_eq!(count, 401);
    assert_eq!(different, deviations());
}

#[test]
fn wycheproof_jwk() {
    let Some(file) = read("wycheproof/json_web_key_test.json", 26) else {
        return;
    };
    let mut count = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let keys = public(group);
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let is_valid = test["result"] == "valid";
            assert_eq!(
                accepts(&keys, test["jws"].as_str().unwrap()),
                is_valid,
                "{} {}",
                test["tcId"],
                test["comment"]
            );
        }
    }
    assert_eq!(count, 26);
}

#[test]
fn thumbprints() {
    let Some(file) = read("jwk-thumbprint/vectors.json", 2) else {
        return;
    };
    for case in file.as_array().unwrap() {
        let keys = KeySet::from_json(case["jwk"].as_str().unwrap()).unwrap();
        assert_eq!(keys.keys()[0].thumbprint().as_deref(), case["thumbprint"].as_str());
    }
}

/// RFC 7520 §4.1, §4.2, §4.4 and RFC 8037 A.4 verify, and not with a byte changed. §4.3 is ES512, which no key here can be.
#[test]
fn rfc7520() {
    for (name, is_verified) in [
        ("rfc7520/jws/4_1.rsa_v15_signature.json", true),
        ("rfc7520/jws/4_2.rsa-pss_signature.json", true),
        ("rfc7520/jws/4_3.ecdsa_signature.json", false),
        ("rfc7520/jws/4_4.hmac-sha2_integrity_protection.json", true),
        ("rfc7520/curve25519/jws.json", true),
        // RFC 7797: a payload that is not encoded.
        ("rfc7520/rfc7797/4.2.hmac-sha2_b64_false.json", false),
    ] {
        let Some(case) = read(name, 1) else { continue };
        let mut group = serde_json::json!({"private": case["input"]["key"]});
        let keys = public(&group);
        let Some(token) = case["output"]["compact"].as_str() else {
            assert!(!is_verified, "{name}");
            continue;
        };
        assert_eq!(accepts(&keys, token), is_verified, "{name}");
        let flipped = if token.ends_with('A') { 'B' } else { 'A' };
        let (at, _) = token.char_indices().rev().nth(2).unwrap();
        let mut tampered = token.to_owned();
        tampered.replace_range(at..at + 1, &flipped.to_string());
        assert!(!accepts(&keys, &tampered), "{name}");
        // A private key has no place in a set, but where the key is a secret.
        group["public"] = group["private"].clone();
        assert_eq!(
            KeySet::from_json(&group["private"].to_string()).is_ok(),
            is_verified && keys["kty"] == "oct",
            "{name}"
        );
    }
}

/// Keys are written as Wycheproof has them in DER, and what is right of a signature of two numbers is right of its DER, and nothing else.
#[cfg(feature = "tokens")]
#[test]
fn wycheproof_as_der() {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    };

    let bytes = |hex: &Value| -> Vec<u8> {
        let (pairs, _) = hex.as_str().unwrap().as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.iter().map(byte).collect()
    };
    // What ring takes of a SubjectPublicKeyInfo is all that follows the head of its BIT STRING. Two of the RSA keys have an exponent that is refused.
    type Case<'c> = (
        &'c str,
        &'c str,
        &'c dyn VerificationAlgorithm,
        JwsAlgorithm,
        usize,
        (usize, usize, usize),
    );
    let cases: [Case<'_>; 3] = [
        (
            "ecdsa_secp256r1_sha256_p1363",
            "publicKeyJwk",
            &ECDSA_P256_SHA256_ASN1,
            JwsAlgorithm::Es256,
            26,
            (103, 169, 83),
        ),
        (
            "ecdsa_secp384r1_sha384_p1363",
            "publicKeyJwk",
            &ECDSA_P384_SHA384_ASN1,
            JwsAlgorithm::Es384,
            23,
            (95, 189, 81),
        ),
        (
            "rsa_signature_2048_sha256",
            "keyJwk",
            &RSA_PKCS1_2048_8192_SHA256,
            JwsAlgorithm::Rs256,
            24,
            (1, 7, 250),
        ),
    ];
    for (name, member, verifier, algorithm, head, want) in cases {
        let (_, valid, invalid) = want;
        let Some(file) = read(&format!("wycheproof/{name}_test.json"), valid + invalid) else {
            return;
        };
        let (mut keys_written, mut valid, mut invalid) = (0, 0, 0);
        for group in file["testGroups"].as_array().unwrap() {
            let Ok(keys) = KeySet::from_json(&group[member].to_string()) else {
                continue;
            };
            let [key] = keys.keys() else { panic!("one key") };
            let spki = key.spki().unwrap();
            assert_eq!(spki, bytes(&group["publicKeyDer"]), "{name}");
            keys_written += 1;
            for test in group["tests"].as_array().unwrap() {
                let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
                let native = if algorithm == JwsAlgorithm::Rs256 {
                    signature.clone()
                } else {
                    super::ecdsa_signature(&signature).unwrap_or_default()
                };
                // What has another length never gets to be written.
                let is_right = key.takes(algorithm, &signature)
                    && UnparsedPublicKey::new(verifier, &spki[head..])
                        .verify(&message, &native)
                        .is_ok();
                assert_eq!(
                    is_right,
                    key.verifies(algorithm, &message, &signature),
                    "{name} {}",
                    test["tcId"]
                );
                if is_right { valid += 1 } else { invalid += 1 }
            }
        }
        assert_eq!((keys_written, valid, invalid), want, "{name}");
    }
}
