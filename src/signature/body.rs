//! The body of a signed request: what it must prove, chunk by chunk, in constant memory.

use std::fmt;

use ring::{digest, hmac};

/// Up to so many signed bytes are kept, so that one pass verifies them; beyond, they are hashed as they come.
pub(super) const BUFFERED: usize = 64 * 1024;

/// What the body must prove.
#[derive(Debug)]
pub(crate) enum BodyProof<'a> {
    /// That it is what the MAC covers, beside the head.
    Mac(MacProof<'a>),
    /// That it is what the signed digest says; or that there is none.
    Digest(DigestProof<'a>),
}

impl BodyProof<'_> {
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Mac(mac) => mac.update(chunk),
            Self::Digest(digest) => digest.update(chunk),
        }
    }
}

/// Candidates for the key, the tags that were sent, and what is signed so far.
pub(crate) struct MacProof<'a> {
    keys: Vec<(&'a str, &'a hmac::Key)>,
    tags: Vec<[u8; 32]>,
    signed: Vec<u8>,
    /// One for each key, once the signed bytes are too many to keep.
    contexts: Vec<hmac::Context>,
}

impl<'a> MacProof<'a> {
    pub(crate) const fn new(keys: Vec<(&'a str, &'a hmac::Key)>, tags: Vec<[u8; 32]>, head: Vec<u8>) -> Self {
        Self {
            keys,
            tags,
            signed: head,
            contexts: Vec::new(),
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        if self.contexts.is_empty() {
            if self.signed.len().saturating_add(chunk.len()) <= BUFFERED {
                self.signed.extend_from_slice(chunk);
                return;
            }
            self.start_hashing();
        }
        for context in &mut self.contexts {
            context.update(chunk);
        }
    }

    fn start_hashing(&mut self) {
        let signed = std::mem::take(&mut self.signed);
        self.contexts = self
            .keys
            .iter()
            .map(|(_, key)| {
                let mut context = hmac::Context::with_key(key);
                context.update(&signed);
                context
            })
            .collect();
    }

    /// The id of the key that signed.
    pub(crate) fn finish(mut self) -> Option<&'a str> {
        if let ([tag], true) = (self.tags.as_slice(), self.contexts.is_empty()) {
            let mut keys = self.keys.iter();
            return keys
                .find(|(_, key)| hmac::verify(key, &self.signed, tag).is_ok())
                .map(|(id, _)| *id);
        }
        if self.contexts.is_empty() {
            self.start_hashing();
        }
        for ((id, key), context) in self.keys.iter().zip(self.contexts) {
            // Tags are only compared by `hmac::verify`: here through their own MACs, which are equal if and only if they are.
            let expected = hmac::sign(key, context.sign().as_ref());
            if self
                .tags
                .iter()
                .any(|tag| hmac::verify(key, tag, expected.as_ref()).is_ok())
            {
                return Some(id);
            }
        }
        None
    }
}

impl fmt::Debug for MacProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacProof").finish_non_exhaustive()
    }
}

/// A digest that a signed header says.
#[derive(Debug)]
pub(crate) struct ExpectedDigest {
    algorithm: &'static digest::Algorithm,
    bytes: Vec<u8>,
}

impl ExpectedDigest {
    /// Of an algorithm of RFC 9530 that is active.
    pub(crate) fn of(algorithm: &str, bytes: &[u8]) -> Option<Self> {
        let algorithm = match algorithm {
            "sha-256" => &digest::SHA256,
            "sha-512" => &digest::SHA512,
            _ => return None,
        };
        (bytes.len() == algorithm.output_len()).then(|| Self {
            algorithm,
            bytes: bytes.to_vec(),
        })
    }
}

/// The digest that is signed, and that of the body so far.
struct BodyDigest {
    expected: ExpectedDigest,
    context: digest::Context,
}

/// Whether the head was signed, and what its digest says of the body.
pub(crate) struct DigestProof<'a> {
    key_id: &'a str,
    is_signed: bool,
    body: Option<Box<BodyDigest>>,
}

impl<'a> DigestProof<'a> {
    pub(crate) fn new(key_id: &'a str, is_signed: bool, digest: Option<ExpectedDigest>) -> Self {
        Self {
            key_id,
            is_signed,
            body: digest.map(|expected| {
                let context = digest::Context::new(expected.algorithm);
                Box::new(BodyDigest { expected, context })
            }),
        }
    }

    /// The id of the key, if the head is signed.
    pub(crate) const fn signer(&self) -> Option<&'a str> {
        if self.is_signed { Some(self.key_id) } else { None }
    }

    /// True if the signature covers a digest of the body.
    pub(crate) const fn covers_body(&self) -> bool {
        self.body.is_some()
    }

    fn update(&mut self, chunk: &[u8]) {
        if let Some(body) = &mut self.body {
            body.context.update(chunk);
        }
    }

    /// The id of the key that signed, unless the body has another digest than the signed one. Neither is a secret.
    pub(crate) fn finish(self) -> Option<&'a str> {
        let is_met = self
            .body
            .is_none_or(|body| body.context.finish().as_ref() == body.expected.bytes.as_slice());
        Some(self.key_id).filter(|_| self.is_signed && is_met)
    }
}

impl fmt::Debug for DigestProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestProof")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
