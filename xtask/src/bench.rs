//! One run, paired rounds: every worker stays alive and is asked in turn, so that what disturbs the machine
//! disturbs all alike. What a row measures is the worker's business; what it should come to is said here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Child, ChildStdin, ChildStdout};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::doctor::Tool;
use crate::process::{self, Run};
use crate::{Format, cargo, node, setup, wasm};

const WARM_UP: u32 = 2;

/// What the ratio of every row is taken to.
const BASELINE: &str = "native/host";

/// What a row should come to.
struct Target {
    what: &'static str,
    row: &'static str,
    bound: Bound,
}

enum Bound {
    /// In nanoseconds.
    AtMost(f64),
    /// This part of another row, paired by round.
    Part(f64, &'static str),
    /// This part of another row and so many nanoseconds more, paired by round.
    PartAndMore(f64, f64, &'static str),
    /// This many nanoseconds more than another row, paired by round.
    More(f64, &'static str),
}

const TARGETS: [Target; 29] = [
    Target {
        what: "the host check is faster than Starlette's",
        row: BASELINE,
        bound: Bound::Part(1.0, "python/starlette"),
    },
    Target {
        what: "the host check takes a third of Werkzeug's at most",
        row: BASELINE,
        bound: Bound::Part(1.0 / 3.0, "python/werkzeug"),
    },
    Target {
        what: "the host check takes a third of Django's at most",
        row: BASELINE,
        bound: Bound::Part(1.0 / 3.0, "python/django"),
    },
    Target {
        what: "host, origin and route take a microsecond at most",
        row: "native/host+origin+route",
        bound: Bound::AtMost(1000.0),
    },
    Target {
        what: "through wasm in Node, 13 headers take 3 microseconds at most",
        row: "node/13-headers",
        bound: Bound::AtMost(3000.0),
    },
    Target {
        what: "10,000 patterns cost hardly more than 10",
        row: "native/patterns-10000",
        bound: Bound::Part(1.5, "native/patterns-10"),
    },
    Target {
        what: "the verdict on an address takes 0.1 microseconds at most",
        row: "native/address",
        bound: Bound::AtMost(100.0),
    },
    Target {
        what: "the verdict on an outbound request takes 1.5 microseconds at most",
        row: "native/egress-resolved",
        bound: Bound::AtMost(1500.0),
    },
    Target {
        what: "a signed request of 1 KiB takes 1.25 times as long as its MAC, and a microsecond",
        row: "native/host-nonce-1k",
        bound: Bound::PartAndMore(1.25, 1000.0, "native/hmac-1k"),
    },
    Target {
        what: "through wasm in Node it takes 1.5 times as long as its MAC there, and 3 microseconds",
        row: "node/host-nonce-1k",
        bound: Bound::PartAndMore(1.5, 3000.0, "node/hmac-1k"),
    },
    Target {
        what: "RFC 9421 is verified faster than by the npm package, through wasm too",
        row: "node/rfc9421-1k",
        bound: Bound::Part(1.0, "node/http-message-signatures"),
    },
    Target {
        what: "RFC 9421 is verified faster than by the Python package",
        row: "native/rfc9421-1k",
        bound: Bound::Part(1.0, "python/http-message-signatures"),
    },
    Target {
        what: "the dispatcher adds 4 microseconds at most to a keep-alive request of undici",
        row: "outbound/hostbound",
        bound: Bound::More(4000.0, "outbound/undici"),
    },
    Target {
        what: "a request with a token of RS256 takes 1.1 times as long as its signature at most",
        row: "native/token-rs256",
        bound: Bound::Part(1.1, "native/verify-rs256"),
    },
    Target {
        what: "RS256 is judged faster than by the crate `jsonwebtoken` on RustCrypto",
        row: "native/token-rs256",
        bound: Bound::Part(1.0, "rust_crypto/jsonwebtoken-rs256"),
    },
    Target {
        what: "RS256 is judged faster than by PyJWT",
        row: "native/token-rs256",
        bound: Bound::Part(1.0, "python/pyjwt-rs256"),
    },
    Target {
        what: "a request with a token of ES256 takes 1.1 times as long as its signature at most",
        row: "native/token-es256",
        bound: Bound::Part(1.1, "native/verify-es256"),
    },
    Target {
        what: "ES256 is judged faster than by the crate `jsonwebtoken` on RustCrypto",
        row: "native/token-es256",
        bound: Bound::Part(1.0, "rust_crypto/jsonwebtoken-es256"),
    },
    Target {
        what: "ES256 is judged faster than by PyJWT",
        row: "native/token-es256",
        bound: Bound::Part(1.0, "python/pyjwt-es256"),
    },
    Target {
        what: "a request with a token of EdDSA takes 1.1 times as long as its signature at most",
        row: "native/token-eddsa",
        bound: Bound::Part(1.1, "native/verify-eddsa"),
    },
    Target {
        what: "EdDSA is judged faster than by the crate `jsonwebtoken` on RustCrypto",
        row: "native/token-eddsa",
        bound: Bound::Part(1.0, "rust_crypto/jsonwebtoken-eddsa"),
    },
    Target {
        what: "EdDSA is judged faster than by PyJWT",
        row: "native/token-eddsa",
        bound: Bound::Part(1.0, "python/pyjwt-eddsa"),
    },
    Target {
        what: "a request whose token was verified before takes 2 microseconds at most",
        row: "native/token-cached",
        bound: Bound::AtMost(2000.0),
    },
    Target {
        what: "in Node, RS256 takes 1.3 times as long as with fast-jwt without its cache at most",
        row: "node/rs256",
        bound: Bound::Part(1.3, "node/rs256-fast-jwt"),
    },
    Target {
        what: "in Node, a request whose token of RS256 was verified before takes 6 microseconds at most",
        row: "node/rs256-cached",
        bound: Bound::AtMost(6000.0),
    },
    Target {
        what: "in Node, ES256 takes 1.3 times as long as with fast-jwt without its cache at most",
        row: "node/es256",
        bound: Bound::Part(1.3, "node/es256-fast-jwt"),
    },
    Target {
        what: "in Node, a request whose token of ES256 was verified before takes 6 microseconds at most",
        row: "node/es256-cached",
        bound: Bound::AtMost(6000.0),
    },
    Target {
        what: "in Node, EdDSA takes 1.3 times as long as with fast-jwt without its cache at most",
        row: "node/eddsa",
        bound: Bound::Part(1.3, "node/eddsa-fast-jwt"),
    },
    Target {
        what: "in Node, a request whose token of EdDSA was verified before takes 6 microseconds at most",
        row: "node/eddsa-cached",
        bound: Bound::AtMost(6000.0),
    },
];

/// Nanoseconds a call by row: one entry for each round.
type Rows = BTreeMap<String, Vec<f64>>;

/// Runs the rounds, prints the figures and writes them to `dist/bench.json`.
///
/// # Errors
///
/// When a worker cannot be built or does not answer.
pub(crate) fn run(format: Format, rounds: u32) -> Result<()> {
    let mut workers = workers()?;
    let mut rows = Rows::new();
    let progress = std::io::stderr().is_terminal() && !process::in_ci();
    for round in 0..WARM_UP + rounds {
        if progress {
            eprint!("\rround {} of {}", round + 1, WARM_UP + rounds);
        }
        for worker in &mut workers {
            let answer = worker.ask()?;
            if round >= WARM_UP {
                for (name, nanoseconds) in answer {
                    rows.entry(name).or_default().push(nanoseconds);
                }
            }
        }
    }
    if progress {
        eprintln!();
    }
    for worker in workers {
        worker.end()?;
    }

    let report = report(&rows, rounds)?;
    let text = serde_json::to_string_pretty(&report)?;
    let path = process::root().join("dist/bench.json");
    fs::create_dir_all(process::root().join("dist"))?;
    fs::write(&path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    match format {
        Format::Human => print_table(&rows, rounds)?,
        Format::Json => println!("{text}"),
    }
    Ok(())
}

/// A process that measures one batch for each line `go` and answers with a line of JSON.
struct Worker {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

fn workers() -> Result<Vec<Worker>> {
    setup::ensure(&setup::BUILD)?;
    wasm::build()?;
    wasm::build_bench()?;
    node::build()?;
    let native = cargo::build(
        "bench --package hostbound --bench host --no-run",
        &[],
        cargo::is_executable,
    )?;
    let outbound = cargo::build(
        "bench --package hostbound --bench egress --features egress --no-run",
        &[],
        cargo::is_executable,
    )?;
    let signed = cargo::build(
        "bench --package hostbound --bench signature --no-run",
        &[],
        cargo::is_executable,
    )?;
    let tokens = cargo::build(
        "bench --package hostbound --bench token --no-run",
        &[],
        cargo::is_executable,
    )?;
    let jsonwebtoken = cargo::build(
        "build --release --manifest-path benches/jsonwebtoken/Cargo.toml",
        &[],
        cargo::is_executable,
    )?;
    let python = setup::python_environment("venv", &process::root().join("xtask/requirements-bench.txt"))?;
    Ok(vec![
        Worker::start("native", Run::new(native).arg("worker"))?,
        Worker::start("outbound", Run::new(outbound).arg("worker"))?,
        Worker::start("signed", Run::new(signed).arg("worker"))?,
        Worker::start("python", Run::new(&python).arg("xtask/bench/peers.py"))?,
        Worker::start("python signed", Run::new(&python).arg("xtask/bench/signatures.py"))?,
        Worker::start("tokens", Run::new(tokens).arg("worker"))?,
        Worker::start("rust_crypto", Run::new(&jsonwebtoken).arg("rust_crypto"))?,
        Worker::start("aws_lc_rs", Run::new(jsonwebtoken).arg("aws_lc_rs"))?,
        Worker::start("python tokens", Run::new(python).arg("xtask/bench/tokens.py"))?,
        Worker::start("node", Run::new("node").arg("bindings/node/bench/worker.mjs"))?,
        Worker::start("node signed", Run::new("node").arg("bindings/node/bench/signature.mjs"))?,
        Worker::start("node tokens", Run::new("node").arg("bindings/node/bench/token.mjs"))?,
        Worker::start("node outbound", Run::new("node").arg("bindings/node/bench/egress.mjs"))?,
    ])
}

impl Worker {
    fn start(name: &'static str, run: Run) -> Result<Self> {
        let mut child = run.spawn()?;
        let input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self {
            name,
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn ask(&mut self) -> Result<BTreeMap<String, f64>> {
        let mut line = String::new();
        self.input
            .write_all(b"go\n")
            .and_then(|()| self.input.flush())
            .and_then(|()| self.output.read_line(&mut line))
            .with_context(|| format!("the worker `{}` does not answer", self.name))?;
        if line.is_empty() {
            bail!("the worker `{}` ended ({})", self.name, self.child.wait()?);
        }
        serde_json::from_str(&line).with_context(|| format!("the worker `{}` answered `{}`", self.name, line.trim()))
    }

    /// The end of its input ends a worker.
    fn end(mut self) -> Result<()> {
        drop(self.input);
        let status = self.child.wait()?;
        process::succeeded(status, self.name).with_context(|| format!("the worker `{}`", self.name))
    }
}

fn report(rows: &Rows, rounds: u32) -> Result<Value> {
    let figures: Result<Vec<Value>> = rows
        .iter()
        .map(|(name, values)| {
            let (low, high) = range(values);
            Ok(json!({
                "name": name,
                "median_ns": median(values.clone()),
                "min_ns": low,
                "max_ns": high,
                "ratio": ratio(rows, name, BASELINE)?,
            }))
        })
        .collect();
    let targets: Result<Vec<Value>> = TARGETS
        .iter()
        .map(|target| {
            let (bound, figure, baseline) = target.figures(rows)?;
            Ok(json!({
                "what": target.what,
                "row": target.row,
                "baseline": baseline,
                "at_most": bound,
                "found": figure,
                "met": target.met(rows)?,
            }))
        })
        .collect();
    Ok(json!({
        "machine": machine(),
        "rounds": rounds,
        "baseline": BASELINE,
        "rows": figures?,
        "targets": targets?,
    }))
}

fn print_table(rows: &Rows, rounds: u32) -> Result<()> {
    let machine = machine();
    println!(
        "{} cores, {}; rustc {}, node {}, python {}; medians of {rounds} rounds",
        machine["cores"],
        text(&machine["cpu"]),
        text(&machine["rustc"]),
        text(&machine["node"]),
        text(&machine["python"])
    );
    println!(
        "\n{:<28} {:>11} {:>11} {:>11} {:>9}",
        "", "median ns", "min ns", "max ns", "ratio"
    );
    for (name, values) in rows {
        let (low, high) = range(values);
        println!(
            "{name:<28} {:>11.1} {low:>11.1} {high:>11.1} {:>9.2}",
            median(values.clone()),
            ratio(rows, name, BASELINE)?
        );
    }
    println!("\nratio: to {BASELINE}, the median over the rounds\n");
    for target in &TARGETS {
        let state = if target.met(rows)? { "met" } else { "not met" };
        let (bound, figure, baseline) = target.figures(rows)?;
        let measure = match baseline {
            Some(baseline) if matches!(target.bound, Bound::More(..)) => {
                format!("{figure:.0} ns more than {baseline}, at most {bound:.0}")
            }
            Some(baseline) if matches!(target.bound, Bound::PartAndMore(..)) => {
                format!("{figure:.0} ns beside {baseline}, at most {bound:.0}")
            }
            Some(baseline) => format!("{figure:.3} of {baseline}, at most {bound:.3}"),
            None => format!("{figure:.1} ns, at most {bound:.0} ns"),
        };
        println!("{state:>8}: {} ({}: {measure})", target.what, target.row);
    }
    Ok(())
}

impl Target {
    /// The bound, what was found, and the row it is a part of.
    fn figures(&self, rows: &Rows) -> Result<(f64, f64, Option<&'static str>)> {
        Ok(match self.bound {
            Bound::More(bound, than) => (bound, difference(rows, self.row, than)?, Some(than)),
            Bound::AtMost(bound) => (bound, median(row(rows, self.row)?.to_vec()), None),
            Bound::PartAndMore(part, more, of) => {
                let base = median(row(rows, of)?.to_vec());
                let over = difference(rows, self.row, of)?;
                (part * base + more, base + over, Some(of))
            }
            Bound::Part(bound, of) => (bound, ratio(rows, self.row, of)?, Some(of)),
        })
    }

    fn met(&self, rows: &Rows) -> Result<bool> {
        let (bound, figure, _) = self.figures(rows)?;
        Ok(figure <= bound)
    }
}

fn row<'rows>(rows: &'rows Rows, name: &str) -> Result<&'rows [f64]> {
    let values = rows.get(name).with_context(|| format!("no worker measured `{name}`"))?;
    Ok(values)
}

/// The median over the rounds of one row's figure less the other's of the same round.
fn difference(rows: &Rows, name: &str, than: &str) -> Result<f64> {
    let pairs = row(rows, name)?.iter().zip(row(rows, than)?);
    Ok(median(pairs.map(|(one, other)| one - other).collect()))
}

/// The median over the rounds of one row's figure divided by the other's of the same round.
fn ratio(rows: &Rows, name: &str, of: &str) -> Result<f64> {
    let pairs = row(rows, name)?.iter().zip(row(rows, of)?);
    Ok(median(pairs.map(|(one, other)| one / other).collect()))
}

/// The middle value, or the mean of the two in the middle. Zero of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (_, None) => 0.0,
        (1, Some(value)) => *value,
        (_, Some(upper)) => values
            .get(middle.saturating_sub(1))
            .map_or(*upper, |lower| f64::midpoint(*lower, *upper)),
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

/// What the figures were taken on.
fn machine() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(": ")?.1.to_owned())
    });
    let version = |tool: Tool| tool.look().version().map(str::to_owned);
    json!({
        "cpu": cpu,
        "cores": std::thread::available_parallelism().ok(),
        "rustc": version(Tool::Rustc),
        "node": version(Tool::Node),
        "python": version(Tool::Python),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(&str, &[f64])]) -> Rows {
        let row = |(name, values): &(&str, &[f64])| ((*name).to_owned(), values.to_vec());
        list.iter().map(row).collect()
    }

    #[test]
    fn a_median_is_the_middle() {
        for (values, wanted) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            assert!((median(values.clone()) - wanted).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn ratios_are_paired_by_round() {
        // The machine was ten times slower in the second round: it cancels out.
        let rows = rows(&[("a", &[10.0, 100.0, 10.0]), ("b", &[20.0, 200.0, 20.0])]);
        assert!((ratio(&rows, "a", "b").unwrap() - 0.5).abs() < 1e-9);
        assert!(ratio(&rows, "a", "c").is_err());
    }

    #[test]
    fn targets_are_met_or_not() {
        let part = |bound| Target {
            what: "",
            row: "a",
            bound: Bound::Part(bound, "b"),
        };
        let at_most = |bound| Target {
            what: "",
            row: "a",
            bound: Bound::AtMost(bound),
        };
        let rows = rows(&[("a", &[10.0]), ("b", &[20.0])]);
        assert!(part(0.5).met(&rows).unwrap());
        assert!(!part(0.4).met(&rows).unwrap());
        assert!(at_most(10.0).met(&rows).unwrap());
        assert!(!at_most(9.9).met(&rows).unwrap());
    }

    #[test]
    fn every_row_that_a_target_names_is_needed() {
        assert!(report(&rows(&[(BASELINE, &[1.0])]), 1).is_err());
    }
}
