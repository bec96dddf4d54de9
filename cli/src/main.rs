//! The command `hostbound`: checks, tests, compiles and explains policies, and judges requests by them.
//!
//! Holds no rule: the engine decides, this reads and prints. Data goes to standard output, words to standard error.

mod answers;
mod args;
mod clock;
mod color;
mod command;
mod exit;
mod fetch;
mod finding;
mod input;
mod output;
mod policy;
mod replace;
mod replay;
mod secrets;
mod shorthand;
mod stream;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::parse();
    let format = cli.command.format();
    let exit = cli.command.run().unwrap_or_else(|failure| failure.report(format));
    exit.into()
}
