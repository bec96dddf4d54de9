//! The npm package in `bindings/node`: its TypeScript, and its packing. Its scripts are its own.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::Run;

/// Builds the package from its TypeScript; the engine in wasm must be there.
///
/// # Errors
///
/// When the package's own script fails.
pub(crate) fn build() -> Result<()> {
    Run::npm("run --silent build").run()
}

/// Packs the package into `folder` and hands back the name of the file.
///
/// # Errors
///
/// When npm fails, or does not say what it made.
pub(crate) fn pack(folder: &Path) -> Result<String> {
    let run = Run::npm("pack --json --ignore-scripts --pack-destination").arg(folder);
    eprintln!("$ {run}");
    let said: serde_json::Value = serde_json::from_str(&run.capture()?).context("`npm pack --json` wrote no JSON")?;
    // npm 12 keys by the package's name what npm 11 lists.
    let packed = said.get(0).unwrap_or(&said["hostbound"]);
    let name = packed["filename"].as_str().context("`npm pack --json` names no file")?;
    Ok(name.to_owned())
}
