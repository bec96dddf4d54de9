//! The lab's own network, mount and PID namespaces: `unshare` makes them, and nothing in them outlives it.
//!
//! The first process in the PID namespace is the lab. It ends when the socket to whoever started it is closed, and it is
//! killed when `unshare` is; with it the kernel ends every process of the namespace, and with the last process go the
//! network, the mounts and the files, all of which lie in a memory file system that is mounted there alone.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use crate::addresses;
use crate::handoff;
use crate::plan::{Event, Work};

/// Everything that the lab writes lies below; a memory file system of its own.
pub(crate) const FOLDER: &str = "/dev/shm";

/// Why a run could not be carried out.
#[derive(Debug)]
pub enum LabError {
    /// The machine does not let us: what is missing, and what would help.
    Machine(String),
    /// It broke.
    Failed(String),
}

impl std::fmt::Display for LabError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Machine(message) | Self::Failed(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for LabError {}

impl From<io::Error> for LabError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Has work done in namespaces of its own. `arguments` make this program call [`crate::inside::run`]; at `remote_debugging`, a listener out here, the browser
/// can be driven.
///
/// # Errors
///
/// When the machine does not let us, or the work breaks.
pub fn run(
    work: &Work,
    remote_debugging: Option<&TcpListener>,
    arguments: &[&str],
    mut on_event: impl FnMut(Event),
) -> Result<(), LabError> {
    let unshare = unshare()?;
    let (socket, theirs) = UnixStream::pair()?;
    let mut child = Command::new(&unshare[0])
        .args(&unshare[1..])
        .arg(env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()?;
    handoff::hand_in(&socket, remote_debugging)?;
    let joining = socket.try_clone()?;
    let permitted = work.clone();
    let joiner = thread::spawn(move || handoff::join_all(&joining, |service| permitted.may_reach(service)));
    let mut line = serde_json::to_string(work).map_err(io::Error::other)?;
    line.push('\n');
    (&socket).write_all(line.as_bytes())?;
    let mut outcome = Err(LabError::Failed("the lab ended before its work was done".to_owned()));
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| LabError::Failed("no pipe to the lab".to_owned()))?;
    for line in BufReader::new(stdout).lines() {
        match serde_json::from_str(&line?).map_err(io::Error::other)? {
            Event::Failed { message } => outcome = Err(LabError::Failed(message)),
            Event::Done => outcome = Ok(()),
            event => on_event(event),
        }
    }
    // Whatever is still there ends with the socket.
    socket.shutdown(Shutdown::Both).ok();
    child.wait()?;
    joiner.join().ok();
    outcome
}

/// The command that makes the namespaces: as root, or as whoever may make user namespaces.
fn unshare() -> Result<Vec<String>, LabError> {
    const NAMESPACES: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut said = String::new();
    for user in [&[][..], &["--user", "--map-root-user"]] {
        if user.is_empty() && !rustix::process::geteuid().is_root() {
            continue;
        }
        let words: Vec<String> = ["unshare"]
            .iter()
            .chain(user)
            .chain(&NAMESPACES)
            .map(|word| (*word).to_owned())
            .collect();
        match Command::new(&words[0]).args(&words[1..]).arg("true").output() {
            Ok(tried) if tried.status.success() => return Ok(words),
            Ok(tried) => said = String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
            Err(error) => said = format!("`unshare` (of util-linux) does not start: {error}"),
        }
    }
    Err(LabError::Machine(format!(
        "the lab needs namespaces of its own, and this machine does not let us make them ({said}); run it as root, or allow \
         user namespaces: `sudo sysctl kernel.unprivileged_userns_clone=1` and, on Ubuntu, \
         `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    )))
}

/// Brings the addresses up and puts the lab's files in front of the machine's. Only ever called inside.
///
/// # Errors
///
/// When a command fails: with what it said.
pub(crate) fn set_up() -> io::Result<()> {
    run_command(
        "mount",
        &["-t", "tmpfs", "-o", "mode=1777", "hostbound-lab", FOLDER],
        None,
    )?;
    run_command("ip", &["-batch", "-"], Some(&addresses::batch()))?;
    let resolver = IpAddr::from([127, 0, 0, 1]);
    for (path, text) in [
        ("/etc/resolv.conf", format!("nameserver {resolver}\n")),
        // Other sources would ask services outside of the namespace, over their sockets.
        ("/etc/nsswitch.conf", "hosts: files dns\n".to_owned()),
        (
            "/etc/hosts",
            hosts(&fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()),
        ),
    ] {
        if Path::new(path).exists() {
            let ours = folder("etc")?.join(path.trim_start_matches("/etc/"));
            fs::write(&ours, text)?;
            run_command("mount", &["--bind", &ours.to_string_lossy(), path], None)?;
        }
    }
    // The name service's cache too is reached over a socket that no network namespace hides.
    if Path::new("/run/nscd").is_dir() {
        run_command("mount", &["-t", "tmpfs", "hostbound-lab", "/run/nscd"], None)?;
    }
    Ok(())
}

/// The machine's own name too: Firefox asks for it.
fn hosts(own_name: &str) -> String {
    format!("127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {}\n", own_name.trim())
}

/// A folder of the lab's own.
pub(crate) fn folder(name: &str) -> io::Result<PathBuf> {
    let path = Path::new(FOLDER).join(name);
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn run_command(program: &str, arguments: &[&str], input: Option<&str>) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::other(format!("`{program}` does not start: {error}")))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "`{program} {}` failed: {}",
        arguments.join(" "),
        said.trim()
    )))
}
