//! How the command ends: its exit codes, and what kept it from going on.

use std::io;
use std::process::ExitCode;

use crate::args::Format;
use crate::finding::Refusal;
use crate::output;

/// What the run came to, from mild to grave.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Exit {
    /// All allowed, nothing found.
    Clean,
    /// Some denied, or something found.
    Findings,
    /// Some of it could not be judged.
    Unknown,
    /// The policy is wrong, or the command was called wrongly.
    Refused,
}

impl Exit {
    /// The public number.
    const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Refused => 2,
            Self::Unknown => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command could not go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The policy could not be read, or says something that no policy can say.
    Policy(Refusal),
    /// The arguments contradict each other or name what is not there.
    Usage(String),
    /// What was to be judged could not be read, or is no request.
    Input(String),
    /// The results could not be written.
    Output(io::Error),
}

impl Failure {
    /// Tells the user, and says how to end.
    pub(crate) fn report(self, format: Format) -> Exit {
        match self {
            Self::Policy(refusal) => {
                let told = match format {
                    Format::Human => refusal.print(&mut anstream::stderr().lock()),
                    Format::Json => refusal
                        .to_json()
                        .map_err(Into::into)
                        .and_then(|json| output::line(&json)),
                };
                match told {
                    Ok(()) => Exit::Refused,
                    Err(error) => Self::Output(error).report(format),
                }
            }
            Self::Usage(message) => {
                output::say(&format!("error: {message}"));
                Exit::Refused
            }
            Self::Input(message) => {
                output::say(&format!("error: {message}"));
                Exit::Unknown
            }
            // Whoever read the results has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Unknown,
            Self::Output(error) => {
                output::say(&format!("error: the results cannot be written: {error}"));
                Exit::Unknown
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Policy(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_decides() {
        let exits = [Exit::Clean, Exit::Refused, Exit::Findings, Exit::Unknown];
        assert_eq!(exits.into_iter().max(), Some(Exit::Refused));
        assert_eq!(exits.map(Exit::code), [0, 2, 1, 3]);
    }
}
