//! The demo: what it shows is in `demo/demo.mjs`.

use std::process::ExitCode;

use anyhow::Result;

use crate::doctor::{self, Tool};
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
    let mut demo = Run::new("node").arg("demo/demo.mjs");
    if let Some(path) = doctor::chromium() {
        demo = demo.env("CHROMIUM", path);
    }
    let status = demo.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
