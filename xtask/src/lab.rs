//! The rebinding lab from here: the reference matrix against what is recorded, and the table of times to rebind.
//! Both are made by `hostbound lab run`, from lists of cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::doctor::Tool;
use crate::process::{self, Run};
use crate::{cargo, node, setup, wasm};

/// What tests of the lab need beside the command and the npm package.
pub(crate) const TOOLS: [Tool; 3] = [Tool::Chromium, Tool::Ip, Tool::Dnsmasq];

const BROWSERS: [&str; 2] = ["chromium", "firefox"];

/// `lab/matrix.toml`.
#[derive(Deserialize)]
struct Matrix {
    default: Map<String, Value>,
    /// What Firefox does otherwise by default.
    firefox: Map<String, Value>,
    rows: Vec<Map<String, Value>>,
}

impl Matrix {
    /// The rows as cases for a browser, each with a name.
    fn cases(&self, browser: &str) -> (Vec<String>, Vec<Value>) {
        let case = |row: &Map<String, Value>| {
            let mut case = self.default.clone();
            if browser == "firefox" {
                case.extend(self.firefox.clone());
            }
            case.extend(row.clone());
            let name = case.remove("name");
            let setting = case
                .get("local_network_access")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let name = format!(
                "{} [{setting}]",
                name.as_ref().and_then(Value::as_str).unwrap_or_default()
            );
            (name, Value::Object(case))
        };
        self.rows.iter().map(case).unzip()
    }
}

/// What is recorded of a row: `reached_readable`, with `+ POST` if the popup's document could write.
type Expectations = BTreeMap<String, String>;

/// Carries the reference matrix out in both browsers and says whether all is as recorded. `record`: write down what is
/// seen instead.
///
/// # Errors
///
/// When something is missing, or a run breaks.
pub(crate) fn matrix(record: bool) -> Result<bool> {
    let command = prepare(&[Tool::Chromium, Tool::Firefox, Tool::Ip])?;
    let text = fs::read_to_string(process::root().join("lab/matrix.toml"))?;
    let matrix: Matrix = toml::from_str(&text).context("lab/matrix.toml")?;
    let mut same = true;
    for browser in BROWSERS {
        let (names, cases) = matrix.cases(browser);
        let run = lab_run(&command, browser, &cases, 4)?;
        let version = version_of(&run)?;
        let major = version.split('.').next().unwrap_or_default();
        let seen = seen(&names, &run)?;
        let path = process::root().join(format!("lab/expectations/{browser}-{major}.json"));
        if record {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&seen)?))?;
        }
        let recorded: Option<Expectations> = match fs::read(&path) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes)?),
            Err(_) => None,
        };
        same &= print_matrix(browser, version, &names, &seen, recorded.as_ref());
    }
    Ok(same)
}

/// Chromium rebinding the bare service, and failing against the guarded one; ends as the lab ends.
///
/// # Errors
///
/// When something is missing.
pub(crate) fn demo() -> Result<ExitCode> {
    let command = prepare(&[Tool::Chromium, Tool::Ip])?;
    let report = Path::new("dist/rebinding.html");
    fs::create_dir_all(process::root().join("dist"))?;
    let status = Run::new(command)
        .args([
            "lab",
            "run",
            "--policy",
            "policies/local-service.toml",
            "--guard-folder",
        ])
        .arg(process::npm_package())
        .arg("--html")
        .arg(report)
        .status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// One outcome a row.
fn seen(names: &[String], run: &Value) -> Result<Expectations> {
    let results = run["cases"].as_array().context("the run has no cases")?;
    ensure!(
        results.len() == names.len(),
        "the run has {} cases of {}",
        results.len(),
        names.len()
    );
    Ok(names
        .iter()
        .zip(results)
        .map(|(name, result)| {
            let outcome = result["outcome"].as_str().unwrap_or_default();
            let wrote = result["logs"]["page"]["wrote"] == json!(true);
            (name.clone(), format!("{outcome}{}", if wrote { " + POST" } else { "" }))
        })
        .collect())
}

fn print_matrix(
    browser: &str,
    version: &str,
    names: &[String],
    seen: &Expectations,
    recorded: Option<&Expectations>,
) -> bool {
    println!("\n{browser} {version}");
    let mut same = true;
    for name in names {
        let (now, before) = (&seen[name], recorded.and_then(|recorded| recorded.get(name)));
        let drift = match before {
            Some(before) if before == now => String::new(),
            Some(before) => {
                same = false;
                format!("   DRIFT: recorded was {before}")
            }
            None => "   not recorded".to_owned(),
        };
        println!("  {name:<76} {now}{drift}");
    }
    if recorded.is_none() {
        println!("  nothing is recorded for this version: cargo xtask matrix --record");
    }
    same
}

/// Strategies in the order of the table, with what NCC's Singularity publishes of them.
const TIMED: [(&str, &str); 7] = [
    ("multiple-answers", "about 3 s (README, \"Speed\")"),
    ("unspecified", "about 3 s (README, \"Speed\")"),
    ("ipv6-loopback", "no figure"),
    ("mixed-families", "no figure"),
    ("cname", "no figure"),
    ("first-then-second-flush", "about 5 s (wiki, iPad)"),
    (
        "first-then-second",
        "no figure (h43z/dns-rebinding-tool: 60–103 s, Chromium 62)",
    ),
];

/// Measures how long rebinding takes, and writes `docs/rebind-times.md`.
///
/// # Errors
///
/// When something is missing, or a run breaks.
pub(crate) fn rebind_times(runs: usize) -> Result<bool> {
    let command = prepare(&[Tool::Chromium, Tool::Firefox, Tool::Ip])?;
    let mut page = String::from(include_str!("lab/rebind_times.md"));
    let mut date = String::new();
    for browser in BROWSERS {
        // What waits a minute for a cache is measured side by side, all else one at a time.
        let (quick, slow) = TIMED.split_at(TIMED.len() - 1);
        let mut results = Vec::new();
        let mut version = String::new();
        for (strategies, parallel) in [(quick, 1), (slow, 2 * runs)] {
            let run = lab_run(&command, browser, &timed_cases(strategies, runs), parallel)?;
            version = version_of(&run)?.to_owned();
            date = run["started"].as_str().unwrap_or_default().to_owned();
            results.extend(run["cases"].as_array().cloned().unwrap_or_default());
        }
        write!(page, "\n## {browser} {version}\n\n")?;
        page.push_str("| strategy | fetch, Local Network Access off | popup, as the browser comes | Singularity |\n");
        page.push_str("|---|---|---|---|\n");
        for (strategy, published) in TIMED {
            let fetch = times(&results, strategy, "fetch");
            let popup = times(&results, strategy, "popup");
            writeln!(page, "| {strategy} | {fetch} | {popup} | {published} |")?;
        }
    }
    let page = page.replace("{date}", date.split('T').next().unwrap_or_default());
    let page = page.replace("{runs}", &runs.to_string());
    let path = process::root().join("docs/rebind-times.md");
    fs::write(&path, &page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{page}\nwrote docs/rebind-times.md");
    Ok(true)
}

fn timed_cases(strategies: &[(&str, &str)], runs: usize) -> Vec<Value> {
    let mut cases = Vec::new();
    for (strategy, _) in strategies {
        for (method, setting) in [("fetch", "off"), ("popup", "default")] {
            for _ in 0..runs {
                cases.push(json!({
                    "strategy": strategy,
                    "method": method,
                    "local_network_access": setting,
                    "attacker": "public",
                    "target": "canary",
                }));
            }
        }
    }
    cases
}

/// Median, and the span, of the cases that were read; or what they came to instead.
fn times(results: &[Value], strategy: &str, method: &str) -> String {
    let of = || {
        results
            .iter()
            .filter(|result| result["case"]["strategy"] == strategy && result["case"]["method"] == method)
    };
    let all = of().count();
    let mut seconds: Vec<f64> = of()
        .filter(|result| result["outcome"] == "reached_readable")
        .filter_map(|result| Some(result["logs"]["page"]["rebind_ms"].as_f64()? / 1000.0))
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else {
        let outcome = of()
            .filter_map(|result| result["outcome"].as_str())
            .next()
            .unwrap_or("not run");
        return format!("{outcome} ({all} of {all})");
    };
    let median = seconds[seconds.len() / 2];
    let part = if seconds.len() == all {
        String::new()
    } else {
        format!(", read in {} of {all}", seconds.len())
    };
    format!("{median:.2} s ({first:.2}–{last:.2}{part})")
}

/// The command, with all that its runs need.
fn prepare(tools: &[Tool]) -> Result<PathBuf> {
    setup::ensure(&[setup::BUILD.as_slice(), tools].concat())?;
    wasm::build()?;
    node::build()?;
    cargo::build_command()
}

/// A run of the lab, from a list of cases.
fn lab_run(command: &Path, browser: &str, cases: &[Value], parallel: usize) -> Result<Value> {
    let folder = process::root().join(".cache");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("lab-cases-{browser}.json"));
    fs::write(&file, serde_json::to_string(cases)?)?;
    let run = Run::new(command)
        .args(["lab", "run", "--format", "json", "--browser", browser, "--cases"])
        .arg(&file)
        .arg("--guard-folder")
        .arg(process::npm_package())
        .args(["--parallel", &parallel.clamp(1, 32).to_string()]);
    let line = run.to_string();
    let mut printed = String::new();
    // What the cases came to is judged here, not by the exit code.
    run.watch(|line| printed.push_str(line))?;
    serde_json::from_str(&printed).with_context(|| format!("the run printed no report: {line}"))
}

fn version_of(run: &Value) -> Result<&str> {
    run["browser"]["version"].as_str().context("the run names no browser")
}
