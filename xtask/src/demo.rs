//! The demo: requests as an attacker sends them (`demo/demo.mjs`), then real rebinding in a real browser.

use std::process::ExitCode;

use anyhow::Result;

use crate::process::Run;
use crate::{lab, node, setup, wasm};

/// Builds what the demo uses, runs it and ends as it ends.
///
/// # Errors
///
/// When something is missing or cannot be built.
pub(crate) fn run() -> Result<ExitCode> {
    setup::ensure(&setup::BUILD)?;
    wasm::build()?;
    node::build()?;
    let status = Run::new("node").arg("demo/demo.mjs").status()?;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(ExitCode::from(code.unwrap_or(1)));
    }
    println!("\nNow the real thing: the same policy, and a browser whose DNS server belongs to the attacker.\n");
    lab::demo()
}
