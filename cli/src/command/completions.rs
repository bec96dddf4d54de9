//! `hostbound completions`: the script that lets a shell complete the command line.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};

/// Print the completion script of a shell
///
/// For bash: hostbound completions bash > ~/.local/share/bash-completion/completions/hostbound
#[derive(Args, Debug)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        // Into memory first: the generator takes a failed write for a bug.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "hostbound", &mut script);
        std::io::stdout().write_all(&script).map_err(Failure::Output)?;
        Ok(Exit::Clean)
    }
}
