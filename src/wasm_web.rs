//! The guard of pages as a wasm module of its own. It reads the page's origin from the browser, so that nobody hands it another.
//!
//! It holds no rule. Strings go in and JSON comes out: beside a request over the network that costs nothing.

use js_sys::{JsString, global};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::{Window, WorkerGlobalScope};

use crate::guard::Guard;
use crate::page::PageDocument;
use crate::policy::Policy;
use crate::wasm_value::{coded, policy_error};

/// As much of a URL as is looked at. What is longer is either refused for that, or reaches no network.
const MAX_URL: u32 = 64 * 1024 + 1;

/// The guard of the page, or of the worker, that it runs in.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmPage {
    guard: Guard,
    origin: String,
}

#[wasm_bindgen]
impl WasmPage {
    /// Compiles a policy in JSON. `file` is its name in messages.
    ///
    /// # Errors
    /// `HOSTBOUND_POLICY`, with every mistake in `errors`.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, file: &str) -> Result<Self, JsValue> {
        let policy = Policy::from_json(policy, file).map_err(|errors| policy_error(&errors))?;
        Ok(Self {
            guard: Guard::new(policy),
            origin: own_origin(),
        })
    }

    /// The verdict on the page itself.
    #[must_use]
    pub fn page(&self) -> String {
        self.judged(PageDocument::default())
    }

    /// The verdict on a request of the page: its URL as the browser writes it, the URL that redirected there, and the names of the headers that it sets.
    #[must_use]
    pub fn request(&self, url: &JsString, from: Option<String>, headers: Vec<String>) -> String {
        self.judged(PageDocument {
            url: Some(url.slice(0, MAX_URL).into()),
            from,
            headers,
            ..PageDocument::default()
        })
    }

    /// The verdict on a page in JSON, which has any origin: for tests.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if it is no page.
    #[wasm_bindgen(js_name = judge)]
    pub fn judge(&self, document: &str) -> Result<String, JsValue> {
        let document = PageDocument::from_json(document.as_bytes())
            .map_err(|error| coded(&error.to_string(), "HOSTBOUND_REQUEST"))?;
        Ok(self.guard.judge_page(&document).to_json())
    }
}

impl WasmPage {
    fn judged(&self, document: PageDocument) -> String {
        let origin = self.origin.clone();
        self.guard.judge_page(&PageDocument { origin, ..document }).to_json()
    }
}

/// Of the document, also where its URL says nothing of it (`about:srcdoc`), or of the worker. What is neither stands under no name.
fn own_origin() -> String {
    let here = global();
    if let Some(window) = here.dyn_ref::<Window>() {
        return window.origin();
    }
    here.dyn_ref::<WorkerGlobalScope>()
        .map_or_else(|| "null".to_owned(), WorkerGlobalScope::origin)
}
