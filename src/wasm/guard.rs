//! The guard, and the one buffer through which requests reach it.

use std::cell::RefCell;
use std::sync::Arc;

#[cfg(feature = "tokens")]
use js_sys::JSON;
use js_sys::JsString;
use serde::Serialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use super::{WasmPolicy, WasmSecrets};
use crate::guard::{ClaimRule, Guard, Inspection};
use crate::request::{PackedError, Request, Timestamp};
use crate::signature::{ClaimOutcome, MemoryReplay, REDIS_CLAIM, REDIS_EPOCH, SignOptions};
#[cfg(feature = "tokens")]
use crate::token::TokenStore;
use crate::verdict::{Verdict, VerdictDocument};
use crate::wasm_value::{coded, object, policy_error};

/// A guard, its replay store in memory, and the buffer for a packed request and, behind it, its body.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WasmGuard {
    pub(super) guard: Guard,
    replay: RefCell<MemoryReplay>,
    /// In a cell, since a verdict is told with what was found of the request.
    #[cfg(feature = "tokens")]
    pub(super) tokens: RefCell<TokenStore>,
    #[cfg(feature = "tokens")]
    pub(super) verification: super::tokens::Verification,
    /// Of every key that was ever loaded, by what stands for its secret: what its claims depend on.
    claim_rules: Vec<(ClaimRule, ClaimRule)>,
    buffer: Vec<u8>,
    stage: Stage,
    /// What is to be told of the request in the buffer, if that is costly to find out again.
    kept: Option<Kept>,
}

/// Above so many bytes of body, a verdict is kept; below, it is cheaper to judge again when it is asked for.
const KEPT_FROM: usize = 4096;

/// All that can be told of a verdict.
#[derive(Debug)]
struct Kept {
    document: VerdictDocument,
    text: String,
    header: Option<String>,
}

impl Kept {
    fn of(verdict: &Verdict<'_>) -> Self {
        Self {
            document: verdict.document(None),
            text: verdict.client_text(),
            header: client_header(verdict),
        }
    }
}

/// What of the request in the buffer is judged.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    length: usize,
    /// Of the body; none: only the head is judged.
    body: Option<usize>,
    /// What became of its claim, and the store's epoch.
    claimed: Option<(ClaimOutcome, Timestamp)>,
    /// Its claim is made in memory.
    claims_here: bool,
}

/// A claim, for a store that is not in memory.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClaimDocument {
    key: String,
    share_key: String,
    share_limit: u64,
    expires: u64,
    now: u64,
}

#[wasm_bindgen]
impl WasmGuard {
    /// A guard for a policy. `epoch`, in Unix seconds, is the first whole second after its replay store was created: now.
    ///
    /// # Errors
    /// `HOSTBOUND_POLICY` for secrets that are missing or cannot be keys.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &WasmPolicy, secrets: &WasmSecrets, epoch: u64) -> Result<Self, JsValue> {
        let guard = guard(policy, secrets)?;
        Ok(Self {
            claim_rules: guard.claim_rules().collect(),
            guard,
            replay: RefCell::new(MemoryReplay::new(Timestamp(epoch))),
            #[cfg(feature = "tokens")]
            tokens: RefCell::new(TokenStore::new()),
            #[cfg(feature = "tokens")]
            verification: super::tokens::Verification::default(),
            buffer: Vec::new(),
            stage: Stage::default(),
            kept: None,
        })
    }

    /// The scripts of a replay store in Redis: the one that makes a claim, and the one that marks a new beginning.
    #[wasm_bindgen(js_name = redisScripts)]
    #[must_use]
    pub fn redis_scripts() -> Vec<String> {
        vec![REDIS_CLAIM.to_owned(), REDIS_EPOCH.to_owned()]
    }

    /// Judges by another policy and other secrets from now on. What was claimed stays claimed; if a key that was loaded before makes other claims now,
    /// its window or its name having changed, the replay store in memory begins anew at `epoch`.
    ///
    /// # Errors
    /// As the constructor; then nothing has changed.
    pub fn reload(&mut self, policy: &WasmPolicy, secrets: &WasmSecrets, epoch: u64) -> Result<(), JsValue> {
        self.guard = guard(policy, secrets)?;
        self.begin(Stage::default());
        let mut has_changed = false;
        for (key, rules) in self.guard.claim_rules() {
            match self.claim_rules.iter_mut().find(|(known, _)| *known == key) {
                Some((_, earlier)) => {
                    has_changed |= *earlier != rules;
                    *earlier = rules;
                }
                None => self.claim_rules.push((key, rules)),
            }
        }
        if has_changed {
            self.replay.get_mut().restart(Timestamp(epoch));
        }
        Ok(())
    }

    /// Makes the buffer at least `length` bytes long, keeps what is in it, and says where it lies. It never shrinks.
    pub fn reserve(&mut self, length: usize) -> *mut u8 {
        if length > self.buffer.len() {
            self.buffer.resize(length, 0);
        }
        self.buffer.as_mut_ptr()
    }

    /// Judges the head that is packed in the first `length` bytes of the buffer: the integer form of the inspection, or 2^32-1 if it is no packed
    /// request; `verdict` then throws why. An integer, not an exception, since a result that may be one costs a call out of wasm.
    pub fn inspect(&mut self, length: usize) -> u32 {
        self.begin(Stage {
            length,
            ..Stage::default()
        });
        self.run()
    }

    /// Judges the whole request: the head, behind it `body` bytes of body, and its nonce by the store in memory. The integer form of the verdict.
    #[wasm_bindgen(js_name = judgeWhole)]
    pub fn judge_whole(&mut self, length: usize, body: usize) -> u32 {
        self.begin(Stage {
            length,
            body: Some(body),
            claimed: None,
            claims_here: true,
        });
        self.run()
    }

    /// Judges the request but for its nonce: the integer form of the inspection.
    #[wasm_bindgen(js_name = judgeToClaim)]
    pub fn judge_to_claim(&mut self, length: usize, body: usize) -> u32 {
        self.begin(Stage {
            length,
            body: Some(body),
            claimed: None,
            claims_here: false,
        });
        self.run()
    }

    /// What a store has to claim for the request in the buffer, or undefined if it is decided.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if the buffer holds no packed request.
    pub fn claim(&self) -> Result<JsValue, JsValue> {
        let Inspection::NeedsNonce(needs) = self.judge().map_err(unreadable)? else {
            return Ok(JsValue::UNDEFINED);
        };
        let claim = needs.claim();
        Ok(object(&ClaimDocument {
            key: claim.key(),
            share_key: claim.share_key(),
            share_limit: claim.share_limit(),
            expires: claim.expires().0,
            now: needs.now().0,
        }))
    }

    /// The integer form of the verdict, by what a store made of the claim: `made`, `present`, `full`, or anything else for a store that failed;
    /// and since when, in Unix seconds, it has kept every claim.
    pub fn answer(&mut self, length: usize, body: usize, outcome: &str, epoch: u64) -> u32 {
        let outcome = match outcome {
            "made" => ClaimOutcome::Made,
            "present" => ClaimOutcome::Present,
            "full" => ClaimOutcome::Full,
            _ => ClaimOutcome::Failed,
        };
        self.begin(Stage {
            length,
            body: Some(body),
            claimed: Some((outcome, Timestamp(epoch))),
            claims_here: false,
        });
        self.run()
    }

    /// The most bytes of body that the request in the buffer may have; undefined if its body is not asked for.
    #[wasm_bindgen(js_name = bodyLimit)]
    #[must_use]
    pub fn body_limit(&self) -> Option<f64> {
        match self.judge() {
            // No buffer in wasm is longer.
            Ok(Inspection::NeedsBody(needs)) => Some(f64::from(u32::try_from(needs.limit()).unwrap_or(u32::MAX))),
            _ => None,
        }
    }

    /// The full verdict on the request in the buffer, as an object.
    ///
    /// # Errors
    /// `HOSTBOUND_REQUEST` if the buffer holds no packed request, or one whose body or nonce was not judged.
    pub fn verdict(&self, id: Option<String>) -> Result<JsValue, JsValue> {
        let document = self.document(id)?;
        // Claims have numbers and keys, such as `__proto__`, that only JSON's own reader makes into what JS expects.
        #[cfg(feature = "tokens")]
        if document
            .identity
            .as_ref()
            .is_some_and(|identity| identity.token.is_some())
        {
            return JSON::parse(&document.to_json());
        }
        Ok(object(&document))
    }

    /// The full verdict on the request in the buffer, as JSON.
    ///
    /// # Errors
    /// As `verdict`.
    #[wasm_bindgen(js_name = verdictJson)]
    pub fn verdict_json(&self, id: Option<String>) -> Result<String, JsValue> {
        Ok(self.document(id)?.to_json())
    }

    /// The text of the response to the request in the buffer; empty on allow.
    ///
    /// # Errors
    /// As `verdict`.
    #[wasm_bindgen(js_name = clientText)]
    pub fn client_text(&self) -> Result<String, JsValue> {
        match &self.kept {
            Some(kept) => Ok(kept.text.clone()),
            None => Ok(self.decided()?.client_text()),
        }
    }

    /// The header that the response to the request in the buffer carries beside the text: `WWW-Authenticate: …` or `Retry-After: …`.
    ///
    /// # Errors
    /// As `verdict`.
    #[wasm_bindgen(js_name = clientHeader)]
    pub fn client_header(&self) -> Result<Option<JsString>, JsValue> {
        let header = match &self.kept {
            Some(kept) => kept.header.clone(),
            None => client_header(&self.decided()?),
        };
        Ok(header.map(Into::into))
    }

    /// The headers that sign the request in the buffer, and what is signed: `{headers, base, bodyLength}`.
    ///
    /// # Errors
    /// `HOSTBOUND_SIGN` if it cannot be signed, `HOSTBOUND_REQUEST` if the buffer holds no packed request.
    pub fn sign(
        &self,
        length: usize,
        body: usize,
        section: &str,
        key_id: Option<String>,
        nonce: Option<String>,
    ) -> Result<JsValue, JsValue> {
        let (request, now, body) = unpack(
            &self.buffer,
            Stage {
                length,
                body: Some(body),
                ..Stage::default()
            },
        )
        .map_err(unreadable)?;
        let refused = |error: crate::signature::SignError| JsValue::from(coded(&error.to_string(), "HOSTBOUND_SIGN"));
        let options = SignOptions {
            key_id: key_id.as_deref(),
            created: now.unwrap_or(Timestamp(0)),
            nonce: nonce.as_deref(),
        };
        let mut signing = self.guard.sign(section, &request, &options).map_err(refused)?;
        signing.update(body);
        let signed = signing.finish().map_err(refused)?;
        Ok(object(&SignedDocument {
            headers: signed.headers(),
            base: signed.base(),
            body_length: signed.body_length(),
        }))
    }
}

/// A signed request, as JS sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedDocument<'a> {
    headers: &'a [(String, String)],
    base: &'a str,
    body_length: Option<u64>,
}

impl WasmGuard {
    /// With what was found of the request before.
    pub(super) fn judge(&self) -> Result<Inspection<'_>, PackedError> {
        let (request, now, body) = unpack(&self.buffer, self.stage)?;
        #[cfg(not(feature = "tokens"))]
        let mut inspection = self.guard.inspect(&request, now);
        #[cfg(feature = "tokens")]
        let mut inspection = self
            .guard
            .inspect_again_in(&request, now, &mut self.tokens.borrow_mut());
        loop {
            inspection = match inspection {
                Inspection::NeedsBody(mut needs) if self.stage.body.is_some() => {
                    needs.update(body);
                    needs.finish()
                }
                Inspection::NeedsNonce(needs) => match self.stage.claimed {
                    Some((outcome, epoch)) => return Ok(Inspection::Decided(needs.answer(outcome, epoch))),
                    None => return Ok(Inspection::NeedsNonce(needs)),
                },
                #[cfg(feature = "tokens")]
                Inspection::NeedsVerification(mut needs) => {
                    self.verification.set(&needs);
                    needs.suspend(&mut self.tokens.borrow_mut());
                    return Ok(Inspection::NeedsVerification(needs));
                }
                other => return Ok(other),
            }
        }
    }

    /// Judges what is in the buffer, at its stage: the integer form, or 2^32-1 if it is no packed request.
    pub(super) fn run(&mut self) -> u32 {
        let Ok(inspection) = self.judge() else {
            return u32::MAX;
        };
        let (inspection, claimed) = match inspection {
            Inspection::NeedsNonce(needs) if self.stage.claims_here => {
                let mut replay = self.replay.borrow_mut();
                let (outcome, epoch) = (needs.claim_outcome_in(&mut replay), replay.epoch());
                (
                    Inspection::Decided(needs.answer(outcome, epoch)),
                    Some((outcome, epoch)),
                )
            }
            other => (other, self.stage.claimed),
        };
        let code = inspection.code();
        let kept = kept(&inspection, self.stage.body.unwrap_or(0));
        self.kept = kept;
        self.stage.claimed = claimed;
        code
    }

    fn begin(&mut self, stage: Stage) {
        #[cfg(feature = "tokens")]
        self.tokens.get_mut().begin();
        self.stage = stage;
        self.kept = None;
    }

    fn document(&self, id: Option<String>) -> Result<VerdictDocument, JsValue> {
        match &self.kept {
            Some(kept) => Ok(VerdictDocument {
                id,
                ..kept.document.clone()
            }),
            None => Ok(self.decided()?.document(id.as_deref())),
        }
    }

    fn decided(&self) -> Result<Verdict<'_>, JsValue> {
        match self.judge().map_err(unreadable)? {
            Inspection::Decided(verdict) => Ok(verdict),
            _ => Err(coded("the body of the request was not judged", "HOSTBOUND_REQUEST").into()),
        }
    }
}

fn client_header(verdict: &Verdict<'_>) -> Option<String> {
    match (verdict.challenge(), verdict.retry_after()) {
        (Some(challenge), _) => Some(format!("WWW-Authenticate: {challenge}")),
        (None, Some(seconds)) => Some(format!("Retry-After: {seconds}")),
        (None, None) => None,
    }
}

fn kept(inspection: &Inspection<'_>, body: usize) -> Option<Kept> {
    match inspection {
        Inspection::Decided(verdict) if body > KEPT_FROM => Some(Kept::of(verdict)),
        _ => None,
    }
}

type Unpacked<'a> = (Request<'a>, Option<Timestamp>, &'a [u8]);

fn unpack(buffer: &[u8], stage: Stage) -> Result<Unpacked<'_>, PackedError> {
    let (head, rest) = buffer.split_at_checked(stage.length).ok_or(PackedError::Length)?;
    let body = rest.get(..stage.body.unwrap_or(0)).ok_or(PackedError::Length)?;
    let (request, now) = Request::unpack(head)?;
    Ok((request, now, body))
}

fn guard(policy: &WasmPolicy, secrets: &WasmSecrets) -> Result<Guard, JsValue> {
    Guard::with_secrets(Arc::clone(&policy.policy), &secrets.secrets).map_err(|errors| policy_error(&errors))
}

pub(super) fn unreadable(error: PackedError) -> JsValue {
    coded(&error.to_string(), "HOSTBOUND_REQUEST").into()
}
