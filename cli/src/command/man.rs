//! `hostbound man`: the manual pages.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::args::Cli;
use crate::exit::{Exit, Failure};

/// Print the manual page, or write one for each command
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Write hostbound.1, hostbound-check.1 and so on into this directory
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let written = match &self.out_dir {
            Some(directory) => {
                std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command())
                    .render(&mut page)
                    .and_then(|()| std::io::stdout().write_all(&page))
            }
        };
        written.map_err(Failure::Output)?;
        Ok(Exit::Clean)
    }
}
