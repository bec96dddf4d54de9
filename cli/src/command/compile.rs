//! `hostbound compile`: a policy as JSON that every face reads, the lines of its source kept.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::policy::{Additions, DEFAULT_FILE, PolicyFile};
use crate::replace::{Readers, replace};

/// Turn a policy into JSON for faces that read no TOML
///
/// The digest stays the same, and messages still name the lines of the source. Nothing is written if the policy is refused.
#[derive(Args, Debug)]
pub(crate) struct Compile {
    /// The policy, in TOML or JSON
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,

    /// Where to write; an older file is replaced in one step [default: standard output]
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,

    #[command(flatten)]
    additions: Additions,
}

impl Compile {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let file = PolicyFile::read(&self.file)?;
        let document = file.document(&self.additions)?;
        file.compile(&document)?;
        let json = document.to_compiled_json();
        match &self.out {
            None => io::stdout().write_all(json.as_bytes()).map_err(Failure::Output)?,
            Some(out) => replace(out, json.as_bytes(), Readers::Usual)?,
        }
        Ok(Exit::Clean)
    }
}
