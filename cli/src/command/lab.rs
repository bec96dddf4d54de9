//! `hostbound lab`: real DNS rebinding, in a real browser.

mod page;
mod rig;
mod run;

use clap::{Args, Subcommand};

use crate::args::Format;
use crate::exit::{Exit, Failure};

/// Attack services of this machine with real DNS rebinding, and say what stopped it
#[derive(Args, Debug)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Page(Box<page::Page>),
    /// What `run` and `page` start in their own namespaces.
    #[command(hide = true)]
    Inside,
}

/// How `lab run` and `lab page` have this program call [`hostbound_lab::inside::run`].
const INSIDE: [&str; 2] = ["lab", "inside"];

impl Lab {
    pub(super) fn format(&self) -> Format {
        match &self.command {
            Command::Run(run) => run.format,
            Command::Page(_) | Command::Inside => Format::Human,
        }
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Page(page) => page.run(),
            // Its events say how it ended.
            Command::Inside => {
                hostbound_lab::inside::run();
                Ok(Exit::Clean)
            }
        }
    }
}
