//! ring's HMAC alone in wasm.

use ring::hmac;
use wasm_bindgen::prelude::wasm_bindgen;

/// A key, a message and its tag.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Mac {
    key: hmac::Key,
    message: Vec<u8>,
    tag: Vec<u8>,
}

#[wasm_bindgen]
impl Mac {
    /// For a key and a message.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(key: &[u8], message: Vec<u8>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tag = hmac::sign(&key, &message).as_ref().to_vec();
        Self { key, message, tag }
    }

    /// True, and the work of finding out.
    #[must_use]
    pub fn verify(&self) -> bool {
        hmac::verify(&self.key, &self.message, &self.tag).is_ok()
    }
}
