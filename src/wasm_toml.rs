//! The reader of TOML as a wasm module of its own: text goes in, a tree comes out, for `fromTree` of the engine's module.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::policy::PolicyDocument;
use crate::wasm_value::policy_error;

/// The reader.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub struct WasmToml;

#[wasm_bindgen]
impl WasmToml {
    /// Reads TOML 1.0. `file` is the document's name in messages.
    ///
    /// # Errors
    /// `HOSTBOUND_POLICY` with the first mistake of syntax.
    pub fn read(text: &str, file: &str) -> Result<Vec<u8>, JsValue> {
        let document = PolicyDocument::from_toml(text, file).map_err(|errors| policy_error(&errors))?;
        let mut bytes = Vec::new();
        document.root.write(&mut bytes);
        Ok(bytes)
    }
}
