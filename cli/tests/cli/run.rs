//! Running the command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run came to.
#[derive(Debug, Eq, PartialEq)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command, untouched by the environment of whoever runs the tests.
pub fn hostbound() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostbound"));
    for variable in ["HOSTBOUND_ALLOWED_HOSTS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it to its end, in a directory and with a standard input.
pub fn run_in(directory: &Path, arguments: &[&str], stdin: &[u8]) -> Ran {
    run_command(hostbound().current_dir(directory).args(arguments), stdin)
}

pub fn run_command(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_owned();
    let writer = std::thread::spawn(move || {
        // It may end without reading all of it.
        let _ = pipe.write_all(&stdin);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with these files, deleted at the end.
pub fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// A policy for `localhost` and peers on loopback.
pub const LOCAL: &str =
    "version = 1\n[hosts]\nallow = [\"localhost\", \"127.0.0.1\"]\n[peers]\nallow = [\"127.0.0.0/8\"]\n";

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A request for a host, in JSON.
pub fn request(id: &str, host: &str) -> String {
    format!(r#"{{"id":"{id}","method":"GET","target":"/","headers":[["host","{host}"]],"peer":"127.0.0.1"}}"#)
}
