//! The Envoy filter: cargo, then wasm-opt, into `bindings/envoy/wasm`; what it may import, and its size.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use wasmparser::{Parser, Payload};

use crate::doctor::WASM_TARGET;
use crate::process::{self, Run};
use crate::setup::{self, read, sha256};
use crate::wasm;
use crate::{cargo, wasm::WASM_OPT};

/// What the filter may weigh, as it lies there: every worker of Envoy holds and compiles it.
const LIMIT_BYTES: usize = 450_000;

/// ring's C is curves alone, and is made small: SHA-256 and HMAC are Rust. Measured, Ed25519 takes an eighth longer, P-256 as long and P-384 a tenth longer;
/// the latter two are Envoy's own business where it can be asked.
const CFLAGS: (&str, &str) = ("CFLAGS_wasm32_unknown_unknown", "-Oz");

/// Where the filter lies.
pub(crate) fn module() -> PathBuf {
    process::root().join("bindings/envoy/wasm/hostbound.wasm")
}

/// Builds the filter. What has not changed is not made again.
///
/// # Errors
///
/// When a step fails, or the module imports what Envoy does not have, or has become too big.
pub(crate) fn build() -> Result<()> {
    let run = Run::cargo(&format!(
        "rustc --package hostbound-envoy --lib --crate-type cdylib --profile wasm-envoy --target {WASM_TARGET}"
    ));
    let built = cargo::build_with(
        run.env(CFLAGS.0, CFLAGS.1).env("CARGO_ENCODED_RUSTFLAGS", rust_flags()),
        &["--", &format!("-Cllvm-args={}", wasm::LLVM_ARGS)],
        cargo::is_wasm,
    )?;
    let module = module();
    let stamp_path = process::root().join(".cache/envoy.stamp");
    let inputs = format!("{} {}", sha256(&read(&built)?), wasm::tools()?);
    let stamp = |module: &Path| fs::read(module).map(|bytes| format!("{inputs} {}", sha256(&bytes)));
    if stamp(&module)
        .ok()
        .is_none_or(|stamp| fs::read_to_string(&stamp_path).ok() != Some(stamp))
    {
        eprintln!("generating {}", module.display());
        let folder = module.parent().context("the module has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        optimize(&built, &module)?;
        fs::create_dir_all(process::root().join(".cache"))?;
        fs::write(&stamp_path, stamp(&module)?).with_context(|| format!("cannot write {}", stamp_path.display()))?;
    }
    let bytes = read(&module)?;
    check_imports(&bytes)?;
    weigh(&bytes)
}

/// Where a panic is, is told by the path of a source. Without this it begins with the folder in which cargo keeps them on this machine.
fn rust_flags() -> String {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let sources = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    sources.map_or_else(String::new, |folder| {
        format!("--remap-path-prefix={}=", folder.join("registry/src").display())
    })
}

fn weigh(module: &[u8]) -> Result<()> {
    let bytes = module.len();
    eprintln!("envoy: {bytes} bytes");
    ensure!(
        bytes <= LIMIT_BYTES,
        "the filter weighs {bytes} bytes, more than {LIMIT_BYTES}"
    );
    Ok(())
}

fn optimize(from: &Path, to: &Path) -> Result<()> {
    Run::new(process::npm_package().join("node_modules/.bin/wasm-opt"))
        .args(WASM_OPT)
        .arg(from)
        .arg("-o")
        .arg(to)
        .run()
        .with_context(|| {
            format!(
                "wasm-opt is in the npm package `binaryen`; to install it: {}",
                Run::npm(setup::NPM_INSTALL)
            )
        })
}

/// Envoy has only the calls of the proxy-wasm ABI.
fn check_imports(module: &[u8]) -> Result<()> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload.context("the module cannot be read")? {
            for import in imports.into_imports() {
                let import = import?;
                ensure!(
                    import.module == "env" && import.name.starts_with("proxy_"),
                    "the filter imports `{}.{}`, which Envoy does not have",
                    import.module,
                    import.name
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_over_the_limit_is_an_error() {
        assert!(weigh(&vec![0; LIMIT_BYTES]).is_ok());
        assert!(weigh(&vec![0; LIMIT_BYTES + 1]).is_err());
    }

    #[test]
    fn only_calls_of_the_abi_are_imported() {
        // Type section: `() -> ()`; import section: one function.
        let module = |from: &str, name: &str| {
            let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
            let mut section = vec![1];
            for text in [from, name] {
                section.push(u8::try_from(text.len()).unwrap());
                section.extend(text.as_bytes());
            }
            section.extend([0, 0]);
            bytes.push(u8::try_from(section.len()).unwrap());
            bytes.extend(section);
            bytes
        };
        assert!(check_imports(&module("env", "proxy_log")).is_ok());
        assert!(check_imports(&module("env", "random_get")).is_err());
        assert!(check_imports(&module("wasi_snapshot_preview1", "proxy_log")).is_err());
        assert!(check_imports(b"\0asm").is_err());
    }
}
