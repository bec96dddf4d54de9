//! `hostbound keys`: whether key sets may be used, and their thumbprints.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hostbound::{KeySet, MAX_KEY_SET, VerificationKey};
use serde_json::json;

use crate::args::Format;
use crate::color::{BAD, GOOD};
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{self, printable};

/// Look at key sets (JWKS): may they be used, and what are their thumbprints
///
/// A key set is a JSON object with a list `keys`, or one key. Public keys are told; secrets (`oct`) never are.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say what is wrong with key sets: sizes, curves, ROCA, private parts, mixed kinds, duplicates. Ends with 1 if something is
    Check(Files),
    /// Print the thumbprint of each public key (RFC 7638), as pins want it
    Thumbprint(Files),
}

const EXAMPLES: &str = "\
Examples:
  hostbound keys check jwks.json
  hostbound keys thumbprint jwks.json";

#[derive(Args, Debug)]
struct Files {
    /// The key sets; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,

    /// How to print; `json` is one object a line for each key set
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Keys {
    pub(super) const fn format(&self) -> Format {
        let (What::Check(files) | What::Thumbprint(files)) = &self.command;
        files.format
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let (What::Check(files) | What::Thumbprint(files)) = &self.command;
        let mut exit = Exit::Clean;
        for path in &files.files {
            let name = path.display().to_string();
            let bytes = Input::open(Some(path))?.read_up_to(MAX_KEY_SET)?;
            let set = String::from_utf8(bytes)
                .map_err(|_| vec!["no UTF-8".to_owned()])
                .and_then(|text| {
                    KeySet::from_json(&text).map_err(|errors| errors.errors().iter().map(ToString::to_string).collect())
                });
            if set.is_err() {
                exit = exit.max(Exit::Findings);
            }
            self.print(&name, &set).map_err(Failure::Output)?;
        }
        Ok(exit)
    }

    fn print(&self, name: &str, set: &Result<KeySet, Vec<String>>) -> io::Result<()> {
        if self.format() == Format::Json {
            let (keys, errors) = match set {
                Ok(set) => (set.keys().iter().map(described).collect(), Vec::new()),
                Err(errors) => (Vec::new(), errors.clone()),
            };
            return output::line(&json!({"file": name, "keys": keys, "errors": errors}).to_string());
        }
        let mut out = anstream::stdout().lock();
        match set {
            Err(errors) => {
                for error in errors {
                    writeln!(out, "{BAD}error{BAD:#} {name}: {}", printable(error, 300))?;
                }
            }
            Ok(set) => {
                for key in set.keys() {
                    let id = printable(key.id().unwrap_or("-"), 100);
                    match &self.command {
                        What::Check(_) => {
                            let algorithms: Vec<_> = key.algorithms().map(|algorithm| algorithm.as_str()).collect();
                            writeln!(out, "{GOOD}ok{GOOD:#} {id} {} {}", key.kind(), algorithms.join(" "))?;
                        }
                        What::Thumbprint(_) => {
                            let thumbprint = key.thumbprint().unwrap_or_else(|| "a secret has none".into());
                            writeln!(out, "{thumbprint}  {id}")?;
                        }
                    }
                }
            }
        }
        out.flush()
    }
}

fn described(key: &VerificationKey) -> serde_json::Value {
    json!({
        "kid": key.id(),
        "kind": key.kind(),
        "algorithms": key.algorithms().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>(),
        "thumbprint": key.thumbprint(),
    })
}
