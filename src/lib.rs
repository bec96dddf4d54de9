//! Hostbound binds every request to the host it was meant for.
//!
//! One policy says which hosts a service answers as, who may connect, which pages may start requests, and what each route
//! asks for. One engine reads it and judges requests: no I/O, no clock, no randomness, no global state, no panic.
//!
//! Start at [`Policy`] and [`Guard`]. The rules, with their reason codes, are in `docs/contract.md`; `tests/vectors` pins them.
//!
//! # Feature flags
//!
//! - `authoring` (default): what only those who write policies need: [`Policy::cases`], [`json_schema`], and the A-labels in the fix of a Unicode host.
//!   Without it `cases` are accepted and not read. The digest, which never covers them, stays the same.
//! - `toml` (default): policies in TOML. JSON is always there.
//! - `tokens` (default): judging bearer tokens. Without it a policy that asks for them is refused.
//! - `wasm`: the wasm-bindgen face; `wasm-toml`: its reader of TOML; `wasm-web`: the guard of pages: modules of their own. Turned on by the JS build alone.
//! - `egress`: judging outbound requests ([`Guard::judge_egress`]). The section of the policy is read without it too.
//! - `page`: judging pages in browsers and what they ask for ([`Guard::judge_page`]). It needs no parser of URLs: browsers have one. Part of `egress`.

// The engine's own lint wall, on top of the workspace's: no input can make it panic.
#![deny(missing_docs, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod address;
mod authority;
mod egress;
mod guard;
mod host;
mod json;
mod origin;
#[cfg(feature = "page")]
mod page;
mod peer;
mod place;
mod policy;
mod request;
mod route;
mod secret;
mod signature;
mod table;
mod token;
mod tree;
mod verdict;
#[cfg(feature = "wasm")]
mod wasm;
#[cfg(feature = "wasm-toml")]
mod wasm_toml;
#[cfg(any(feature = "wasm", feature = "wasm-toml", feature = "wasm-web"))]
mod wasm_value;
#[cfg(feature = "wasm-web")]
mod wasm_web;

// The public interface is:
pub use address::{
    AddressRefusal, AddressReport, AddressRules, AddressSpace, Embedded, EmbeddedForm, EmbeddedReport, METADATA,
    MetadataRow, Nat64Prefix, Nat64PrefixError, Network, NetworkError, NotGlobal, NotGlobalCause, REGISTRY,
    Reachability, RegistryRow, SpaceRow, embedded, metadata_service,
};
pub use authority::{Authority, AuthorityError, Host, LowerName, Name, Port, Scheme};
pub use egress::EgressReason;
#[cfg(feature = "page")]
pub use egress::{EgressDocument, EgressIdentityDocument, EgressReportDocument, EgressVerdictDocument};
pub use guard::{
    Answers, ClaimRule, Explanation, Finding, Guard, Inspection, LedgerError, Memory, NeedsBody, NeedsNonce, Outcome,
    ReplayLedger, Standing, Step,
};
#[cfg(feature = "tokens")]
pub use guard::{NativeVerification, NeedsIntrospection, NeedsKeys, NeedsVerification, TokenQuestion};
pub use host::{HostPattern, HostPatternError, HostSet};
pub use json::{JsonDocument, JsonValue};
pub use origin::{Origin, OriginError};
#[cfg(feature = "page")]
pub use page::{PageDocument, PageVerdictDocument};
pub use peer::Peer;
pub use place::Position;
#[cfg(feature = "authoring")]
pub use policy::{Case, CaseMismatch, json_schema};
pub use policy::{ErrorCode, Lint, LintId, Policy, PolicyDocument, PolicyError, PolicyErrors, Surroundings};
pub use request::{
    Header, Headers, MAX_FIELDS, MAX_HEAD, MAX_TARGET, PackedError, Request, RequestDocument, RequestDocumentError,
    Timestamp, Version, pack,
};
pub use secret::{SecretReference, Secrets};
pub use signature::{
    Claim, ClaimOutcome, MemoryReplay, Profile, REDIS_CLAIM, REDIS_EPOCH, ReplayShard, ShardClaim, SignError,
    SignOptions, SignedHeaders, Signing,
};
#[cfg(feature = "tokens")]
pub use token::{AnswerError, KeysKept, MAX_ANSWER, OwnedAnswer, TokenAnswer, TokenStore};
pub use token::{
    Jws, JwsAlgorithm, JwsError, KeyError, KeySet, KeySetError, KeySetErrors, MAX_KEY_SET, MAX_TOKEN, VerificationKey,
};
pub use verdict::{
    Check, Decision, Detail, EffectiveAuthority, Failure, IDENTITY_PREFIX, Identity, IdentityDocument, Mode, Reason,
    ReportDocument, SignatureIdentity, SignatureIdentityDocument, TokenIdentity, TokenIdentityDocument, Verdict,
    VerdictDocument, is_identity_header,
};
