//! What the wasm faces hand to JS: objects, and errors with a `code`.

use js_sys::{Error, JSON, Reflect};
use serde::Serialize;
#[cfg(feature = "wasm")]
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::JsValue;

use crate::policy::PolicyErrors;

/// One mistake in a policy, as JS sees it.
#[derive(Serialize)]
struct Mistake<'a> {
    code: &'static str,
    path: &'a str,
    message: &'a str,
    fix: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
}

pub(crate) fn policy_error(errors: &PolicyErrors) -> JsValue {
    let mistakes: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| Mistake {
            code: error.code().as_str(),
            path: error.path(),
            message: error.message(),
            fix: error.fix(),
            line: error.position().map(|position| position.line),
            column: error.position().map(|position| position.column),
        })
        .collect();
    let error = coded(&errors.to_string(), "HOSTBOUND_POLICY");
    // Strings, numbers, lists and nulls only: serializing them cannot fail, and so it can be parsed.
    let mistakes = serde_json::to_string(&mistakes).unwrap_or_default();
    set(&error, "errors", &JSON::parse(&mistakes).unwrap_or_default());
    error.into()
}

pub(crate) fn coded(message: &str, code: &str) -> Error {
    let error = Error::new(message);
    set(&error, "code", &code.into());
    error
}

fn set(error: &Error, key: &str, value: &JsValue) {
    // A new error is an extensible object: the property can be set.
    let _ = Reflect::set(error, &key.into(), value);
}

/// As a JS value; nothing is null, never undefined.
#[cfg(feature = "wasm")]
pub(crate) fn object(value: &impl Serialize) -> JsValue {
    // Strings, numbers, lists and nulls only: serializing them cannot fail.
    value
        .serialize(&Serializer::new().serialize_missing_as_null(true))
        .unwrap_or(JsValue::NULL)
}
