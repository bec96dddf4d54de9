//! The fuzz targets in `fuzz/`, for some minutes each, on the stable compiler.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Run};
use crate::setup;

/// The engine forbids `unsafe`, so a sanitizer would find nothing in it; it would cost half of the
/// runs, and it is what would need a nightly compiler.
const SANITIZER: &str = "--sanitizer none";

/// Runs one target, or all, prints a summary and says whether none found anything.
///
/// # Errors
///
/// When there is no such target, or cargo-fuzz is missing and cannot be installed.
pub(crate) fn run(target: Option<&str>, minutes: u32) -> Result<bool> {
    let mut chosen = targets()?;
    if let Some(name) = target {
        ensure!(
            chosen.iter().any(|target| target == name),
            "there is no fuzz target `{name}`; there are: {}",
            chosen.join(", ")
        );
        chosen.retain(|target| target == name);
    }
    let mut lines = Vec::new();
    let mut clean = true;
    for name in chosen {
        Run::cargo(&format!("fuzz build {SANITIZER} {name}")).run()?;
        let (outcome, duration) = process::timed(|| fuzz(&name, minutes));
        let found = outcome?;
        clean &= found.clean;
        lines.push(found.line(&name, duration));
    }
    for line in lines {
        println!("{line}");
    }
    Ok(clean)
}

/// The names of the targets, from `fuzz/Cargo.toml`.
///
/// # Errors
///
/// When cargo-fuzz is missing and cannot be installed, or knows no target.
pub(crate) fn targets() -> Result<Vec<String>> {
    setup::ensure_cargo_fuzz()?;
    let listed = Run::cargo("fuzz list").capture()?;
    let targets: Vec<String> = listed.lines().map(str::to_owned).collect();
    ensure!(!targets.is_empty(), "fuzz/Cargo.toml has no fuzz target");
    Ok(targets)
}

/// What libFuzzer's `-print_final_stats` says of one target.
struct Found {
    clean: bool,
    stats: BTreeMap<String, u64>,
}

fn fuzz(target: &str, minutes: u32) -> Result<Found> {
    // What is found new goes to the first folder, so that the seeds stay what was committed.
    let found = format!(".cache/fuzz/{target}");
    let seeds = format!("fuzz/corpus/{target}");
    for folder in [&found, &seeds] {
        fs::create_dir_all(process::root().join(folder)).with_context(|| format!("cannot make {folder}"))?;
    }
    let run = Run::cargo(&format!("fuzz run {SANITIZER} {target} {found} {seeds} --"))
        .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
        .args(["-print_final_stats=1", "-timeout=10"])
        .with_errors();
    let mut stats = BTreeMap::new();
    let status = run.watch(|line| {
        process::echo(line);
        if let Some((name, number)) = stat(line) {
            stats.insert(name.to_owned(), number);
        }
    })?;
    Ok(Found {
        clean: status.success(),
        stats,
    })
}

/// `stat::number_of_executed_units: 12388722`
fn stat(line: &str) -> Option<(&str, u64)> {
    let (name, number) = line.strip_prefix("stat::")?.split_once(':')?;
    Some((name, number.trim().parse().ok()?))
}

impl Found {
    fn line(&self, name: &str, duration: Duration) -> String {
        let stat = |name: &str| self.stats.get(name).copied().unwrap_or(0);
        let verdict = if self.clean {
            "nothing found".to_owned()
        } else {
            format!("FAILED: see above, and fuzz/artifacts/{name}")
        };
        format!(
            "fuzz {name}: {} runs in {:.0} s, {} new inputs, {} MB: {verdict}",
            stat("number_of_executed_units"),
            duration.as_secs_f64(),
            stat("new_units_added"),
            stat("peak_rss_mb"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuzzer_s_figures_are_read() {
        assert_eq!(
            stat("stat::number_of_executed_units: 12388722"),
            Some(("number_of_executed_units", 12_388_722))
        );
        assert_eq!(stat("#2 INITED cov: 3"), None);
    }
}
