//! Writing a file in one step.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::path::Path;

use crate::exit::Failure;
use crate::policy::reason;

/// Who may read a file that was not there before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Readers {
    /// Whoever may read files that are simply created.
    Usual,
    /// Its owner: it holds secrets.
    Owner,
}

/// Writes a file in one step: whoever reads it sees the old text or the new one, also after a crash. An older file's permissions stay, and of one that
/// holds secrets the owner too: it is for a service that runs under another name.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), Failure> {
    replaced(path, bytes, readers).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such directory".to_owned(),
            _ => reason(&error),
        };
        Failure::Usage(format!("{} cannot be written: {reason}", path.display()))
    })
}

fn replaced(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
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
    let permissions = old
        .as_ref()
        .map(Metadata::permissions)
        .or_else(|| new_permissions(readers));
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(directory)?;
    if let (Readers::Owner, Some(old)) = (readers, &old) {
        give(file.as_file(), old)?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// Those of a new file; the process's mask takes away from them.
#[cfg(unix)]
fn new_permissions(readers: Readers) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;

    Some(Permissions::from_mode(match readers {
        Readers::Usual => 0o666,
        Readers::Owner => 0o600,
    }))
}

#[cfg(not(unix))]
const fn new_permissions(_: Readers) -> Option<Permissions> {
    None
}

/// Gives a file the owner and group of an older one.
#[cfg(unix)]
fn give(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))?;
    // Changing the owner takes bits away.
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn give(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}
