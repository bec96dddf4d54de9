//! The wasm-bindgen face: policies and packed requests come in, integers and verdict objects go out.
//!
//! It holds no rule. What it cannot read it throws, as an `Error` with a `code`.

mod guard;
#[cfg(feature = "tokens")]
mod key_set;
#[cfg(feature = "tokens")]
mod tokens;

use std::sync::Arc;

use js_sys::Error;
use serde_wasm_bindgen::Deserializer;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[cfg(feature = "egress")]
use crate::egress::EgressDocument;
#[cfg(feature = "egress")]
use crate::guard::Guard;
use crate::policy::{ErrorCode, Policy, PolicyDocument, PolicyError, PolicyErrors};
use crate::secret::{SecretReference, Secrets};
use crate::tree::Node;
use crate::wasm_value::{coded, object, policy_error};

/// A valid policy.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmPolicy {
    policy: Arc<Policy>,
    added_hosts: Vec<String>,
}

#[wasm_bindgen]
impl WasmPolicy {
    /// Reads and compiles JSON, as people or `hostbound compile` write it.
    /// `file` is its name in messages; `hosts`, found in `source`, are appended to `hosts.allow` first.
    ///
    /// # Errors
    /// `HOSTBOUND_POLICY`, with every mistake in `errors`.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(text: &str, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        Self::compile(PolicyDocument::from_json(text, file), &hosts, source)
    }

    /// Compiles the tree of a TOML document, which `WasmToml.read` of another module read from the text.
    ///
    /// # Errors
    /// As `fromJson`.
    #[wasm_bindgen(js_name = fromTree)]
    pub fn from_tree(tree: &[u8], text: &str, file: &str, hosts: Vec<String>, source: &str) -> Result<Self, JsValue> {
        let root = Node::read(tree).ok_or_else(|| coded("the tree is no document's", "HOSTBOUND_ENGINE"))?;
        Self::compile(Ok(PolicyDocument::from_tree(root, text, file)), &hosts, source)
    }

    /// True for a text that is read as JSON, not TOML.
    #[wasm_bindgen(js_name = isJson)]
    #[must_use]
    pub fn is_json(text: &str) -> bool {
        PolicyDocument::is_json(text)
    }

    /// Reads and compiles a JS object. Its mistakes have paths, but no lines. The caller bounds its depth.
    ///
    /// # Errors
    /// As `fromJson`.
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

    /// Where the secrets of the policy are to be found: `[kind, name]`, kind being `env`, `file` or `name`.
    #[must_use]
    pub fn secrets(&self) -> JsValue {
        let places: Vec<_> = self.policy.secrets().map(kind_and_name).collect();
        object(&places)
    }

    /// The names of the `signatures` sections.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        self.policy.signatures().map(str::to_owned).collect()
    }

    /// The names of the `tokens` sections.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.policy.tokens().map(str::to_owned).collect()
    }

    /// True if judging a request can need another server: keys that are fetched, or introspection.
    #[cfg(feature = "tokens")]
    #[wasm_bindgen(getter, js_name = needsFetching)]
    #[must_use]
    pub fn needs_fetching(&self) -> bool {
        self.policy.needs_fetching()
    }

    /// The largest `max_body` of the signatures, in bytes; 0 if there are none.
    #[wasm_bindgen(getter, js_name = maxBody)]
    #[must_use]
    pub fn max_body(&self) -> f64 {
        // In halves, which a float holds exactly: sizes are below 2^35.
        let half = |part: u64| u32::try_from(part).map_or(f64::INFINITY, f64::from);
        let bytes = self.policy.max_body();
        half(bytes >> 31) * 2_147_483_648.0 + half(bytes & 0x7fff_ffff)
    }

    /// True if the policy asks for a replay store that all processes share.
    #[wasm_bindgen(getter, js_name = needsSharedReplay)]
    #[must_use]
    pub fn needs_shared_replay(&self) -> bool {
        self.policy.needs_shared_replay()
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
                policy: Arc::new(document.compile()?),
                added_hosts,
            })
        });
        compiled.map_err(|errors| policy_error(&errors))
    }
}

const fn kind_and_name(reference: &SecretReference) -> (&str, &str) {
    match reference {
        SecretReference::Env(name) => ("env", name.as_str()),
        SecretReference::File(path) => ("file", path.as_str()),
        SecretReference::Name(name) => ("name", name.as_str()),
    }
}

/// The values of secrets. They are wiped when this is freed.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct WasmSecrets {
    secrets: Secrets,
}

#[wasm_bindgen]
impl WasmSecrets {
    /// None yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the value of one of the policy's secrets, told by its kind and name. False if the policy has none such.
    pub fn insert(&mut self, policy: &WasmPolicy, kind: &str, name: &str, value: Vec<u8>) -> bool {
        let mut references = policy.policy.secrets();
        let found = references
            .find(|reference| kind_and_name(reference) == (kind, name))
            .cloned();
        let is_known = found.is_some();
        if let Some(reference) = found {
            self.secrets.insert(reference, value);
        }
        is_known
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
            guard: Guard::new(Arc::clone(&policy.policy)),
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
