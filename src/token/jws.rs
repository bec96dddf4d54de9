//! JSON Web Signature in compact form (RFC 7515 §7.1), and nothing else.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memrchr};

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

/// A JSON object whose strings are borrowed from its text.
pub(super) type Object<'x> = Node<Cow<'x, str>>;

/// A token whose form and header are in order. Its signature is not verified yet.
pub struct Jws<'a> {
    header: Header<'static>,
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

/// A token in its three parts, decoded.
pub(super) struct Parts<'a> {
    header: Vec<u8>,
    pub(super) payload: Payload,
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

/// What is before the dot at that place, and what is behind it.
fn split(text: &str, dot: Option<usize>) -> Option<(&str, &str)> {
    let (before, rest) = text.split_at_checked(dot?)?;
    Some((before, rest.strip_prefix('.')?))
}

/// The payload of a token, or what a server says of one: claims as text, which takes less room and time than a tree of them.
#[derive(Clone)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    #[cfg(feature = "tokens")]
    pub(super) const fn new(text: Vec<u8>) -> Self {
        Self(text)
    }

    /// As a JSON object, if it is one.
    #[cfg(feature = "tokens")]
    pub(super) fn object(&self) -> Option<Object<'_>> {
        object(&self.0)
    }

    /// As JSON; null if it is none.
    #[cfg(feature = "tokens")]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        json::parse(text).map_or(serde_json::Value::Null, |node| node.to_json())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

/// A header whose members are in order.
pub(super) struct Header<'x> {
    algorithm: Cow<'x, str>,
    key_id: Option<Cow<'x, str>>,
    kind: Option<Cow<'x, str>>,
}

impl<'a> Parts<'a> {
    /// Takes time linear in the length of the token.
    pub(super) fn read(token: &'a [u8]) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::Malformed);
        }
        let text = std::str::from_utf8(token).map_err(|_| JwsError::Malformed)?;
        let (signed, signature) = split(text, memrchr(b'.', token)).ok_or(JwsError::Malformed)?;
        let (header, payload) = split(signed, memchr(b'.', token)).ok_or(JwsError::Malformed)?;
        if header.is_empty() || signature.is_empty() {
            return Err(JwsError::Malformed);
        }
        // A fourth part would leave a dot in the payload, which is no base64url.
        let part = |text: &str| base64url(text).ok_or(JwsError::Malformed);
        Ok(Self {
            header: part(header)?,
            payload: Payload(part(payload)?),
            signed,
            signature: part(signature)?,
        })
    }

    /// Reads the header.
    pub(super) fn header(&self) -> Result<Header<'_>, JwsError> {
        let Some(Value::Table(members)) = object(&self.header).map(|header| header.value) else {
            return Err(JwsError::Malformed);
        };
        let (mut algorithm, mut key_id, mut kind, mut is_understood) = (None, None, None, true);
        for member in members {
            let place = match &*member.key {
                "alg" => &mut algorithm,
                "kid" => &mut key_id,
                "typ" => &mut kind,
                name => {
                    is_understood &= !NOT_UNDERSTOOD.contains(&name);
                    continue;
                }
            };
            let Value::String(text) = member.node.value else {
                return Err(JwsError::Malformed);
            };
            *place = Some(text);
        }
        let algorithm = algorithm.ok_or(JwsError::Malformed)?;
        if !is_understood {
            return Err(JwsError::HeaderNotUnderstood);
        }
        Ok(Header {
            algorithm,
            key_id,
            kind,
        })
    }
}

impl Header<'_> {
    /// The `alg`, as the token names it.
    #[cfg(feature = "tokens")]
    pub(super) fn algorithm_name(&self) -> &str {
        &self.algorithm
    }

    /// The `kid`, unverified.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `typ`, unverified.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
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

    fn into_owned(self) -> Header<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Header {
            algorithm: owned(self.algorithm),
            key_id: self.key_id.map(owned),
            kind: self.kind.map(owned),
        }
    }
}

impl<'a> Jws<'a> {
    /// Reads a token: three parts of canonical base64url, of which the first is a JSON object.
    ///
    /// # Errors
    /// [`JwsError::Malformed`], [`JwsError::HeaderNotUnderstood`]
    pub fn parse(token: &'a [u8]) -> Result<Self, JwsError> {
        let parts = Parts::read(token)?;
        Ok(Self {
            header: parts.header()?.into_owned(),
            payload: parts.payload.0,
            signed: parts.signed,
            signature: parts.signature,
        })
    }

    /// The `kid`, unverified.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id()
    }

    /// The `typ`, unverified.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.header.kind()
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
        let algorithm = self.header.algorithm(allowed)?;
        let index = self.header.key(keys, algorithm)?;
        let key = keys.keys().get(index).ok_or(JwsError::KeyUnknown)?;
        if key.verifies(algorithm, self.signed.as_bytes(), &self.signature) {
            Ok(key)
        } else {
            Err(JwsError::SignatureMismatch)
        }
    }

    /// The same but for the signature, which has the form that it must have.
    #[cfg(all(feature = "wasm", feature = "tokens"))]
    pub(crate) fn unverified(self, keys: &KeySet, allowed: &[JwsAlgorithm]) -> Result<Unverified, JwsError> {
        let algorithm = self.header.algorithm(allowed)?;
        let key = self.header.key(keys, algorithm)?;
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
pub(super) fn object(bytes: &[u8]) -> Option<Object<'_>> {
    let node = json::parse_borrowed(std::str::from_utf8(bytes).ok()?).ok()?;
    let is_object = matches!(node.value, Value::Table(_));
    (is_object && levels(&node) <= MAX_LEVELS).then_some(node)
}

fn levels(node: &Object<'_>) -> usize {
    let items = node.items().iter().map(levels);
    let members = node.entries().iter().map(|entry| levels(&entry.node));
    items.chain(members).max().unwrap_or(0).saturating_add(1)
}
