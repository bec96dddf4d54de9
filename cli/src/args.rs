//! The command line: what can be asked, and in which form the answer comes.

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::color::Color;
use crate::command::Command;

/// One policy says which hosts a service answers as; this checks it, tests it and judges requests by it.
#[derive(Debug, Parser)]
#[command(name = "hostbound", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour; NO_COLOR turns `auto` off
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    color: Color,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all allowed, nothing found
  1  some denied, or something found
  2  a policy that is wrong, or a command called wrongly
  3  could not tell: input that is no request, a policy without cases, a read or write that failed

Environment:
  HOSTBOUND_ALLOWED_HOSTS  hosts to allow beside the policy's own, comma-separated (as --allow-host)
  NO_COLOR                 no colour";

/// The form in which data is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

/// Parses the command line, or ends with help or a complaint.
pub(crate) fn parse() -> Cli {
    let arguments: Vec<_> = std::env::args_os().collect();
    let color = Color::of(&arguments);
    color.apply();
    let mut command = Cli::command().color(color.into());
    let matches = command.clone().get_matches_from(arguments);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
