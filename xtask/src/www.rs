//! The self-test page: the engine that it loads, its tests and their npm packages, and pictures of its states.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::doctor::{self, Tool};
use crate::process::{self, Run};
use crate::{cargo, node, setup, wasm};

/// What its tests need beside the command and the npm package.
pub(crate) const TOOLS: [Tool; 3] = [Tool::Chromium, Tool::Firefox, Tool::Ip];

/// Folders of the npm package that the page loads.
const ENGINE: [&str; 3] = ["dist", "wasm", "wasm-toml"];

/// Copies the engine to where the page looks for it; the npm package must be built.
///
/// # Errors
///
/// When a folder of the package is missing or cannot be copied.
pub(crate) fn build() -> Result<()> {
    let engine = process::root().join("www/engine");
    for folder in ENGINE {
        let target = engine.join(folder);
        // What is no longer built must not stay.
        if target.exists() {
            fs::remove_dir_all(&target).with_context(|| format!("cannot clear {}", target.display()))?;
        }
        copy(&process::npm_package().join(folder), &target)?;
    }
    Ok(())
}

/// The page's files, by their paths from the root, in their order.
///
/// # Errors
///
/// When a folder cannot be read.
pub(crate) fn files() -> Result<Vec<String>> {
    let mut files = Vec::new();
    list("www", &mut files)?;
    files.sort();
    Ok(files)
}

fn list(folder: &str, files: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(process::root().join(folder)).with_context(|| format!("cannot read {folder}"))?;
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The suite's tests, in an order that ends with the slowest.
///
/// # Errors
///
/// When something that they need cannot be brought.
pub(crate) fn tests() -> Result<Run> {
    setup::ensure(&TOOLS)?;
    let folder = prepare()?;
    let tests = ["pure", "share", "states", "real", "firefox"].map(|name| folder.join(format!("{name}.test.mjs")));
    let run = Run::new("node")
        // One after the other: on a machine that is busy with another browser, rebinding in Firefox takes longer than an attempt may.
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .args(tests)
        .env("HOSTBOUND_CLI", cargo::build_command()?);
    Ok(with_browsers(run))
}

/// Takes pictures of every state of the page into `dist/screenshots`.
///
/// # Errors
///
/// When something is missing, or a state is not reached.
pub(crate) fn screenshots() -> Result<()> {
    setup::ensure(&[setup::BUILD.as_slice(), &TOOLS].concat())?;
    wasm::build()?;
    node::build()?;
    build()?;
    let pictures = process::root().join("dist/screenshots");
    let run = Run::new("node").arg(prepare()?.join("screenshots.mjs")).arg(&pictures);
    with_browsers(run).run()
}

/// The folder of the tests, with the npm packages that its lock file pins.
fn prepare() -> Result<PathBuf> {
    let folder = process::root().join("tests/www");
    let wanted = setup::sha256(&setup::read(&folder.join("package-lock.json"))?);
    let stamp = folder.join("node_modules/.hostbound-lock.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    eprintln!("installing the npm packages that package-lock.json of tests/www pins");
    Run::npm(setup::NPM_INSTALL).dir(&folder).run()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(folder)
}

fn with_browsers(mut run: Run) -> Run {
    if let Some(path) = doctor::chromium() {
        run = run.env("CHROMIUM", path);
    }
    match process::on_path("firefox-esr") {
        Some(path) => run.env("FIREFOX", path),
        None => run,
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot copy to {}", target.display()))?;
        }
    }
    Ok(())
}
