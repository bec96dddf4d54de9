//! Signatures of tokens: by Envoy's own cryptography where it knows the algorithm, else by the engine's.

use hostbound::NeedsVerification;

/// Whether the signature of a token is right.
pub(crate) fn is_right(needs: &NeedsVerification<'_>) -> bool {
    needs.is_right()
}
