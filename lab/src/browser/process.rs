//! The browser as a process: a group of its own, an environment that points into the profile, and a death that takes
//! all of the group along.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::{BrowserError, Trouble};

const POLL: Duration = Duration::from_millis(20);
const DEATH: Duration = Duration::from_secs(5);
const TAIL_BYTES: usize = 16384;
const LAST_LINES: usize = 8;

/// Where a browser may write.
pub(super) struct Folders {
    home: PathBuf,
    temporary: PathBuf,
    /// The profile proper.
    pub(super) data: PathBuf,
}

impl Folders {
    pub(super) fn create(profile: &Path) -> io::Result<Self> {
        // Chromium starts in the folder of its wrapper, not in ours.
        let profile = std::path::absolute(profile)?;
        let folders = Self {
            home: profile.join("home"),
            temporary: profile.join("tmp"),
            data: profile.join("data"),
        };
        for folder in [&folders.home, &folders.temporary, &folders.data] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(folders)
    }
}

/// What is told of the process when something fails.
#[derive(Clone)]
pub(super) struct Witness {
    executable: PathBuf,
    tail: Arc<Mutex<Vec<u8>>>,
}

impl Witness {
    pub(super) fn new(executable: &Path) -> Self {
        Self {
            executable: executable.to_owned(),
            tail: Arc::default(),
        }
    }

    pub(super) fn error(&self, trouble: Trouble) -> BrowserError {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&tail);
        let mut last_lines: Vec<_> = text
            .lines()
            .rev()
            .filter(|line| !is_noise(line))
            .take(LAST_LINES)
            .collect();
        last_lines.reverse();
        BrowserError {
            executable: self.executable.clone(),
            trouble,
            last_lines: last_lines.into_iter().map(str::to_owned).collect(),
        }
    }

    async fn listen(self, mut stderr: ChildStderr) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&buffer[..length]);
            let surplus = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..surplus);
        }
    }
}

/// Chromium complains at length of a D-Bus that it does not need.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.contains(":ERROR:dbus/")
}

/// Whether a process of the group still runs. Zombies do not: where this process is the first of its PID namespace,
/// nobody takes them away.
fn is_alive(group: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return test_kill_process_group(group).is_ok();
    };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state, parent, group (proc_pid_stat(5)).
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group) && state != Some("Z")
    })
}

/// A running browser. Dropped, it is killed with all its helpers.
pub(super) struct Process {
    child: Child,
    group: Pid,
}

impl Process {
    /// `display`: variables that lead to a display. Without them there is none.
    pub(super) fn start(
        witness: &Witness,
        folders: &Folders,
        arguments: &[String],
        display: &[(String, String)],
    ) -> Result<Self, Trouble> {
        let home = &folders.home;
        let mut child = Command::new(&witness.executable)
            .args(arguments)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_STATE_HOME", home.join(".local/state"))
            .env("XDG_RUNTIME_DIR", &folders.temporary)
            .env("TMPDIR", &folders.temporary)
            .env("MOZ_CRASHREPORTER_DISABLE", "1")
            // Without this a release build takes no other address of Remote Settings than Mozilla's.
            .env("MOZ_REMOTE_SETTINGS_DEVTOOLS", "1")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .envs(display.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Trouble::Start(error.to_string()))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let (Some(group), Some(stderr)) = (group, child.stderr.take()) else {
            return Err(Trouble::Start("it ended at once".to_owned()));
        };
        tokio::spawn(witness.clone().listen(stderr));
        Ok(Self { child, group })
    }

    pub(super) fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Waits until the browser has written `file` and `read` makes something of it.
    pub(super) async fn announced<T>(
        &mut self,
        file: &Path,
        within: Duration,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Trouble> {
        let end = Instant::now() + within;
        loop {
            // A file that is half written reads as nothing yet.
            if let Some(found) = fs::read_to_string(file).ok().and_then(|text| read(&text)) {
                return Ok(found);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Trouble::Start(format!("it ended with {status}")));
            }
            if Instant::now() > end {
                let what = format!("the port in `{}`", file.display());
                return Err(Trouble::Late { what, after: within });
            }
            sleep(POLL).await;
        }
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) {
        // An error of waiting leaves nothing to wait for.
        let _ = self.child.wait().await;
    }

    /// Kills the group and waits until nobody of it is left, so that the profile can be removed.
    pub(super) async fn end(mut self) {
        self.kill();
        let gone = async {
            // An error of waiting leaves nothing to wait for.
            let _ = self.child.wait().await;
            while is_alive(self.group) {
                sleep(POLL).await;
            }
        };
        let _ = timeout(DEATH, gone).await;
    }

    fn kill(&self) {
        // Nobody left to kill is what is wanted.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
