//! Hostbound as a filter of Envoy: moves bytes between the proxy-wasm ABI 0.2.1 and the engine, and holds no rule.
//!
//! `host` is the only module that touches Envoy. `plugin` is one configured filter, `stream` one request before it; `vm` hands Envoy's events to them.

// Elsewhere there is no Envoy to call: what of it can be tested without one is.
#![cfg(any(target_arch = "wasm32", test))]
#![deny(missing_docs, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod config;
#[cfg(target_arch = "wasm32")]
mod host;
mod message;
#[cfg(target_arch = "wasm32")]
mod metrics;
#[cfg(target_arch = "wasm32")]
mod native;
mod pairs;
#[cfg(target_arch = "wasm32")]
mod plugin;
mod property;
#[cfg(target_arch = "wasm32")]
mod replay;
mod servers;
#[cfg(target_arch = "wasm32")]
mod step;
#[cfg(target_arch = "wasm32")]
mod stream;
#[cfg(target_arch = "wasm32")]
mod vm;

/// Verifying needs no randomness: who asks for it is told that there is none.
#[cfg(target_arch = "wasm32")]
fn no_randomness(_: &mut [u8]) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}

#[cfg(target_arch = "wasm32")]
getrandom::register_custom_getrandom!(no_randomness);
