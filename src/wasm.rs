//! The wasm-bindgen face: policies and packed requests come in, integers and verdict objects go out.
//!
//! It holds no rule. What it cannot read it throws, as an `Error` with a `code`.

use js_sys::{Error, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::{Deserializer, Serializer};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[cfg(feature = "egress")]
use crate::egress::EgressDocument;
use crate::guard::{Guard, Inspection};
use crate::policy::{ErrorCode, Policy, PolicyDocument, PolicyError, PolicyErrors};
use crate::request::{PackedError, Request};
use crate::verdict::Verdict;

/// A valid policy.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmPolicy {
    policy: Policy,
    added_hosts: Vec<String>,
}

#[cfg(feature = "toml")]
#[wasm_bindgen]
impl WasmPolicy {
    /// Reads and compiles TOML. `file` is its name in messages; `hosts`, found in `source`, are appended to `hosts.allow` first.
    ///
    /// # Errors
    /// `HOSTBOUND_POLICY`, with every mistake in `errors`.
    #[wasm_bindgen(js_name = fromToml)]
    pub fn from_toml(text: &str, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        Self::compile(PolicyDocument::from_toml(text, file), &hosts, source)
    }

    /// Reads and compiles JSON if the first character is `{`, else TOML.
    ///
    /// # Errors
    /// As `fromToml`.
    #[wasm_bindgen(js_name = fromText)]
    pub fn from_text(text: &str, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        Self::compile(PolicyDocument::from_text(text, file), &hosts, source)
    }
}

#[wasm_bindgen]
impl WasmPolicy {
    /// Reads and compiles JSON, as people or `hostbound compile` write it.
    ///
    /// # Errors
    /// As `fromToml`.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(text: &str, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        Self::compile(PolicyDocument::from_json(text, file), &hosts, source)
    }

    /// Reads and compiles a JS object. Its mistakes have paths, but no lines. The caller bounds its depth.
    ///
    /// # Errors
    /// As `fromToml`.
    #[wasm_bindgen(js_name = fromObject)]
    pub fn from_object(object: JsValue, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        let document = PolicyDocument::deserialize(Deserializer::from(object), file).map_err(|error| PolicyErrors {
            file: file.to_owned(),
            errors: vec![PolicyError {
                code: ErrorCode::TypeMismatch,
                path: String::new(),
                message: Error::from(JsValue::from(error)).message().into(),
                fix: None,
                position: None,
                span: 0..0,
            }],
        });
        Self::compile(document, &hosts, source)
    }

    /// `sha256:` and 64 hex digits.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn digest(&self) -> String {
        self.policy.digest().to_owned()
    }

    /// The name, if it has one.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.policy.name().map(str::to_owned)
    }

    /// `enforce` or `report`.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn mode(&self) -> String {
        self.policy.mode().as_str().to_owned()
    }

    /// True if the verdict depends on the transport peer.
    #[wasm_bindgen(getter, js_name = needsPeer)]
    #[must_use]
    pub fn needs_peer(&self) -> bool {
        self.policy.needs_peer()
    }

    /// The hosts that were appended and not covered already.
    #[wasm_bindgen(getter, js_name = addedHosts)]
    #[must_use]
    pub fn added_hosts(&self) -> Vec<String> {
        self.added_hosts.clone()
    }
}

impl WasmPolicy {
    fn compile(
        document: Result<PolicyDocument, PolicyErrors>,
        hosts: &[String],
        source: &str,
    ) -> Result<Self, JsValue> {
        let compiled = document.and_then(|mut document| {
            let added = document.allow_hosts(hosts.iter().map(String::as_str), source)?;
            let added_hosts = added.into_iter().map(str::to_owned).collect();
            Ok(Self {
                policy: document.compile()?,
                added_hosts,
            })
        });
        compiled.map_err(|errors| policy_error(&errors))
    }
}

/// A guard, and the one buffer through which requests reach it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmGuard {
    guard: Guard,
    buffer: Vec<u8>,
    length: usize,
}

#[wasm_bindgen]
impl WasmGuard {
    /// A guard for a policy.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(policy: &WasmPolicy) -> Self {
        Self {
            guard: Guard::new(policy.policy.clone()),
            buffer: Vec::new(),
            length: 0,
        }
    }

    /// Makes the buffer at least `length` bytes long, keeps what is in it, and says where it lies. It never shrinks.
    pub fn reserve(&mut self, length: usize) -> *mut u8 {
        if length > self.buffer.len() {
            self.buffer.resize(length, 0);
        }
        self.buffer.as_mut_ptr()
    }

    /// Judges the packed request in the first `length` bytes of the buffer: the integer form of the verdict, or 2^32-1 if it is no packed request;
    /// `verdict` then throws why. An integer, not an exception, since a result that may be one costs a call out of wasm.
    pub fn inspect(&mut self, length: usize) -> u32 {
        self.length = length;
        self.judge().map_or(u32::MAX, |verdict| verdict.code())
    }

    /// The full verdict on the request in the buffer, as an object.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if the buffer holds no packed request.
    pub fn verdict(&self, id: Option<String>) -> Result<JsValue, JsValue> {
        Ok(object(&self.judged()?.document(id.as_deref())))
    }

    /// The full verdict on the request in the buffer, as JSON.
    ///
    /// # Errors
    /// As `verdict`.
    #[wasm_bindgen(js_name = verdictJson)]
    pub fn verdict_json(&self, id: Option<String>) -> Result<String, JsValue> {
        Ok(self.judged()?.document(id.as_deref()).to_json())
    }

    /// The text of the response to the request in the buffer; empty on allow.
    ///
    /// # Errors
    /// As `verdict`.
    #[wasm_bindgen(js_name = clientText)]
    pub fn client_text(&self) -> Result<String, JsValue> {
        Ok(self.judged()?.client_text())
    }
}

impl WasmGuard {
    fn judge(&self) -> Result<Verdict<'_>, PackedError> {
        let packed = self.buffer.get(..self.length).ok_or(PackedError::Length)?;
        let (request, now) = Request::unpack(packed)?;
        let Inspection::Decided(verdict) = self.guard.inspect(&request, now);
        Ok(verdict)
    }

    fn judged(&self) -> Result<Verdict<'_>, JsValue> {
        self.judge()
            .map_err(|error| coded(&error.to_string(), "HOSTBOUND_REQUEST").into())
    }
}

/// A guard for outbound requests. JSON goes in and comes out: beside a look-up and a handshake it costs nothing.
#[cfg(feature = "egress")]
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmEgress {
    guard: Guard,
}

#[cfg(feature = "egress")]
#[wasm_bindgen]
impl WasmEgress {
    /// A guard for a policy.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(policy: &WasmPolicy) -> Self {
        Self {
            guard: Guard::new(policy.policy.clone()),
        }
    }

    /// The verdict, as JSON, on an outbound request in JSON.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if it is no outbound request.
    #[wasm_bindgen(js_name = judgeEgress)]
    pub fn judge_egress(&self, document: &str) -> Result<String, JsValue> {
        let document = EgressDocument::from_json(document.as_bytes())
            .map_err(|error| coded(&error.to_string(), "HOSTBOUND_REQUEST"))?;
        Ok(self.guard.judge_egress(&document).to_json())
    }

    /// A regular expression for path and query: if a URL with such a target is allowed as it is written, before the look-up and with nothing reported,
    /// so is every URL of the same origin with another, up to `longestPlainTarget`, and the same names of headers.
    #[wasm_bindgen(js_name = plainTarget)]
    #[must_use]
    pub fn plain_target() -> String {
        Guard::PLAIN_TARGET.to_owned()
    }

    /// The longest target, in characters, for which that counts.
    #[wasm_bindgen(js_name = longestPlainTarget)]
    #[must_use]
    pub fn longest_plain_target() -> usize {
        Guard::MAX_PLAIN_TARGET
    }

    /// The pins of the URL's destination; empty if it has none.
    #[must_use]
    pub fn pins(&self, url: &str) -> Vec<String> {
        self.guard.pins(url).to_vec()
    }

    /// The file with the certificate authorities of the URL's destination.
    #[wasm_bindgen(js_name = certificateAuthorities)]
    #[must_use]
    pub fn certificate_authorities(&self, url: &str) -> Option<String> {
        self.guard.certificate_authorities(url).map(str::to_owned)
    }

    /// The file with the client certificate and key for the URL's destination.
    #[wasm_bindgen(js_name = clientCertificate)]
    #[must_use]
    pub fn client_certificate(&self, url: &str) -> Option<String> {
        self.guard.client_certificate(url).map(str::to_owned)
    }

    /// True if a header carries a credential.
    #[wasm_bindgen(js_name = isCredential)]
    #[must_use]
    pub fn is_credential(&self, header: &str) -> bool {
        self.guard.is_credential(header)
    }
}

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

fn policy_error(errors: &PolicyErrors) -> JsValue {
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
    set(&error, "errors", &object(&mistakes));
    error.into()
}

fn coded(message: &str, code: &str) -> Error {
    let error = Error::new(message);
    set(&error, "code", &code.into());
    error
}

fn set(error: &Error, key: &str, value: &JsValue) {
    // A new error is an extensible object: the property can be set.
    let _ = Reflect::set(error, &key.into(), value);
}

/// As a JS value; nothing is null, never undefined.
fn object(value: &impl Serialize) -> JsValue {
    // Strings, numbers, lists and nulls only: serializing them cannot fail.
    value
        .serialize(&Serializer::new().serialize_missing_as_null(true))
        .unwrap_or(JsValue::NULL)
}
