//! Runs other programs: says what runs, and when one fails names the command to repeat.
//! Which programs run, and in what order, is the business of the other modules.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What `cargo run` sets for the program it starts. A nested cargo must not see it: build scripts
/// that watch one of these (ring's does) would be built again at every change of caller.
const CARGO_RUN_PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// How long a step may take without our saying how long it took.
const WORTH_SAYING: Duration = Duration::from_secs(2);

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder of the npm package.
pub(crate) fn npm_package() -> PathBuf {
    root().join("bindings/node")
}

/// Whether a continuous integration runs this: no colour and no progress then.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// One run of a program, in the root of the repository unless [`Run::dir`] says otherwise.
pub(crate) struct Run {
    command: Command,
    dir: PathBuf,
    variables: Vec<(String, OsString)>,
    errors: Errors,
}

/// Where a watched program's standard error goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    /// To ours.
    Ours,
    /// To the watcher, with the standard output.
    Watched,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if CARGO_RUN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        if in_ci() {
            command
                .env("NO_COLOR", "1")
                .env("CARGO_TERM_COLOR", "never")
                .env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        command.stdin(Stdio::null());
        Self {
            command,
            dir: root(),
            variables: Vec::new(),
            errors: Errors::Ours,
        }
    }

    /// `cargo` and its arguments, separated by spaces.
    pub(crate) fn cargo(arguments: &str) -> Self {
        Self::new("cargo").args(arguments.split_whitespace())
    }

    /// `npm` and its arguments, separated by spaces, in the npm package.
    pub(crate) fn npm(arguments: &str) -> Self {
        Self::new("npm").args(arguments.split_whitespace()).dir(npm_package())
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value.as_ref());
        self.variables.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Lets [`Run::watch`] see the standard error too.
    pub(crate) fn with_errors(mut self) -> Self {
        self.errors = Errors::Watched;
        self
    }

    /// Runs a step on the way to something: what it prints goes to the standard error.
    ///
    /// # Errors
    ///
    /// When the program cannot be started or fails.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.announce();
        self.command.stdout(Stdio::from(io::stderr()));
        let (status, duration) = timed(|| self.status());
        succeeded(status?, &line)?;
        if duration >= WORTH_SAYING {
            eprintln!("  {:.1} s", duration.as_secs_f64());
        }
        Ok(())
    }

    /// Runs with our own output streams and hands back how it ended.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub(crate) fn status(mut self) -> Result<ExitStatus> {
        let line = self.to_string();
        self.command.current_dir(&self.dir);
        self.command.status().with_context(|| format!("cannot start `{line}`"))
    }

    /// Runs in silence and hands back the standard output.
    ///
    /// # Errors
    ///
    /// When the program cannot be started or fails; the error holds what it said.
    pub(crate) fn capture(mut self) -> Result<String> {
        let line = self.to_string();
        self.command.current_dir(&self.dir);
        let output = self
            .command
            .output()
            .with_context(|| format!("cannot start `{line}`"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{line}` failed ({}): {}", output.status, said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{line}` wrote no UTF-8"))
    }

    /// Runs and hands each line of the output to `line`; [`echo`] prints it as well.
    ///
    /// # Errors
    ///
    /// When the program cannot be started, or its output not be read.
    pub(crate) fn watch(self, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
        let shown = self.announce();
        let (reader, writer) = io::pipe()?;
        let mut command = self.command;
        command.current_dir(&self.dir);
        if self.errors == Errors::Watched {
            command.stderr(writer.try_clone()?);
        }
        command.stdout(writer);
        let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        // It holds the pipe's other end: without this the output would never end.
        drop(command);
        // Bytes, not `lines()`: a test may print what is no UTF-8.
        for bytes in BufReader::new(reader).split(b'\n') {
            let bytes = bytes.with_context(|| format!("cannot read from `{shown}`"))?;
            line(String::from_utf8_lossy(&bytes).trim_end_matches('\r'));
        }
        child.wait().with_context(|| format!("cannot wait for `{shown}`"))
    }

    /// Starts a program that stays alive and talks over its standard streams.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub(crate) fn spawn(mut self) -> Result<Child> {
        let line = self.announce();
        self.command
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{line}`"))
    }

    fn announce(&self) -> String {
        let line = self.to_string();
        eprintln!("$ {line}");
        line
    }
}

/// The command as one would type it in the root of the repository.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = root();
        let within = self.dir.strip_prefix(&root).unwrap_or(&self.dir);
        let elsewhere = !within.as_os_str().is_empty();
        if elsewhere {
            write!(f, "(cd {} && ", within.display())?;
        }
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(self.command.get_program()))?;
        for argument in self.command.get_args() {
            write!(f, " {}", quoted(argument))?;
        }
        f.write_str(if elsewhere { ")" } else { "" })
    }
}

/// As a shell wants it: bare where that is safe, else in single quotes.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// # Errors
///
/// When the program failed: the error names the command to repeat.
pub(crate) fn succeeded(status: ExitStatus, line: &str) -> Result<()> {
    if !status.success() {
        bail!("failed ({status}); to repeat it: {line}");
    }
    Ok(())
}

/// Prints a line that a program wrote, at once.
pub(crate) fn echo(line: &str) {
    let mut out = io::stdout().lock();
    // Who closed our standard output does not want the line.
    let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Runs `work` and says how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Where the program `name` lies, if on the `PATH`; a name with a `/` stands for itself.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let shown = |run: Run| run.to_string();
        assert_eq!(shown(Run::cargo("fmt --check")), "cargo fmt --check");
        assert_eq!(shown(Run::npm("test")), "(cd bindings/node && npm test)");
        assert_eq!(
            shown(Run::new("node").arg("a b").arg("it's").arg("").env("X", "1")),
            r"X=1 node 'a b' 'it'\''s' ''"
        );
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = Run::new("false").run().unwrap_err().to_string();
        assert!(error.ends_with("to repeat it: false"), "{error}");
        let error = Run::new("no-such-program").run().unwrap_err().to_string();
        assert_eq!(error, "cannot start `no-such-program`");
    }

    #[test]
    fn lines_are_watched_whatever_their_bytes() {
        let mut seen = Vec::new();
        let status = Run::new("printf")
            .arg(r"one\r\ntwo \377\n\nlast")
            .watch(|line| seen.push(line.to_owned()))
            .unwrap();
        assert!(status.success());
        assert_eq!(seen, ["one", "two \u{fffd}", "", "last"]);
    }

    #[test]
    fn errors_are_watched_on_demand() {
        let mut seen = Vec::new();
        let run = Run::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]);
        let status = run.with_errors().watch(|line| seen.push(line.to_owned()));
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(seen, ["out", "err"]);
    }
}
