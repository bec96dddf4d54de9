//! What a judgement asks of the host about tokens: keys, introspection, and signatures that its own cryptography verifies faster.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use js_sys::{Object, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use super::guard::{WasmGuard, unreadable};
use crate::guard::{Inspection, NeedsVerification};
use crate::request::Timestamp;
use crate::token::{Introspected, JwsAlgorithm, KeySet, TokenAnswer, VerificationKey};
use crate::wasm_value::object;

/// How many keys the host is told of before they are counted anew.
const MAX_TOLD: usize = 64;

/// A signature that is to be verified, and the keys that the host was told of.
#[derive(Debug, Default)]
pub(super) struct Verification {
    /// As [`WasmGuard::verification`] says.
    words: Cell<[u32; 6]>,
    told: RefCell<Told>,
}

#[derive(Debug, Default)]
struct Told {
    keys: Vec<(Arc<KeySet>, usize)>,
    /// How often they were counted anew.
    round: u32,
}

impl Told {
    /// A number that stands for one key and never for another.
    fn number(&mut self, set: &Arc<KeySet>, index: usize) -> u32 {
        let mut known = self.keys.iter();
        let known = known.position(|(other, at)| *at == index && Arc::ptr_eq(other, set));
        let at = known.unwrap_or_else(|| {
            if self.keys.len() >= MAX_TOLD {
                self.keys.clear();
                self.round = self.round.wrapping_add(1);
            }
            self.keys.push((Arc::clone(set), index));
            self.keys.len().saturating_sub(1)
        });
        self.round.wrapping_mul(word(MAX_TOLD)).wrapping_add(word(at))
    }
}

impl Verification {
    pub(super) fn set(&self, needs: &NeedsVerification<'_>) {
        let Some((set, index)) = needs.place_of_key() else {
            return;
        };
        let Some(algorithm) = needs.algorithm() else { return };
        let algorithm = JwsAlgorithm::ALL.iter().position(|other| *other == algorithm);
        let (signed, signature) = (needs.signed(), needs.signature());
        self.words.set([
            self.told.borrow_mut().number(&set, index),
            word(algorithm.unwrap_or(usize::MAX)),
            word(signed.as_ptr().addr()),
            word(signed.len()),
            word(signature.as_ptr().addr()),
            word(signature.len()),
        ]);
    }

    fn key(&self) -> Option<(Arc<KeySet>, usize)> {
        let [number, ..] = self.words.get();
        let at = usize::try_from(number).ok()?.checked_rem(MAX_TOLD)?;
        self.told.borrow().keys.get(at).cloned()
    }
}

/// Nothing in this memory is longer.
fn word(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What is to be asked.
#[derive(Serialize)]
struct QuestionDocument<'q> {
    section: &'q str,
    url: &'q str,
    authorization: Option<&'q str>,
    body: Option<&'q str>,
}

/// What became of keys that were fetched.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeptDocument {
    error: Option<String>,
    thumbprints: Vec<String>,
    is_new: bool,
    refresh_at: Option<u64>,
}

/// What a server answered; none without a status.
fn answer<'x>(status: Option<u16>, content_type: Option<&'x str>, body: &'x [u8]) -> Option<TokenAnswer<'x>> {
    status.map(|status| TokenAnswer {
        status,
        content_type,
        body,
    })
}

#[wasm_bindgen]
impl WasmGuard {
    /// The names of the algorithms, by their numbers in `verification`.
    #[must_use]
    pub fn algorithms() -> Vec<String> {
        JwsAlgorithm::ALL.iter().map(ToString::to_string).collect()
    }

    /// From now on signatures of public keys are left to the host.
    #[wasm_bindgen(js_name = verifyOutside)]
    pub fn verify_outside(&mut self) {
        self.tokens.get_mut().verify_outside();
    }

    /// Where six words lie after a judgement that needs a verification: the number of the key, that of the algorithm, and pointer and length of what is
    /// signed and of the signature.
    #[must_use]
    pub fn verification(&self) -> *const u32 {
        self.verification.words.as_ptr().cast_const().cast()
    }

    /// The key of the verification, as a JWK (RFC 7517) without names and purposes.
    #[wasm_bindgen(js_name = verificationKey)]
    #[must_use]
    pub fn verification_key(&self) -> JsValue {
        let key = Object::new();
        let Some((set, index)) = self.verification.key() else {
            return key.into();
        };
        for (name, value) in set.keys().get(index).map_or_else(Vec::new, VerificationKey::members) {
            // An object of its own takes every name.
            let _ = Reflect::set(&key, &name.into(), &value.into());
        }
        key.into()
    }

    /// Goes on with what came of the verification: the integer form of the inspection, as of the call that needed it.
    pub fn verified(&mut self, is_right: bool) -> u32 {
        self.tokens.get_mut().verified(is_right);
        self.run()
    }

    /// What is to be asked for the request in the buffer: `{section, url, authorization, body}`, a POST if it has a body; undefined if nothing is.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if the buffer holds no packed request.
    pub fn question(&self) -> Result<JsValue, JsValue> {
        let question = match self.judge().map_err(unreadable)? {
            Inspection::NeedsKeys(needs) => needs.question(),
            Inspection::NeedsIntrospection(needs) => needs.question(),
            _ => return Ok(JsValue::UNDEFINED),
        };
        Ok(object(&QuestionDocument {
            section: question.section(),
            url: question.url(),
            authorization: question.authorization(),
            body: question.body(),
        }))
    }

    /// Keeps the keys that were fetched for a section, or that there was no answer: `{error, thumbprints, isNew, refreshAt}`. `refreshAt`: when they are
    /// due to be fetched again, in Unix seconds.
    #[wasm_bindgen(js_name = keepKeys)]
    pub fn keep_keys(
        &mut self,
        section: &str,
        now: u64,
        status: Option<u16>,
        content_type: Option<String>,
        body: &[u8],
    ) -> JsValue {
        let answer = answer(status, content_type.as_deref(), body);
        let store = self.tokens.get_mut();
        let kept = self.guard.keep_keys(section, answer, Timestamp(now), store);
        let refresh_at = self.guard.refresh_at(section, store).map(|time| time.0);
        object(&match kept {
            Ok(kept) => KeptDocument {
                error: None,
                thumbprints: kept.thumbprints,
                is_new: kept.is_new,
                refresh_at,
            },
            Err(error) => KeptDocument {
                error: Some(error.to_string()),
                refresh_at,
                ..KeptDocument::default()
            },
        })
    }

    /// True if the keys of a section are to be fetched again now, beside the requests that the held ones do for.
    #[wasm_bindgen(js_name = isRefreshDue)]
    #[must_use]
    pub fn is_refresh_due(&self, section: &str, now: u64) -> bool {
        self.guard
            .is_refresh_due(section, Timestamp(now), &self.tokens.borrow())
    }

    /// Marks that the keys of a section are being fetched, beside the requests that the held ones do for until then.
    pub fn refreshing(&mut self, section: &str, now: u64) {
        self.guard.refreshing(section, Timestamp(now), self.tokens.get_mut());
    }

    /// Takes what a server said of the token of the request that is judged next; why it cannot be used, if it cannot.
    pub fn introspected(&mut self, status: Option<u16>, content_type: Option<String>, body: &[u8]) -> Option<String> {
        let answer = answer(status, content_type.as_deref(), body);
        let (answer, result) = Introspected::read(answer);
        self.tokens.get_mut().introspected_next(answer);
        result.err().map(|error| error.to_string())
    }
}
