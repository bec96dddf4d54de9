//! The engine in wasm: cargo, then wasm-bindgen's generator, then wasm-opt, into the folders `wasm…` of `bindings/node`; and their sizes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

use crate::cargo;
use crate::doctor::WASM_TARGET;
use crate::process::{self, Run};
use crate::setup::{self, read, sha256};

/// What the core may weigh, gzipped.
const LIMIT_BYTES: usize = 200_000;

/// One build of the engine in wasm.
struct Module {
    package: &'static str,
    features: &'static str,
    /// The profile of cargo.
    profile: &'static str,
    /// The folder in `bindings/node`.
    folder: &'static str,
    limit_bytes: Option<usize>,
}

/// The core goes to browsers and has to be small; so the reader of TOML is loaded only where there is TOML. Node loads an engine of its own, that also
/// judges tokens and outbound requests: with curves, RSA and a URL parser. The guard of pages is loaded before a page starts: it has only what judges pages.
const MODULES: [Module; 4] = [
    Module {
        package: "hostbound",
        features: "wasm",
        profile: "wasm",
        folder: "wasm",
        limit_bytes: Some(LIMIT_BYTES),
    },
    Module {
        package: "hostbound",
        features: "wasm-toml",
        profile: "wasm",
        folder: "wasm-toml",
        limit_bytes: None,
    },
    Module {
        package: "hostbound",
        features: "wasm,egress,tokens",
        profile: "wasm-node",
        folder: "wasm-node",
        limit_bytes: None,
    },
    Module {
        package: "hostbound",
        features: "wasm-web",
        profile: "wasm",
        folder: "wasm-web",
        limit_bytes: None,
    },
];

/// What the bench holds the others to; no part of the package.
const BENCH: Module = Module {
    package: "hostbound-bench-wasm",
    features: "",
    profile: "wasm",
    folder: "wasm-bench",
    limit_bytes: None,
};

/// What LLVM makes larger for speed that is not worth its weight here: most of the engine runs when a policy is loaded.
pub(crate) const LLVM_ARGS: &str = "-unroll-threshold=0";

/// Optimize for speed, with the features that rustc switches on for the target by default
/// (rustc book, platform support, `wasm32-unknown-unknown`). What is called in one place only, and is not small, stays a function of its own: else the
/// judge of tokens and signatures becomes one function with what every request goes through, which then takes a tenth longer.
pub(crate) const WASM_OPT: [&str; 10] = [
    "-O3",
    "--one-caller-inline-max-function-size=200",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds what the folders of the modules in `bindings/node` hold. What has not changed is not made again.
///
/// # Errors
///
/// When a step fails, or a module has become too big.
pub(crate) fn build() -> Result<()> {
    MODULES.iter().try_for_each(Module::make)?;
    MODULES.iter().try_for_each(|module| weigh(&module.path(), module))
}

/// Builds ring alone, for the bench.
///
/// # Errors
///
/// When a step fails.
pub(crate) fn build_bench() -> Result<()> {
    BENCH.make()
}

impl Module {
    fn path(&self) -> PathBuf {
        process::npm_package().join(self.folder).join("hostbound_bg.wasm")
    }

    fn make(&self) -> Result<()> {
        let module = cargo::build(
            &format!(
                "rustc --package {} --lib --crate-type cdylib --profile {} \
                 --target {WASM_TARGET} --no-default-features --features={}",
                self.package, self.profile, self.features
            ),
            &["--", &format!("-Cllvm-args={LLVM_ARGS}")],
            cargo::is_wasm,
        )?;
        let folder = process::npm_package().join(self.folder);
        let inputs = inputs(&module)?;
        let stamp_path = process::root().join(format!(".cache/{}.stamp", self.folder));
        if fs::read_to_string(&stamp_path).ok() != Some(stamp(&inputs, &folder)) {
            generate(&module, &folder)?;
            optimize(&folder.join("hostbound_bg.wasm"))?;
            fs::create_dir_all(process::root().join(".cache"))?;
            fs::write(&stamp_path, stamp(&inputs, &folder))
                .with_context(|| format!("cannot write {}", stamp_path.display()))?;
        }
        Ok(())
    }
}

/// What the result depends on: the module, and the tools after cargo.
fn inputs(module: &Path) -> Result<String> {
    Ok(format!("{} {}", sha256(&read(module)?), tools()?))
}

/// Stands for the tools after cargo, and how they are called.
pub(crate) fn tools() -> Result<String> {
    let lock = read(&process::npm_package().join("package-lock.json"))?;
    Ok(format!("{} {}", sha256(&lock), sha256(WASM_OPT.join(" ").as_bytes())))
}

/// The inputs and what was made of them, so that a file that was changed or lost is made again.
fn stamp(inputs: &str, folder: &Path) -> String {
    let mut stamp = inputs.to_owned();
    for name in ["hostbound_bg.wasm", "hostbound.js", "hostbound.d.ts"] {
        let digest = fs::read(folder.join(name)).map_or_else(|_| "-".to_owned(), |file| sha256(&file));
        stamp.push(' ');
        stamp.push_str(&digest);
    }
    stamp
}

fn generate(module: &Path, folder: &Path) -> Result<()> {
    eprintln!("generating {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let mut generator = Bindgen::new();
    generator
        .input_path(module)
        .out_name("hostbound")
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .web(true)?;
    generator
        .generate(folder)
        .with_context(|| format!("wasm-bindgen cannot read {}", module.display()))
}

fn optimize(module: &Path) -> Result<()> {
    Run::new(process::npm_package().join("node_modules/.bin/wasm-opt"))
        .args(WASM_OPT)
        .arg(module)
        .arg("-o")
        .arg(module)
        .run()
        .with_context(|| {
            format!(
                "wasm-opt is in the npm package `binaryen`; to install it: {}",
                Run::npm(setup::NPM_INSTALL)
            )
        })
}

fn weigh(path: &Path, module: &Module) -> Result<()> {
    let bytes = read(path)?;
    let gzipped = gzipped(&bytes)?;
    eprintln!("{}: {} bytes, {gzipped} gzipped", module.folder, bytes.len());
    if let Some(limit) = module.limit_bytes {
        ensure!(
            gzipped <= limit,
            "{} weighs {gzipped} bytes gzipped, more than {limit}",
            path.display()
        );
    }
    Ok(())
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_over_the_limit_is_an_error() {
        let module = std::env::temp_dir().join(format!("hostbound-weigh-{}", std::process::id()));
        // Digests do not compress below their bytes: half of their hex.
        let noise: String = (0..7_000_u32).map(|n| sha256(&n.to_le_bytes())).collect();
        assert!(gzipped(noise.as_bytes()).unwrap() > LIMIT_BYTES);
        fs::write(&module, &noise).unwrap();
        let [core, unlimited, ..] = &MODULES;
        let heavy = weigh(&module, core);
        let heavy_for_node = weigh(&module, unlimited);
        fs::write(&module, vec![0; 2 * LIMIT_BYTES]).unwrap();
        let light = weigh(&module, core);
        fs::remove_file(&module).unwrap();
        assert!(heavy.is_err());
        assert!(heavy_for_node.is_ok());
        assert!(light.is_ok(), "what counts is the gzipped size");
    }
}
