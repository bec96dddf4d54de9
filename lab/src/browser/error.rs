//! What can go wrong with a browser, told with what was run and what it last said.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::time::Duration;

/// Why the browser did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It did not come up: the reason.
    Start(String),
    /// The page could not be loaded: the browser's own text.
    Unreachable { url: String, error: String },
    /// It answered a command with an error.
    Refused { command: String, error: String },
    /// Nothing came within the time.
    Late { what: String, after: Duration },
    /// The connection to it ended: it crashed or was closed.
    Gone,
    /// This browser has no such thing.
    Unsupported(String),
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(reason) => write!(f, "it did not start: {reason}"),
            Self::Unreachable { url, error } => write!(f, "`{url}` cannot be loaded: {error}"),
            Self::Refused { command, error } => write!(f, "`{command}` was refused: {error}"),
            Self::Late { what, after } => write!(f, "{what}: nothing came within {} s", after.as_secs_f32()),
            Self::Gone => f.write_str("it is gone"),
            Self::Unsupported(what) => f.write_str(what),
        }
    }
}

/// A trouble, which browser had it, and the last lines that it wrote to its standard error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrowserError {
    pub executable: PathBuf,
    pub trouble: Trouble,
    pub last_lines: Vec<String>,
}

impl Display for BrowserError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.executable.display(), self.trouble)?;
        // A page that is not there is no fault of the browser: its own lines would only distract.
        if self.last_lines.is_empty() || matches!(self.trouble, Trouble::Unreachable { .. }) {
            return Ok(());
        }
        f.write_str("; it last wrote:")?;
        self.last_lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for BrowserError {}
