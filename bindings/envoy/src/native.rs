//! Signatures of tokens: by Envoy's own cryptography where it knows the algorithm, else by the engine's.
//!
//! The engine has chosen algorithm and key. The messages are those of Envoy's foreign function `verify_signature`
//! (`source/extensions/common/wasm/ext/verify_signature.proto`).

use hostbound::NeedsVerification;

use crate::host::{self, HostError};
use crate::message;

/// The function of Envoy's.
const VERIFY: &str = "verify_signature";

/// Envoy's cryptography, as long as it is there.
#[derive(Debug, Default)]
pub(crate) struct Native {
    is_missing: bool,
}

impl Native {
    /// Whether the signature of a token is right.
    pub(crate) fn is_right(&mut self, needs: &NeedsVerification<'_>) -> bool {
        let Some(native) = needs.native().filter(|_| !self.is_missing) else {
            return needs.is_right();
        };
        let question = message::bytes_fields(&[
            (1, native.hash.as_bytes()),
            (2, &native.spki),
            (3, &native.signature),
            (4, native.signed),
        ]);
        match host::foreign(VERIFY, &question) {
            Ok(answer) => message::is_true(&answer),
            Err(error) => {
                // This Envoy does not have the function, or may not be asked: it will not be otherwise next time.
                self.is_missing = error != HostError::BAD_ARGUMENT;
                needs.is_right()
            }
        }
    }
}
