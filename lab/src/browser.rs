//! A real browser, driven by its own remote protocol: started, led to a page, clicked, watched, and ended. What a page
//! is good for is the caller's business.

mod bidi;
mod cdp;
mod console;
mod error;
mod process;
mod session;
mod window;

use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::case::{BrowserKind, LocalNetworkAccess};
use crate::{plan, program};
use console::Consoles;
pub use error::{BrowserError, Trouble};
use process::{Folders, Process, Witness};
use session::Session;
pub(crate) use window::{Window, version};

/// How long a browser may take to open its port. On a loaded machine a first start takes its time.
const STARTUP: Duration = Duration::from_secs(60);
/// How long a page may take to be committed before `open` lets it be.
const NAVIGATION: Duration = Duration::from_secs(10);
/// Width and height of a window.
const WINDOW: (u32, u32) = (1000, 700);

/// How a browser is started.
#[derive(Clone, Debug)]
pub struct Launch {
    pub kind: BrowserKind,
    pub executable: PathBuf,
    /// An empty folder, for all that the browser writes; `HOME` and `TMPDIR` lead into it too. Its path must be shorter
    /// than 60 bytes: Chromium keeps a socket in it.
    pub profile: PathBuf,
    pub local_network_access: LocalNetworkAccess,
    /// Addresses that count as public: a range, as `192.168.77.0/24` (Chromium only), or an endpoint, as
    /// `127.0.0.1:8000`.
    pub taken_for_public: Option<String>,
}

/// How a browser is shown to a person.
pub(crate) struct WindowLaunch<'a> {
    pub(crate) kind: BrowserKind,
    pub(crate) executable: PathBuf,
    /// As in [`Launch`].
    pub(crate) profile: PathBuf,
    pub(crate) url: &'a str,
    pub(crate) window: &'a plan::Window,
    /// Where files go that are saved; in a window it asks first.
    pub(crate) downloads: &'a Path,
    /// Where its remote protocol listens, on 127.0.0.1.
    pub(crate) remote_debugging: Option<u16>,
}

/// The first browser of this kind on `PATH`.
#[must_use]
pub fn find(kind: BrowserKind) -> Option<PathBuf> {
    let names: &[&str] = match kind {
        BrowserKind::Chromium => &[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
            "microsoft-edge",
        ],
        BrowserKind::Firefox => &["firefox-esr", "firefox"],
    };
    program::find(names)
}

/// A running browser. Dropped, it is killed with all its processes.
pub struct Browser {
    kind: BrowserKind,
    version: String,
    session: Session,
    consoles: Arc<Consoles>,
    witness: Witness,
    process: Process,
}

impl Browser {
    /// Starts a browser, without a window to be seen, and connects to it.
    ///
    /// # Errors
    /// The profile cannot be written, or the browser does not come up within a minute.
    pub async fn launch(launch: &Launch) -> Result<Self, BrowserError> {
        let witness = Witness::new(&launch.executable);
        let consoles = Arc::new(Consoles::default());
        let start = async {
            let folders = Folders::create(&launch.profile)
                .map_err(|error| Trouble::Start(format!("the profile `{}`: {error}", launch.profile.display())))?;
            match launch.kind {
                BrowserKind::Chromium => cdp::launch(launch, &witness, &folders, &consoles).await,
                BrowserKind::Firefox => bidi::launch(launch, &witness, &folders, &consoles).await,
            }
        };
        let (process, session, version) = start.await.map_err(|trouble| witness.error(trouble))?;
        Ok(Self {
            kind: launch.kind,
            version,
            session,
            consoles,
            witness,
            process,
        })
    }

    /// Which browser.
    #[must_use]
    pub const fn kind(&self) -> BrowserKind {
        self.kind
    }

    /// As the browser says of itself, as `156.0.8078.108`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The process, which leads a group of its own.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process.id()
    }

    /// Opens a page in a window and a browser context of its own: no other tab's cookies, permissions or cached
    /// addresses. Returns when the page has begun to come, or after ten seconds without an answer.
    ///
    /// # Errors
    /// [`Trouble::Unreachable`] when the page cannot be loaded.
    pub async fn open(&self, url: &str) -> Result<Tab, BrowserError> {
        let open = async {
            let id = match self.kind {
                BrowserKind::Chromium => cdp::create_context(&self.session).await?,
                BrowserKind::Firefox => bidi::create_context(&self.session).await?,
            };
            self.consoles.open(&id);
            // From here on the context is closed when something fails, or when nobody waits any more.
            let context = Context {
                kind: self.kind,
                id,
                state: State::Open,
                session: self.session.clone(),
                consoles: Arc::clone(&self.consoles),
            };
            let page = match self.kind {
                BrowserKind::Chromium => Page::Chromium(cdp::create_page(&self.session, &context.id).await?),
                BrowserKind::Firefox => Page::Firefox(bidi::create_page(&self.session, &context.id).await?),
            };
            match &page {
                Page::Chromium(page) => page.navigate(&self.session, url).await?,
                Page::Firefox(page) => page.navigate(&self.session, url).await?,
            }
            Ok((page, context))
        };
        let (page, context) = open.await.map_err(|trouble| self.witness.error(trouble))?;
        Ok(Tab {
            page,
            context,
            witness: self.witness.clone(),
        })
    }

    /// Ends the browser and waits until nothing of it is left to write to the profile.
    pub async fn close(self) {
        self.process.end().await;
    }
}

impl Debug for Browser {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Browser");
        out.field("kind", &self.kind)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

enum Page {
    Chromium(cdp::Page),
    Firefox(bidi::Page),
}

/// A page in a browser context of its own. Dropped, it is closed with its popups, a little later.
pub struct Tab {
    page: Page,
    context: Context,
    witness: Witness,
}

impl Tab {
    /// Clicks in the middle of the page, as a user does: the page may then open a window.
    ///
    /// # Errors
    /// The browser refuses, is late or is gone.
    pub async fn click(&self) -> Result<(), BrowserError> {
        let session = &self.context.session;
        let click = match &self.page {
            Page::Chromium(page) => page.click(session).await,
            Page::Firefox(page) => page.click(session).await,
        };
        click.map_err(|trouble| self.witness.error(trouble))
    }

    /// What was written to the console of the page, its workers and its popups, by them and by the browser: the last
    /// 200 texts, each once, cut after 1000 characters.
    // Async, so that a browser may be asked: what is driven today sends its texts by itself.
    pub async fn console(&self) -> Vec<String> {
        self.context.consoles.texts(&self.context.id)
    }

    /// What is seen of the page, as PNG.
    ///
    /// # Errors
    /// The browser refuses, is late or is gone.
    pub async fn screenshot(&self) -> Result<Vec<u8>, BrowserError> {
        let session = &self.context.session;
        let screenshot = match &self.page {
            Page::Chromium(page) => page.screenshot(session).await,
            Page::Firefox(page) => page.screenshot(session).await,
        };
        let decoded = screenshot.and_then(|text| {
            STANDARD.decode(text).map_err(|error| Trouble::Refused {
                command: "screenshot".to_owned(),
                error: error.to_string(),
            })
        });
        decoded.map_err(|trouble| self.witness.error(trouble))
    }

    /// Closes the page, its popups and their browser context, and waits for it.
    pub async fn close(mut self) {
        self.context.close().await;
    }
}

impl Debug for Tab {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tab")
            .field("context", &self.context.id)
            .finish_non_exhaustive()
    }
}

#[derive(Eq, PartialEq)]
enum State {
    Open,
    Closed,
}

/// A browser context, which is closed with all its pages.
struct Context {
    kind: BrowserKind,
    id: String,
    state: State,
    session: Session,
    consoles: Arc<Consoles>,
}

impl Context {
    async fn close(&mut self) {
        let (command, params) = self.dispose();
        // A browser that refuses or is gone has no such context any more.
        let _ = self.session.ask(None, command, params).await;
        self.state = State::Closed;
    }

    fn dispose(&self) -> (&'static str, serde_json::Value) {
        match self.kind {
            BrowserKind::Chromium => cdp::dispose(&self.id),
            BrowserKind::Firefox => bidi::dispose(&self.id),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.consoles.close(&self.id);
        if self.state == State::Open {
            let (command, params) = self.dispose();
            self.session.tell(None, command, params);
        }
    }
}
