//! JSON Web Signature in compact form (RFC 7515 §7.1), and nothing else.

use std::fmt;

use super::algorithm::JwsAlgorithm;
use super::base64url;
use super::key::VerificationKey;
use super::key_set::KeySet;
use crate::json;
use crate::tree::{Node, Value};

/// The longest token, in bytes: 16 KiB.
pub const MAX_TOKEN: usize = 16 * 1024;

/// The deepest nesting of a header.
const MAX_LEVELS: usize = 16;

/// Header members that would change what is verified, or by what (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797 §3): a policy alone says that.
const NOT_UNDERSTOOD: [&str; 8] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"];

/// A token whose form and header are in order. Its signature is not verified yet.
pub struct Jws<'a> {
    algorithm: String,
    key_id: Option<String>,
    kind: Option<String>,
    payload: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// A token with the one key for it, of which all but the signature is in order.
#[cfg(all(feature = "wasm", feature = "tokens"))]
pub(crate) struct Unverified {
    pub(crate) algorithm: JwsAlgorithm,
    /// The key's place in its set.
    pub(crate) key: usize,
    /// The length of what is signed, from the token's beginning.
    pub(crate) signed: usize,
    pub(crate) signature: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JwsError {
    /// Not a compact JWS with a well-formed header.
    Malformed,
    /// A header member that is not understood, such as `crit` or `jwk`.
    HeaderNotUnderstood,
    /// An algorithm that is not allowed, or not with the key.
    AlgorithmNotAllowed,
    /// No key for the token.
    KeyUnknown,
    /// The signature is not the key's.
    SignatureMismatch,
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the token is malformed",
            Self::HeaderNotUnderstood => "the token's header has a member that is not understood",
            Self::AlgorithmNotAllowed => "the token's algorithm is not allowed",
            Self::KeyUnknown => "no key is known for the token",
            Self::SignatureMismatch => "the token's signature is not that of its key",
        })
    }
}

impl std::error::Error for JwsError {}

/// A token in its three parts, the first of which is a JSON object.
pub(super) struct Parts<'a> {
    header: Node,
    payload: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Takes time linear in the length of the token.
    pub(super) fn read(token: &'a [u8]) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::Malformed);
        }
        let text = std::str::from_utf8(token).map_err(|_| JwsError::Malformed)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        if header.is_empty() || signature.is_empty() {
            return Err(JwsError::Malformed);
        }
        // A fourth part would leave a dot in the payload, which is no base64url.
        let part = |text: &str| base64url(text).ok_or(JwsError::Malformed);
        let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
        Ok(Self {
            header: object(&header).ok_or(JwsError::Malformed)?,
            payload,
            signed,
            signature,
        })
    }

    /// The payload as a JSON object, unverified.
    #[cfg(feature = "tokens")]
    pub(super) fn json_payload(&self) -> Result<Node, JwsError> {
        object(&self.payload).ok_or(JwsError::Malformed)
    }

    /// Reads the header.
    pub(super) fn header(self) -> Result<Jws<'a>, JwsError> {
        let text = |name: &str| match self.header.get(name) {
            None => Ok(None),
            Some(member) => member
                .as_str()
                .map(|text| Some(text.to_owned()))
                .ok_or(JwsError::Malformed),
        };
        let algorithm = text("alg")?.ok_or(JwsError::Malformed)?;
        let key_id = text("kid")?;
        let kind = text("typ")?;
        if NOT_UNDERSTOOD.iter().any(|name| self.header.get(name).is_some()) {
            return Err(JwsError::HeaderNotUnderstood);
        }
        Ok(Jws {
            algorithm,
            key_id,
            kind,
            payload: self.payload,
            signed: self.signed,
            signature: self.signature,
        })
    }
}

impl<'a> Jws<'a> {
    /// Reads a token: three parts of canonical base64url, of which the first is a JSON object.
    ///
    /// # Errors
    /// [`JwsError::Malformed`], [`JwsError::HeaderNotUnderstood`]
    pub fn parse(token: &'a [u8]) -> Result<Self, JwsError> {
        Parts::read(token)?.header()
    }

    /// The `kid`, unverified.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `typ`, unverified.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The payload, unverified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature: by an algorithm that is allowed, with the one key that the set has for the token. The key that signed.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmNotAllowed`], [`JwsError::KeyUnknown`], [`JwsError::SignatureMismatch`]
    pub fn verify<'k>(&self, keys: &'k KeySet, allowed: &[JwsAlgorithm]) -> Result<&'k VerificationKey, JwsError> {
        let algorithm = self.algorithm(allowed)?;
        let index = self.key(keys, algorithm)?;
        let key = keys.keys().get(index).ok_or(JwsError::KeyUnknown)?;
        if key.verifies(algorithm, self.signed.as_bytes(), &self.signature) {
            Ok(key)
        } else {
            Err(JwsError::SignatureMismatch)
        }
    }

    /// The same but for the signature, which has the length that it must have.
    #[cfg(all(feature = "wasm", feature = "tokens"))]
    pub(crate) fn unverified(self, keys: &KeySet, allowed: &[JwsAlgorithm]) -> Result<Unverified, JwsError> {
        let algorithm = self.algorithm(allowed)?;
        let key = self.key(keys, algorithm)?;
        let mut found = keys.keys().get(key).into_iter();
        if !found.any(|key| key.takes(algorithm, &self.signature)) {
            return Err(JwsError::SignatureMismatch);
        }
        Ok(Unverified {
            algorithm,
            key,
            signed: self.signed.len(),
            signature: self.signature,
            payload: self.payload,
        })
    }

    /// The `alg`, as the token names it.
    #[cfg(feature = "tokens")]
    pub(super) fn algorithm_name(&self) -> &str {
        &self.algorithm
    }

    /// The algorithm, if it is one of the allowed ones.
    pub(super) fn algorithm(&self, allowed: &[JwsAlgorithm]) -> Result<JwsAlgorithm, JwsError> {
        JwsAlgorithm::parse(&self.algorithm)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(JwsError::AlgorithmNotAllowed)
    }

    /// The place in the set of the one key for the token, which fits the algorithm.
    pub(super) fn key(&self, keys: &KeySet, algorithm: JwsAlgorithm) -> Result<usize, JwsError> {
        let index = keys.select(self.key_id(), algorithm).ok_or(JwsError::KeyUnknown)?;
        match keys.keys().get(index) {
            Some(key) if key.fits(algorithm) => Ok(index),
            Some(_) => Err(JwsError::AlgorithmNotAllowed),
            None => Err(JwsError::KeyUnknown),
        }
    }

    /// The length of what is signed, from the token's beginning; and the signature.
    #[cfg(feature = "tokens")]
    pub(super) fn into_signature(self) -> (usize, Vec<u8>) {
        (self.signed.len(), self.signature)
    }
}

#[cfg(all(feature = "wasm", feature = "tokens"))]
impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").finish_non_exhaustive()
    }
}

impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token is a credential.
        f.debug_struct("Jws").finish_non_exhaustive()
    }
}

/// A JSON object of at most [`MAX_LEVELS`] levels, no name twice.
pub(super) fn object(bytes: &[u8]) -> Option<Node> {
    let node = json::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let is_object = matches!(node.value, Value::Table(_));
    (is_object && levels(&node) <= MAX_LEVELS).then_some(node)
}

fn levels(node: &Node) -> usize {
    let items = node.items().iter().map(levels);
    let members = node.entries().iter().map(|entry| levels(&entry.node));
    items.chain(members).max().unwrap_or(0).saturating_add(1)
}
