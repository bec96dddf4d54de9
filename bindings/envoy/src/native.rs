//! Signatures of tokens: by Envoy's own cryptography where it knows the algorithm, else by the engine's.
//!
//! The engine has chosen algorithm and key. The messages are those of Envoy's foreign function `verify_signature`
//! (`source/extensions/common/wasm/ext/verify_signature.proto`).

use hostbound::NeedsVerification;

use crate::message;

/// The function of Envoy's.
const VERIFY: &str = "verify_signature";

/// Whether the signature of a token is right.
pub(crate) fn is_right(needs: &NeedsVerification<'_>) -> bool {
    let Some(native) = needs.native() else {
        return needs.is_right();
    };
    let question = message::bytes_fields(&[
        (1, native.hash.as_bytes()),
        (2, &native.spki),
        (3, &native.signature),
        (4, native.signed),
    ]);
    match crate::host::foreign(VERIFY, &question) {
        Ok(answer) => message::is_true(&answer),
        // An Envoy that does not have the function, or was not allowed to be asked.
        Err(_) => needs.is_right(),
    }
}
