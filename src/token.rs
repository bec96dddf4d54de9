//! Tokens: JSON Web Signatures and the key sets that verify them.
//!
//! Decides whether a key may be used at all ([`KeySet`]), and whether a token is signed by one of them ([`Jws`]). What a token claims is not looked at here.

mod algorithm;
mod curve;
mod jws;
mod key;
mod key_set;
mod roca;
#[cfg(test)]
mod third_party;

pub use algorithm::JwsAlgorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use jws::{Jws, JwsError, MAX_TOKEN};
pub use key::{KeyError, VerificationKey};
pub use key_set::{KeySet, KeySetError, KeySetErrors, MAX_KEY_SET};

/// Unpadded base64url with zero unused bits (RFC 7515 §2): one spelling for each sequence of bytes.
fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
