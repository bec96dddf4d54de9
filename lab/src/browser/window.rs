//! A browser that a person uses: in a window, with a profile of its own, and driven by nobody but who asks for its port.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::error::{BrowserError, Trouble};
use super::process::{Folders, Process, Witness};
use super::{WindowLaunch, bidi, cdp};
use crate::case::BrowserKind;
use crate::plan;

/// A browser with its window. Dropped, it is killed with all its processes.
pub(crate) struct Window {
    process: Process,
}

impl Window {
    /// Starts the browser with a page.
    ///
    /// # Errors
    ///
    /// When the profile cannot be written, or the browser does not start.
    pub(crate) async fn open(launch: &WindowLaunch<'_>) -> Result<Self, BrowserError> {
        let witness = Witness::new(&launch.executable);
        let start = || {
            let folders = Folders::create(&launch.profile)
                .map_err(|error| Trouble::Start(format!("the profile `{}`: {error}", launch.profile.display())))?;
            let arguments = match launch.kind {
                BrowserKind::Chromium => cdp::window_arguments(launch, &folders)?,
                BrowserKind::Firefox => bidi::window_arguments(launch, &folders)?,
            };
            let display = match launch.window {
                plan::Window::Shown(display) => display.as_slice(),
                plan::Window::Headless => &[],
            };
            Process::start(&witness, &folders, &arguments, display)
        };
        start()
            .map(|process| Self { process })
            .map_err(|trouble| witness.error(trouble))
    }

    /// Waits until the browser has ended, as it does when its last window is closed.
    pub(crate) async fn closed(&mut self) {
        self.process.ended().await;
    }

    /// Ends it and waits until nothing of it is left.
    pub(crate) async fn end(self) {
        self.process.end().await;
    }
}

/// The version that the program says it has, as `153.7.0`.
///
/// # Errors
///
/// When it does not start, or says none.
pub(crate) async fn version(executable: &Path) -> Result<String, String> {
    let said = Command::new(executable)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("`{}` does not start: {error}", executable.display()))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let found = said.split_whitespace().find(number);
    let version = found.map(|word| {
        word.trim_end_matches(|last: char| last.is_ascii_alphabetic())
            .to_owned()
    });
    version.ok_or_else(|| format!("`{}` does not say its version", executable.display()))
}
