//! The commands, one file each.

mod address;
mod check;
mod compile;
mod completions;
mod decide;
mod egress;
mod envoy;
mod explain;
mod keys;
#[cfg(target_os = "linux")]
mod lab;
mod man;
// Where there is no lab; and in tests everywhere, so that it compiles.
#[cfg(any(not(target_os = "linux"), test))]
mod no_lab;
mod public;
mod schema;
mod sign;
mod test;

use clap::Subcommand;

use crate::args::Format;
use crate::exit::{Exit, Failure};

/// What the user asks for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Test(test::Test),
    Decide(decide::Decide),
    Egress(egress::Egress),
    Explain(explain::Explain),
    Sign(sign::Sign),
    Keys(keys::Keys),
    #[cfg(target_os = "linux")]
    Lab(lab::Lab),
    #[cfg(not(target_os = "linux"))]
    Lab(no_lab::Lab),
    Address(address::Address),
    Compile(compile::Compile),
    Public(public::Public),
    Envoy(envoy::Envoy),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// The form in which it answers, and in which a refused policy is told.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Check(check) => check.format,
            Self::Test(test) => test.format,
            Self::Decide(decide) => decide.format_of_words(),
            Self::Egress(egress) => egress.format_of_words(),
            Self::Explain(explain) => explain.format,
            Self::Sign(sign) => sign.format,
            Self::Keys(keys) => keys.format(),
            Self::Lab(lab) => lab.format(),
            Self::Address(address) => address.format,
            Self::Compile(_)
            | Self::Public(_)
            | Self::Envoy(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_) => Format::Human,
        }
    }

    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::Decide(decide) => decide.run(),
            Self::Egress(egress) => egress.run(),
            Self::Explain(explain) => explain.run(),
            Self::Sign(sign) => sign.run(),
            Self::Keys(keys) => keys.run(),
            Self::Lab(lab) => lab.run(),
            Self::Address(address) => address.run(),
            Self::Compile(compile) => compile.run(),
            Self::Public(public) => public.run(),
            Self::Envoy(envoy) => envoy.run(),
            Self::Schema(schema) => schema.run(),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}
