//! The demo: what it shows is in `demo/demo.mjs`.

use std::process::ExitCode;

use anyhow::Result;

use crate::process::Run;
use crate::{node, setup, wasm};

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
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
