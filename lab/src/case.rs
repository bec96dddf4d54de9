//! What is tried: one case is one strategy, one method, one target, in a browser whose Local Network Access is on or off.

use serde::{Deserialize, Serialize};

use crate::strategy::Strategy;

/// What the page does to reach the rebound name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    Fetch,
    /// `fetch` that says beforehand that the answer comes from loopback (Chromium's `targetAddressSpace`).
    FetchLoopback,
    Iframe,
    /// `fetch` in a dedicated worker.
    Worker,
    Websocket,
    /// A window opened by a click, navigated again and again: Local Network Access does not gate it by default.
    Popup,
}

impl Method {
    pub const ALL: [Self; 6] = [
        Self::Fetch,
        Self::FetchLoopback,
        Self::Iframe,
        Self::Worker,
        Self::Websocket,
        Self::Popup,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::FetchLoopback => "fetch-loopback",
            Self::Iframe => "iframe",
            Self::Worker => "worker",
            Self::Websocket => "websocket",
            Self::Popup => "popup",
        }
    }
}

/// What the browser's Local Network Access is set to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalNetworkAccess {
    /// As the browser comes.
    Default,
    Off,
    /// On, and for top-level navigations too (Chromium's `LocalNetworkAccessForNavigations`).
    Navigations,
}

impl LocalNetworkAccess {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Off => "off",
            Self::Navigations => "navigations",
        }
    }
}

/// The address space from which the attacker's page is served.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackerSpace {
    /// 192.88.99.0/24 (reserved, RFC 7526): public to browsers.
    Public,
    /// 192.168.77.0/24.
    Local,
    /// 127.66.0.0/16.
    Loopback,
}

impl AttackerSpace {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Local => "local",
            Self::Loopback => "loopback",
        }
    }
}

/// Which browser.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrowserKind {
    Chromium,
    Firefox,
}

impl BrowserKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}

/// What the guard in front of the canary is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardKind {
    /// The npm package.
    Node,
    /// The filter in Envoy.
    Envoy,
}

impl GuardKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Envoy => "envoy",
        }
    }

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Envoy => "Envoy",
        }
    }
}

/// One attempt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub strategy: Strategy,
    pub method: Method,
    pub local_network_access: LocalNetworkAccess,
    pub attacker: AttackerSpace,
    /// The name of a target of the run.
    pub target: String,
    /// A range of addresses that the browser is told to take for public, as `192.168.77.0/24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_for_public: Option<String>,
}
