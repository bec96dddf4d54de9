//! Key sets without a policy: what keys they have, and whether a token is signed by one of them.

use js_sys::{Object, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::token::{Jws, JwsAlgorithm, JwsError, KeySet, Unverified, VerificationKey};
use crate::verdict::Reason;
use crate::wasm_value::{coded, object};

/// Keys that may all verify signatures.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmKeySet {
    keys: KeySet,
    /// The token that was read last.
    token: Option<Unverified>,
}

/// A key, as JS sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyDocument<'k> {
    key_id: Option<&'k str>,
    algorithms: Vec<&'static str>,
    thumbprint: Option<String>,
}

/// A token of which all but the signature is in order, as JS sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenDocument {
    key: usize,
    algorithm: &'static str,
    is_symmetric: bool,
    signed_length: usize,
}

#[wasm_bindgen]
impl WasmKeySet {
    /// Reads a key set, or one key alone (RFC 7517).
    ///
    /// # Errors
    /// `HOSTBOUND_KEYS`, with every key that may not be used.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(text: &str) -> Result<Self, JsValue> {
        match KeySet::from_json(text) {
            Ok(keys) => Ok(Self { keys, token: None }),
            Err(errors) => Err(coded(&errors.to_string(), "HOSTBOUND_KEYS").into()),
        }
    }

    /// What keys there are: `{keyId, algorithms, thumbprint}` of each.
    #[must_use]
    pub fn keys(&self) -> JsValue {
        let keys = self.keys.keys().iter().map(|key| KeyDocument {
            key_id: key.id(),
            algorithms: key.algorithms().map(JwsAlgorithm::as_str).collect(),
            thumbprint: key.thumbprint(),
        });
        object(&keys.collect::<Vec<_>>())
    }

    /// A key as a JWK without names and purposes; empty for a secret.
    #[must_use]
    pub fn jwk(&self, index: usize) -> JsValue {
        let key = Object::new();
        for (name, value) in self
            .keys
            .keys()
            .get(index)
            .map_or_else(Vec::new, VerificationKey::members)
        {
            // An object of its own takes every name.
            let _ = Reflect::set(&key, &name.into(), &value.into());
        }
        key.into()
    }

    /// Reads a token and finds its key: why it is refused, or `{key, algorithm, isSymmetric, signedLength}` if only its signature is to be verified.
    pub fn read(&mut self, token: &[u8], algorithms: Vec<String>) -> JsValue {
        let allowed: Vec<_> = algorithms.iter().filter_map(|name| JwsAlgorithm::parse(name)).collect();
        self.token = None;
        match Jws::parse(token).and_then(|jws| jws.unverified(&self.keys, &allowed)) {
            Err(error) => reason(error).as_str().into(),
            Ok(token) => {
                let document = object(&TokenDocument {
                    key: token.key,
                    algorithm: token.algorithm.as_str(),
                    is_symmetric: token.algorithm.is_symmetric(),
                    signed_length: token.signed,
                });
                self.token = Some(token);
                document
            }
        }
    }

    /// The signature of the token that was read.
    #[must_use]
    pub fn signature(&self) -> Vec<u8> {
        self.token
            .as_ref()
            .map_or_else(Vec::new, |token| token.signature.clone())
    }

    /// The payload of the token that was read.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.token.as_ref().map_or_else(Vec::new, |token| token.payload.clone())
    }

    /// True if the signature of the token that was read is right; `token` is the same again.
    #[must_use]
    pub fn verifies(&self, token: &[u8]) -> bool {
        let Some(read) = &self.token else { return false };
        let Some(key) = self.keys.keys().get(read.key) else {
            return false;
        };
        let signed = token.get(..read.signed).unwrap_or_default();
        key.verifies(read.algorithm, signed, &read.signature)
    }
}

/// As of a token that a policy asks for.
const fn reason(error: JwsError) -> Reason {
    match error {
        JwsError::Malformed => Reason::TokenMalformed,
        JwsError::HeaderNotUnderstood => Reason::TokenHeaderNotUnderstood,
        JwsError::AlgorithmNotAllowed => Reason::TokenAlgorithmNotAllowed,
        JwsError::KeyUnknown => Reason::TokenKeyUnknown,
        JwsError::SignatureMismatch => Reason::TokenSignatureMismatch,
    }
}
