//! `hostbound compile`: a policy as JSON that every face reads, the lines of its source kept.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::policy::{Additions, DEFAULT_FILE, PolicyFile, reason};

/// Turn a policy into JSON for faces that read no TOML
///
/// The digest stays the same, and messages still name the lines of the source. Nothing is written if the policy is refused.
#[derive(Args, Debug)]
pub(crate) struct Compile {
    /// The policy, in TOML or JSON
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,

    /// Where to write; an older file is replaced in one step [default: standard output]
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,

    #[command(flatten)]
    additions: Additions,
}

impl Compile {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let file = PolicyFile::read(&self.file)?;
        let document = file.document(&self.additions)?;
        file.compile(&document)?;
        let json = document.to_compiled_json();
        match &self.out {
            None => io::stdout().write_all(json.as_bytes()).map_err(Failure::Output)?,
            Some(out) => replace(out, json.as_bytes()).map_err(|error| {
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => "there is no such directory".to_owned(),
                    _ => reason(&error),
                };
                Failure::Usage(format!("{} cannot be written: {reason}", out.display()))
            })?,
        }
        Ok(Exit::Clean)
    }
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, also after a crash.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays a link; what is no file (such as /dev/stdout) is written to.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return fs::OpenOptions::new().write(true).open(&path)?.write_all(bytes);
    }
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hostbound-");
    let permissions = old.map(|old| old.permissions()).or_else(usual_permissions);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// Those of a file that is simply created: the process's mask takes away from them.
#[cfg(unix)]
fn usual_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;

    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
const fn usual_permissions() -> Option<Permissions> {
    None
}
