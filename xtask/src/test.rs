//! Every test suite, one after the other, whatever became of the one before; and what they came to.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;

use crate::count::{Runner, Tally};
use crate::doctor::{self, Tool, WASM_TARGET};
use crate::process::{self, Run};
use crate::{cargo, dist, envoy, fuzz, lab, setup, www};

/// How much is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Usual,
    All,
}

/// What a suite is called and does; it adds to the tally, or fails as a whole.
struct Suite {
    name: &'static str,
    run: fn(Extent, &mut Tally) -> Result<()>,
}

const USUAL: [Suite; 13] = [
    Suite {
        name: "set-up",
        run: set_up,
    },
    Suite { name: "fmt", run: fmt },
    Suite {
        name: "clippy",
        run: clippy,
    },
    Suite {
        name: "cargo test",
        run: cargo_test,
    },
    Suite {
        name: "build",
        run: build,
    },
    Suite {
        name: "node",
        run: |extent, tally| npm_test("test", extent, tally),
    },
    Suite {
        name: "browser",
        run: |extent, tally| npm_test("run --silent test:browser", extent, tally),
    },
    Suite {
        name: "scenarios",
        run: scenarios,
    },
    Suite {
        name: "interop",
        run: interop,
    },
    Suite {
        name: "envoy",
        run: envoy,
    },
    Suite {
        name: "lab",
        run: rebinding_lab,
    },
    Suite {
        name: "www",
        run: |extent, tally| count(Runner::Node, widened(www::tests()?, extent), tally),
    },
    Suite {
        name: "install",
        run: install,
    },
];

const ALL: [Suite; 2] = [
    Suite {
        name: "matrix",
        run: matrix,
    },
    Suite {
        name: "fuzz",
        run: fuzz_smoke,
    },
];

/// Runs the suites, says what they came to, and whether nothing failed.
pub(crate) fn run(extent: Extent) -> bool {
    let suites = match extent {
        Extent::Usual => USUAL.iter().chain(&[]),
        Extent::All => USUAL.iter().chain(&ALL),
    };
    let mut sum = Tally::default();
    let mut table: Vec<(&str, Tally, Duration)> = Vec::new();
    for suite in suites {
        process::echo(&format!("\n== {} ==", suite.name));
        let mut tally = Tally::default();
        let (outcome, duration) = process::timed(|| (suite.run)(extent, &mut tally));
        if let Err(error) = outcome {
            tally.failed += 1;
            eprintln!("error: {}: {error:#}", suite.name);
        }
        process::echo(&format!(
            "== {}: {tally} ({:.1} s) ==",
            suite.name,
            duration.as_secs_f64()
        ));
        sum.add(tally.clone());
        table.push((suite.name, tally, duration));
    }
    process::echo("\n== summary ==");
    for (name, tally, duration) in &table {
        process::echo(&format!("{name:<12} {:>6.1} s   {tally}", duration.as_secs_f64()));
    }
    for reason in &sum.reasons {
        process::echo(&format!("skipped: {reason}"));
    }
    process::echo(&sum.to_string());
    sum.failed == 0
}

/// Counts as nothing but when it fails.
fn set_up(_: Extent, _: &mut Tally) -> Result<()> {
    setup::ensure(
        &[
            setup::BUILD.as_slice(),
            &[Tool::Firefox, Tool::OpenSsl, Tool::Redis, Tool::Python],
            &lab::TOOLS,
            &www::TOOLS,
        ]
        .concat(),
    )
}

fn fmt(_: Extent, tally: &mut Tally) -> Result<()> {
    Run::cargo("fmt --all --check").run()?;
    Run::cargo("fmt --manifest-path fuzz/Cargo.toml --check").run()?;
    tally.passed += 1;
    Ok(())
}

/// All packages; the engine without its features; the engine's wasm faces where they belong.
fn clippy(_: Extent, tally: &mut Tally) -> Result<()> {
    let wasm = format!("--package hostbound --lib --no-default-features --target {WASM_TARGET} --features");
    for what in [
        "--workspace --all-targets",
        "--package hostbound --all-targets --no-default-features",
        // Tests bring the default features with them.
        "--package hostbound --lib --no-default-features",
        &format!("{wasm} wasm"),
        &format!("{wasm} wasm-toml"),
        &format!("{wasm} wasm-web"),
        &format!("{wasm} wasm,egress,tokens"),
        &format!("--package hostbound-envoy --lib --target {WASM_TARGET}"),
    ] {
        Run::cargo(&format!("clippy --quiet {what} -- -D warnings")).run()?;
    }
    tally.passed += 1;
    Ok(())
}

fn cargo_test(extent: Extent, tally: &mut Tally) -> Result<()> {
    let run = Run::cargo("test --workspace --no-fail-fast");
    count(Runner::Cargo, widened(run, extent), tally)
}

fn build(_: Extent, tally: &mut Tally) -> Result<()> {
    cargo::build_all()?;
    tally.passed += 1;
    Ok(())
}

fn npm_test(script: &str, extent: Extent, tally: &mut Tally) -> Result<()> {
    let mut run = Run::npm(script);
    for (variable, path) in [("CHROMIUM", doctor::chromium()), ("FIREFOX", doctor::firefox())] {
        if let Some(path) = path {
            run = run.env(variable, path);
        }
    }
    count(Runner::Node, widened(run, extent), tally)
}

/// The attacks of `tests/scenarios` on real services, without Hostbound and with it.
fn scenarios(extent: Extent, tally: &mut Tally) -> Result<()> {
    let folder = process::root().join("tests/scenarios");
    let python = setup::python_environment("venv-scenarios", &folder.join("requirements.txt"))?;
    let mut runs: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path().join("run.mjs")))
        .collect::<Result<_>>()?;
    runs.retain(|run| run.is_file());
    runs.sort();
    let run = Run::new("node")
        .args(["--test", "--test-reporter=tap"])
        .args(runs)
        .env("PYTHON", python);
    count(Runner::Node, widened(run, extent), tally)
}

/// Signatures of the command and of Python's libraries, held against each other.
fn interop(extent: Extent, tally: &mut Tally) -> Result<()> {
    let folder = process::root().join("tests/interop");
    let python = setup::python_environment("venv-interop", &folder.join("python/requirements.txt"))?;
    let run = Run::new("node")
        .args(["--test", "--test-reporter=tap"])
        .arg(folder.join("run.mjs"))
        .env("PYTHON", python)
        .env("HOSTBOUND_CLI", cargo::build_command()?);
    count(Runner::Node, widened(run, extent), tally)
}

/// The filter in a real Envoy.
fn envoy(extent: Extent, tally: &mut Tally) -> Result<()> {
    setup::ensure(&[Tool::Clang, Tool::OpenSsl])?;
    let folder = process::root().join("tests/envoy");
    let program = setup::envoy(&folder.join("requirements.txt"))?;
    let mut tests: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    tests.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    tests.sort();
    let run = Run::new("node")
        // One after the other: each keeps both cores busy by itself.
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .args(tests)
        .env("ENVOY", program)
        .env("HOSTBOUND_CLI", cargo::build_command()?);
    count(Runner::Node, widened(run, extent), tally)
}

/// Real rebinding in Chromium.
fn rebinding_lab(extent: Extent, tally: &mut Tally) -> Result<()> {
    setup::ensure(&lab::TOOLS)?;
    let tests = process::root().join("tests");
    let run = Run::new("node")
        // One after the other: what a killed run leaves behind is looked for in the whole machine.
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .args(["run.test.mjs", "page.test.mjs", "envoy.test.mjs"].map(|name| tests.join("lab").join(name)))
        .env("ENVOY", setup::envoy(&tests.join("envoy/requirements.txt"))?)
        .env("HOSTBOUND_ENVOY_MODULE", envoy::module())
        .env("HOSTBOUND_CLI", cargo::build_command()?);
    count(Runner::Node, widened(run, extent), tally)
}

/// The reference matrix in both browsers: one test.
fn matrix(_: Extent, tally: &mut Tally) -> Result<()> {
    if lab::matrix(false)? {
        tally.passed += 1;
    } else {
        tally.failed += 1;
    }
    Ok(())
}

/// A minute of every target: one test each.
fn fuzz_smoke(_: Extent, tally: &mut Tally) -> Result<()> {
    for target in fuzz::targets()? {
        if fuzz::run(Some(&target), 1)? {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    }
    Ok(())
}

/// The packages as the README installs them.
fn install(_: Extent, tally: &mut Tally) -> Result<()> {
    dist::make()?;
    dist::check()?;
    tally.passed += 1;
    Ok(())
}

/// Tells a suite of ours that it may take its time.
fn widened(run: Run, extent: Extent) -> Run {
    match extent {
        Extent::Usual => run,
        Extent::All => run.env("HOSTBOUND_ALL", "1"),
    }
}

fn count(runner: Runner, run: Run, tally: &mut Tally) -> Result<()> {
    let line = run.to_string();
    let status: ExitStatus = run.watch(|line| {
        process::echo(line);
        tally.read(runner, line);
    })?;
    if let Err(what) = tally.close(status) {
        // Counted by the tally already.
        eprintln!("error: {what}; to repeat it: {line}");
    }
    Ok(())
}
