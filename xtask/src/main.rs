//! `cargo xtask`: set-up, build, test, demo and bench of Hostbound, everything that the README and CI call.
//! Each command brings what it needs by itself. This file holds the commands; what they do is in the modules.

mod bench;
mod cargo;
mod count;
mod demo;
mod dist;
mod doctor;
mod envoy;
mod envoy_bench;
mod fuzz;
mod lab;
mod node;
mod oci;
mod process;
mod setup;
mod test;
mod wasm;
mod www;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

/// Set-up, build, test, demo and bench of Hostbound.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say which tools are here and how to install what is missing. Exit code 1 if one is missing.
    Doctor {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Install what is missing, then build the engine in wasm, the npm package, the self-test page's copy of them and the command.
    Build,
    /// Run every test suite. The last line is `N passed, N failed`. Exit code 1 if one failed.
    Test {
        /// Also more browsers, a minute of each fuzz target, and the installation of the packages.
        #[arg(long)]
        all: bool,
    },
    /// Attack a service with DNS rebinding, without and with Hostbound.
    Demo,
    /// Make the packages in dist/: the command, the npm package, SHA256SUMS.
    Dist {
        /// Then install them into an empty folder, as the README says, and use them.
        #[arg(long)]
        check: bool,
    },
    /// Measure against the guards of other frameworks; also writes dist/bench.json. Or the Envoy filter against Envoy's own; also writes docs/performance.md.
    Bench {
        #[arg(value_enum, default_value_t)]
        what: Benched,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// How often each worker is asked, after two rounds to warm up.
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Carry the reference matrix of DNS rebinding out in Chromium and Firefox. Exit code 1 if a browser does otherwise than is recorded.
    Matrix {
        /// Write down what is seen as what is expected of these versions.
        #[arg(long)]
        record: bool,
    },
    /// Measure how long rebinding takes, and write docs/rebind-times.md.
    RebindTimes {
        /// Measurements for each cell of the table.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=15))]
        runs: u8,
    },
    /// Take pictures of every state of the self-test page, light and dark, into dist/screenshots.
    Screenshots,
    /// Run the fuzz targets, or only one.
    Fuzz {
        target: Option<String>,
        /// How long for each target.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: u32,
    },
}

/// What is measured.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Benched {
    /// The engine, and the Node face.
    #[default]
    Guards,
    /// The Envoy filter.
    Envoy,
}

/// For people or for programs.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Human,
    Json,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let good = match command {
        Command::Doctor { format } => doctor::report(format)?,
        Command::Build => {
            setup::ensure(&setup::BUILD)?;
            cargo::build_all()?;
            true
        }
        Command::Test { all } => test::run(if all { test::Extent::All } else { test::Extent::Usual }),
        Command::Demo => return demo::run(),
        Command::Dist { check } => {
            dist::make()?;
            if check {
                dist::check()?;
            }
            true
        }
        Command::Bench { what, format, rounds } => {
            match what {
                Benched::Guards => bench::run(format, rounds)?,
                Benched::Envoy => envoy_bench::run(format, rounds)?,
            }
            true
        }
        Command::Matrix { record } => lab::matrix(record)?,
        Command::RebindTimes { runs } => lab::rebind_times(runs.into())?,
        Command::Screenshots => {
            www::screenshots()?;
            true
        }
        Command::Fuzz { target, minutes } => fuzz::run(target.as_deref(), minutes)?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
