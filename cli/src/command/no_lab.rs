//! `hostbound lab` where there is none.

use clap::Args;

use crate::args::Format;
use crate::exit::{Exit, Failure};

const WHY: &str = "\
there is no lab on this system: only Linux gives one browser a network and a resolver of its own.
What works here: every other command, the guards, and the self-test page without a lab, which shows results that were shared.
What does not: `lab run` and `lab page`. They run in a virtual machine with Linux, or `lab run`, and `lab page --headless`, in a
container that may make namespaces";

/// Attack services of this machine with real DNS rebinding: on Linux only
#[derive(Args, Debug)]
pub(crate) struct Lab {
    /// What it would have been called with
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _words: Vec<String>,
}

impl Lab {
    pub(super) const fn format(&self) -> Format {
        Format::Human
    }

    pub(super) fn run(self) -> Result<Exit, Failure> {
        Err(Failure::Input(WHY.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        lab: Lab,
    }

    #[test]
    fn whatever_it_is_called_with_it_says_what_works() {
        for words in [&["lab"][..], &["lab", "page", "--browser", "firefox"]] {
            let Command { lab } = Command::try_parse_from(words).unwrap();
            assert!(matches!(lab.format(), Format::Human));
            let Err(Failure::Input(said)) = lab.run() else {
                panic!("it ran");
            };
            assert!(said.contains("What works here"));
        }
    }
}
