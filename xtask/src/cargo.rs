//! Builds with cargo and finds out from cargo itself where the result lies, wherever the target folder is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{self, Run};
use crate::{envoy, node, wasm, www};

/// The engine in wasm, the Envoy filter, the npm package, what of it the page loads, the command.
///
/// # Errors
///
/// When one of them cannot be built.
pub(crate) fn build_all() -> Result<()> {
    wasm::build()?;
    envoy::build()?;
    node::build()?;
    www::build()?;
    let command = build_command()?;
    eprintln!("command: {}", command.display());
    Ok(())
}

/// The command `hostbound`, in release.
///
/// # Errors
///
/// When it cannot be built.
pub(crate) fn build_command() -> Result<PathBuf> {
    build("build --release --package hostbound-cli", &[], is_executable)
}

/// Runs cargo and hands back the last file it made that is `wanted`. `rest` goes behind, as it is.
///
/// # Errors
///
/// When the build fails, or makes no such file.
pub(crate) fn build(arguments: &str, rest: &[&str], wanted: fn(&Value) -> Option<PathBuf>) -> Result<PathBuf> {
    build_with(Run::cargo(arguments), rest, wanted)
}

/// The same for a run that has more to it.
///
/// # Errors
///
/// When the build fails, or makes no such file.
pub(crate) fn build_with(run: Run, rest: &[&str], wanted: fn(&Value) -> Option<PathBuf>) -> Result<PathBuf> {
    let run = run.arg("--message-format=json-render-diagnostics").args(rest);
    let line = run.to_string();
    let mut made = None;
    let status = run.watch(|message| made = artifact(message, wanted).or(made.take()))?;
    process::succeeded(status, &line)?;
    made.with_context(|| format!("`{line}` made no file of the kind that was wanted"))
}

/// A program.
pub(crate) fn is_executable(artifact: &Value) -> Option<PathBuf> {
    artifact["executable"].as_str().map(PathBuf::from)
}

/// A wasm module.
pub(crate) fn is_wasm(artifact: &Value) -> Option<PathBuf> {
    let files = artifact["filenames"].as_array()?;
    files
        .iter()
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .find(|path| path.extension() == Some("wasm".as_ref()))
}

/// What is `wanted` of one of cargo's messages, if that tells of a file in our own packages.
fn artifact(message: &str, wanted: fn(&Value) -> Option<PathBuf>) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let manifest = message["manifest_path"].as_str()?;
    if message["reason"] != "compiler-artifact" || !Path::new(manifest).starts_with(process::root()) {
        return None;
    }
    wanted(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_artifacts_count() {
        let manifest = process::root().join("Cargo.toml");
        let message = |reason: &str, manifest: &Path| {
            serde_json::json!({
                "reason": reason,
                "manifest_path": manifest,
                "filenames": ["/t/libx.rlib", "/t/x.wasm"],
                "executable": "/t/x",
            })
            .to_string()
        };
        let ours = message("compiler-artifact", &manifest);
        assert_eq!(artifact(&ours, is_wasm), Some("/t/x.wasm".into()));
        assert_eq!(artifact(&ours, is_executable), Some("/t/x".into()));
        for other in [
            message("build-script-executed", &manifest),
            message("compiler-artifact", Path::new("/elsewhere/Cargo.toml")),
            "no JSON".to_owned(),
        ] {
            assert_eq!(artifact(&other, is_executable), None, "{other}");
        }
    }
}
