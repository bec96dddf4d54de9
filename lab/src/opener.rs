//! Where an attacker's page is opened: in a tab of a browser that the lab drives, or in a frame of the self-test page.

use tokio::sync::mpsc;

use crate::browser::{Browser, BrowserError, Tab};
use crate::case::BrowserKind;

/// What opens an attacker's page.
pub(crate) enum Opener<'a> {
    Browser(&'a Browser),
    Page(Frames<'a>),
}

/// The self-test page, for one case of its run.
pub(crate) struct Frames<'a> {
    pub(crate) kind: BrowserKind,
    /// The case.
    pub(crate) number: usize,
    pub(crate) orders: &'a mpsc::UnboundedSender<Order>,
}

/// What the self-test page is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Open { number: usize, url: String },
    Close { number: usize },
}

/// An attacker's page that is open. Dropped, it is closed.
pub(crate) enum Opened {
    Tab(Tab),
    Frame { _open: Frame },
}

/// A frame of the self-test page.
pub(crate) struct Frame {
    number: usize,
    orders: mpsc::UnboundedSender<Order>,
}

impl Drop for Frame {
    fn drop(&mut self) {
        let number = self.number;
        // If nobody listens, the page is gone.
        self.orders.send(Order::Close { number }).ok();
    }
}

impl Opener<'_> {
    pub(crate) const fn kind(&self) -> BrowserKind {
        match self {
            Self::Browser(browser) => browser.kind(),
            Self::Page(frames) => frames.kind,
        }
    }

    /// Whether a page needs a click to open a window.
    pub(crate) const fn blocks_popups(&self) -> bool {
        matches!(self, Self::Browser(_))
    }

    pub(crate) async fn open(&self, url: &str) -> Result<Opened, BrowserError> {
        match self {
            Self::Browser(browser) => browser.open(url).await.map(Opened::Tab),
            Self::Page(Frames { number, orders, .. }) => {
                let (number, url) = (*number, url.to_owned());
                // If nobody listens, the run is over.
                orders.send(Order::Open { number, url }).ok();
                let orders = (*orders).clone();
                let _open = Frame { number, orders };
                Ok(Opened::Frame { _open })
            }
        }
    }
}

impl Opened {
    /// Clicks in the middle of the page, where that is needed.
    pub(crate) async fn click(&self) -> Result<(), BrowserError> {
        match self {
            Self::Tab(tab) => tab.click().await,
            Self::Frame { .. } => Ok(()),
        }
    }

    /// What was written to its console, as far as it is known.
    pub(crate) async fn console(&self) -> Vec<String> {
        match self {
            Self::Tab(tab) => tab.console().await,
            Self::Frame { .. } => Vec::new(),
        }
    }

    pub(crate) async fn close(self) {
        if let Self::Tab(tab) = self {
            tab.close().await;
        }
    }
}
