//! What the Envoy filter costs: runs `bindings/envoy/bench`, and writes what it measured to `docs/performance.md`.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::doctor::Tool;
use crate::process::{self, Run};
use crate::{Format, envoy, setup};

#[derive(Deserialize)]
struct Figures {
    cores: usize,
    cpu: String,
    rounds: u32,
    seconds: u32,
    rows: Vec<Row>,
    module: Module,
    memory: Memory,
}

/// One configuration of Envoy.
#[derive(Deserialize)]
struct Row {
    name: String,
    us: f64,
    requests_per_second: f64,
    than: Option<String>,
    added_us: Option<f64>,
    at_most_us: Option<f64>,
    met: Option<bool>,
}

#[derive(Deserialize)]
struct Module {
    bytes: usize,
    at_most_bytes: usize,
    met: bool,
}

#[derive(Deserialize)]
struct Memory {
    mib_first: f64,
    mib_per_worker: f64,
    at_most_mib: f64,
    met: bool,
}

/// Runs the rounds, prints the figures and writes them to `dist/bench-envoy.json` and `docs/performance.md`.
///
/// # Errors
///
/// When something is missing, or an Envoy does not answer as it should.
pub(crate) fn run(format: Format, rounds: u32) -> Result<()> {
    setup::ensure(&[setup::BUILD.as_slice(), &[Tool::Wrk]].concat())?;
    envoy::build()?;
    let program = setup::envoy(&process::root().join("tests/envoy/requirements.txt"))?;
    let out = process::root().join("dist/bench-envoy.json");
    fs::create_dir_all(process::root().join("dist"))?;
    Run::new("node")
        .arg(process::root().join("bindings/envoy/bench/run.mjs"))
        .env("ENVOY", program)
        .env("FILTER", envoy::module())
        .env("WASM_AS", process::npm_package().join("node_modules/.bin/wasm-as"))
        .env("ROUNDS", rounds.to_string())
        .env("OUT", &out)
        .run()?;
    let text = fs::read_to_string(&out).with_context(|| format!("cannot read {}", out.display()))?;
    let figures: Figures = serde_json::from_str(&text).context("the bench writes what it is asked for")?;
    let page = page(&figures)?;
    let path = process::root().join("docs/performance.md");
    fs::write(&path, &page).with_context(|| format!("cannot write {}", path.display()))?;
    match format {
        Format::Human => print!("{page}"),
        Format::Json => print!("{text}"),
    }
    Ok(())
}

fn page(figures: &Figures) -> Result<String> {
    let mut page = String::from(HEAD);
    writeln!(
        page,
        "Measured on {} cores ({}), {} rounds of {} s for each row.\n",
        figures.cores, figures.cpu, figures.rounds, figures.seconds
    )?;
    writeln!(page, "| | µs a request | requests a second | added | bound |")?;
    writeln!(page, "|---|---:|---:|---:|---|")?;
    for row in &figures.rows {
        let added = row.added_us.map_or_else(String::new, |added| format!("{added:+.1} µs"));
        let bound = match (row.at_most_us, row.met) {
            (Some(most), Some(met)) => format!("{most:.0} µs: {}", state(met)),
            _ => String::new(),
        };
        writeln!(
            page,
            "| {} | {:.1} | {:.0} | {added} | {bound} |",
            row.name, row.us, row.requests_per_second
        )?;
    }
    let mut bases: Vec<&str> = figures.rows.iter().filter_map(|row| row.than.as_deref()).collect();
    bases.dedup();
    writeln!(
        page,
        "\nAdded: to the row of its group whose filter does nothing ({}).\n",
        bases.join("; ")
    )?;
    writeln!(
        page,
        "The module has {} bytes (bound {}: {}).",
        figures.module.bytes,
        figures.module.at_most_bytes,
        state(figures.module.met)
    )?;
    writeln!(
        page,
        "With one worker Envoy takes {:.1} MiB more with the filter than without, V8 and the main thread's VM among it; with each further worker {:.1} MiB \
         (bound {:.0} MiB: {}), as resident memory shows it up to 17 workers under load.",
        figures.memory.mib_first,
        figures.memory.mib_per_worker,
        figures.memory.at_most_mib,
        state(figures.memory.met)
    )?;
    Ok(page)
}

const fn state(met: bool) -> &'static str {
    if met { "met" } else { "not met" }
}

const HEAD: &str = "\
# What the Envoy filter costs

`cargo xtask bench envoy` makes this page: it installs Envoy and wrk, measures, and writes what it saw.

Every row is an Envoy of its own with one worker (`--concurrency 1`) that answers by itself, without a server behind it. All stay alive; wrk (one thread,
16 connections) asks each in turn, round by round, so that what disturbs the machine disturbs all alike. A request has 12 headers, as a browser's. The
figure is worker time: what the process has used of a core, by the requests that it answered. What a filter adds is the median over the rounds of the
difference to the row that does nothing, in the same round.

- *no-op module*: a filter in wasm that Envoy loads and calls, and that does nothing. Its price is Envoy's, whatever a filter in wasm does.
- *host list in Lua*: what people write today: a table of hosts, and the origin compared with it.
- *signature*: `host-nonce` over 1 KiB, in report mode, in which no nonce is claimed; *signature and nonce*: with the claim in Envoy's shared data, in a
  store that fills up as it goes. Both, and the no-op module beside them, have Envoy's buffer filter behind them: else Envoy would answer before the body
  has come.
- *token*: 601 bytes, RS256 with 2,048 bits. *cached*: it was verified before. *new*: the cache is off.
- *without verify_signature*: Envoy is not allowed to lend its cryptography; ring verifies, in wasm.

";
