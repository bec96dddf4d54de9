//! Signatures of tokens as crypto in DER gets them, verified outside the engine: the same verdicts, in every vector that comes to one.

#![cfg(feature = "tokens")]

use std::collections::BTreeMap;

use hostbound::{Inspection, JwsAlgorithm, NativeVerification, TokenStore};
use hostbound_vectors as vectors;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

/// As a host does: by what the SubjectPublicKeyInfo says of itself, and the hash.
fn is_right(native: &NativeVerification<'_>) -> bool {
    // Of P-256 and P-384 all has a fixed length; RSA is from 2,048 bits on, so that each length has two bytes.
    let (head, verifier): (usize, &dyn VerificationAlgorithm) = match (native.spki.len(), native.hash) {
        (91, "sha256") => (26, &ECDSA_P256_SHA256_ASN1),
        (120, "sha384") => (23, &ECDSA_P384_SHA384_ASN1),
        (290.., "sha256") => (24, &RSA_PKCS1_2048_8192_SHA256),
        (290.., "sha384") => (24, &RSA_PKCS1_2048_8192_SHA384),
        (290.., "sha512") => (24, &RSA_PKCS1_2048_8192_SHA512),
        other => panic!("{other:?}"),
    };
    let key = UnparsedPublicKey::new(verifier, &native.spki[head..]);
    key.verify(native.signed, &native.signature).is_ok()
}

#[test]
fn verdicts_are_the_same_with_signatures_that_are_verified_natively() {
    let file = vectors::load().into_iter().find(|file| file.name == "token").unwrap();
    let mut counts = BTreeMap::<_, (u32, u32)>::new();
    for case in &file.cases {
        let (guard, document) = (case.guard(), case.document());
        let headers = document.headers();
        let request = document.request(&headers);
        let mut store = TokenStore::new().verifying_outside();
        let Inspection::NeedsVerification(needs) = guard.inspect_in(&request, document.now(), &mut store) else {
            continue;
        };
        let algorithm = needs.algorithm().unwrap();
        let found = match needs.native() {
            Some(native) => {
                let found = is_right(&native);
                assert_eq!(found, needs.is_right(), "{}", case.id);
                let (right, wrong) = counts.entry(algorithm.as_str()).or_default();
                *if found { right } else { wrong } += 1;
                found
            }
            None => {
                let takes_der = [
                    JwsAlgorithm::Rs256,
                    JwsAlgorithm::Rs384,
                    JwsAlgorithm::Rs512,
                    JwsAlgorithm::Es256,
                    JwsAlgorithm::Es384,
                ];
                assert!(!takes_der.contains(&algorithm), "{}", case.id);
                needs.is_right()
            }
        };
        let Inspection::Decided(verdict) = needs.resume(found, &mut store) else {
            continue;
        };
        let verdict = serde_json::from_str(&verdict.document(document.id.as_deref()).to_json()).unwrap();
        assert_eq!(
            vectors::pinned_fields(&verdict),
            vectors::pinned_fields(&case.want),
            "{}",
            case.id
        );
    }
    for algorithm in ["RS256", "RS384", "RS512", "ES256", "ES384"] {
        let (right, wrong) = counts.get(algorithm).copied().unwrap_or_default();
        assert!(right > 0 && wrong > 0, "{counts:?}");
    }
}
