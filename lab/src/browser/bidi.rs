//! Firefox, by WebDriver BiDi (<https://w3c.github.io/webdriver-bidi/>).

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::console::Consoles;
use super::error::Trouble;
use super::process::{Folders, Process, Witness};
use super::session::{Event, Session, text};
use super::{Launch, NAVIGATION, STARTUP, WINDOW, WindowLaunch};
use crate::case::LocalNetworkAccess;
use crate::plan::Window;

/// As JavaScript writes the values.
const PREFERENCES: &[(&str, &str)] = &[
    // Firefox would turn off its popup blocker, and more, for whoever drives it.
    ("remote.prefs.recommended", "false"),
    // Browser contexts are containers, each with permissions of its own.
    ("privacy.userContext.enabled", "true"),
    ("permissions.isolateBy.userContext", "true"),
    // A click in a window that is not the active one counts, and so does one soon after the page has come.
    ("focusmanager.testmode", "true"),
    ("dom.input_events.security.minNumTicks", "0"),
    ("dom.input_events.security.minTimeElapsedInMS", "0"),
    // Tabs that run side by side are not to slow each other down.
    ("dom.ipc.processPriorityManager.enabled", "false"),
    ("dom.min_background_timeout_value", "4"),
    ("dom.min_background_timeout_value_without_budget_throttling", "4"),
    ("dom.timeout.enable_budget_timer_throttling", "false"),
    ("threads.lower_mainthread_priority_in_background.enabled", "false"),
    ("browser.tabs.unloadOnLowMemory", "false"),
    // Names and connections: by the system's resolver, and without a proxy, as written.
    ("network.trr.mode", "5"),
    ("network.proxy.type", "0"),
    ("network.manage-offline-status", "false"),
    ("dom.security.https_first", "false"),
    ("dom.security.https_first_schemeless", "false"),
    ("dom.security.https_only_mode", "false"),
    // Nothing is fetched, sent or asked but what the page asks for.
    ("app.normandy.enabled", "false"),
    ("app.normandy.api_url", "\"\""),
    ("app.shield.optoutstudies.enabled", "false"),
    ("app.update.auto", "false"),
    ("browser.backup.enabled", "false"),
    ("browser.discovery.enabled", "false"),
    ("browser.ml.enable", "false"),
    ("browser.newtabpage.activity-stream.feeds.system.topstories", "false"),
    ("browser.newtabpage.activity-stream.showSponsoredTopSites", "false"),
    ("browser.newtabpage.enabled", "false"),
    ("browser.pagethumbnails.capturing_disabled", "true"),
    ("browser.region.network.url", "\"\""),
    ("browser.region.update.enabled", "false"),
    ("browser.safebrowsing.blockedURIs.enabled", "false"),
    ("browser.safebrowsing.downloads.enabled", "false"),
    ("browser.safebrowsing.downloads.remote.enabled", "false"),
    ("browser.safebrowsing.malware.enabled", "false"),
    ("browser.safebrowsing.phishing.enabled", "false"),
    ("browser.safebrowsing.provider.google4.updateURL", "\"\""),
    ("browser.safebrowsing.provider.google5.updateURL", "\"\""),
    ("browser.safebrowsing.provider.mozilla.updateURL", "\"\""),
    ("browser.search.update", "false"),
    ("browser.topsites.contile.enabled", "false"),
    ("browser.translations.enable", "false"),
    ("browser.urlbar.merino.endpointURL", "\"\""),
    ("browser.urlbar.merino.ohttpConfigURL", "\"\""),
    ("browser.urlbar.merino.ohttpRelayURL", "\"\""),
    ("datareporting.healthreport.uploadEnabled", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("datareporting.usage.uploadEnabled", "false"),
    ("dom.push.connection.enabled", "false"),
    ("dom.push.serverURL", "\"\""),
    ("extensions.blocklist.enabled", "false"),
    ("extensions.getAddons.cache.enabled", "false"),
    ("extensions.systemAddon.update.enabled", "false"),
    ("extensions.systemAddon.update.url", "\"\""),
    ("extensions.update.enabled", "false"),
    ("geo.provider.network.url", "\"\""),
    ("identity.fxaccounts.enabled", "false"),
    ("media.gmp-manager.updateEnabled", "false"),
    ("media.gmp-manager.url", "\"\""),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("nimbus.rollouts.enabled", "false"),
    ("places.semanticHistory.featureGate", "false"),
    ("security.remote_settings.crlite_filters.enabled", "false"),
    ("security.remote_settings.intermediates.enabled", "false"),
    ("services.settings.server", "\"data:,#remote-settings-dummy/v1\""),
    ("signon.management.page.breach-alerts.enabled", "false"),
    ("toolkit.telemetry.enabled", "false"),
    ("toolkit.telemetry.server", "\"\""),
    ("toolkit.telemetry.unified", "false"),
    // Nothing greets, asks or restores.
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.sessionstore.resume_from_crash", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("browser.startup.page", "0"),
    ("datareporting.policy.dataSubmissionPolicyBypassNotification", "true"),
    ("startup.homepage_welcome_url", "\"about:blank\""),
    ("termsofuse.bypassNotification", "true"),
    ("toolkit.startup.max_resumed_crashes", "-1"),
];

type Preferences = Vec<(&'static str, String)>;

fn common_preferences() -> Preferences {
    PREFERENCES
        .iter()
        .map(|&(name, value)| (name, value.to_owned()))
        .collect()
}

/// A script of preferences, for a profile.
fn write(preferences: Preferences, folders: &Folders) -> Result<(), Trouble> {
    let mut script = String::new();
    for (name, value) in preferences {
        // Writing to a string does not fail.
        let _ = writeln!(script, "user_pref(\"{name}\", {value});");
    }
    fs::write(folders.data.join("user.js"), script).map_err(|error| Trouble::Start(error.to_string()))
}

fn preferences(launch: &Launch) -> Result<Preferences, Trouble> {
    let mut preferences = common_preferences();
    match launch.local_network_access {
        LocalNetworkAccess::Default => {}
        LocalNetworkAccess::Off => {
            for name in [
                "network.lna.enabled",
                "network.lna.blocking",
                "network.lna.websocket.enabled",
            ] {
                preferences.push((name, "false".to_owned()));
            }
        }
        LocalNetworkAccess::Navigations => {
            for name in [
                "network.lna.enabled",
                "network.lna.blocking",
                "network.lna.websocket.enabled",
            ] {
                preferences.push((name, "true".to_owned()));
            }
            preferences.push(("network.lna.allow_top_level_navigation", "false".to_owned()));
        }
    }
    if let Some(range) = &launch.taken_for_public {
        if range.contains('/') {
            // Firefox would pass over it in silence.
            return Err(Trouble::Unsupported(format!(
                "`{range}` cannot be taken for public: this browser knows single endpoints alone, as `127.0.0.1:8000`"
            )));
        }
        let value = Value::from(range.as_str()).to_string();
        preferences.push(("network.lna.address_space.public.override", value));
    }
    Ok(preferences)
}

fn arguments(folders: &Folders) -> Vec<String> {
    let mut arguments = common_arguments(folders);
    arguments.extend(["--headless", "--remote-debugging-port=0", "about:blank"].map(str::to_owned));
    arguments
}

/// For a person, who is shown windows without clicking for each.
pub(super) fn window_arguments(launch: &WindowLaunch<'_>, folders: &Folders) -> Result<Vec<String>, Trouble> {
    let mut preferences = common_preferences();
    preferences.push(("dom.disable_open_during_load", "false".to_owned()));
    let asks = matches!(launch.window, Window::Shown(_));
    preferences.push(("browser.download.useDownloadDir", (!asks).to_string()));
    preferences.push(("browser.download.folderList", "2".to_owned()));
    let folder = Value::from(launch.downloads.to_string_lossy());
    preferences.push(("browser.download.dir", folder.to_string()));
    write(preferences, folders)?;
    let mut arguments = common_arguments(folders);
    if matches!(launch.window, Window::Headless) {
        arguments.push("--headless".to_owned());
    }
    if let Some(port) = launch.remote_debugging {
        arguments.push(format!("--remote-debugging-port={port}"));
    }
    arguments.push(launch.url.to_owned());
    Ok(arguments)
}

fn common_arguments(folders: &Folders) -> Vec<String> {
    vec![
        "--no-remote".to_owned(),
        "--profile".to_owned(),
        folders.data.display().to_string(),
        format!("--width={}", WINDOW.0),
        format!("--height={}", WINDOW.1),
    ]
}

pub(super) async fn launch(
    launch: &Launch,
    witness: &Witness,
    folders: &Folders,
    consoles: &Arc<Consoles>,
) -> Result<(Process, Session, String), Trouble> {
    #[derive(Deserialize)]
    struct Server {
        ws_host: String,
        ws_port: u16,
    }

    write(preferences(launch)?, folders)?;
    let mut process = Process::start(witness, folders, &arguments(folders), &[])?;
    let port_file = folders.data.join("WebDriverBiDiServer.json");
    let read = |text: &str| serde_json::from_str::<Server>(text).ok();
    let Server { ws_host, ws_port } = process.announced(&port_file, STARTUP, read).await?;
    let url = format!("ws://{ws_host}:{ws_port}/session");
    let consoles = Arc::clone(consoles);
    let session = Session::connect(&url, move |_, event| note(&consoles, &event)).await?;
    let answer = session
        .ask_within(STARTUP, None, "session.new", json!({ "capabilities": {} }))
        .await?;
    let version = text(&answer["capabilities"], "browserVersion")?;
    let events = [
        "browsingContext.contextCreated",
        "browsingContext.contextDestroyed",
        "log.entryAdded",
        "network.fetchError",
    ];
    session
        .ask(None, "session.subscribe", json!({ "events": events }))
        .await?;
    Ok((process, session, version))
}

fn note(consoles: &Consoles, event: &Event) {
    let params = &event.params;
    match event.method.as_str() {
        "browsingContext.contextCreated" => {
            if let (Some(part), Some(context)) = (params["context"].as_str(), params["userContext"].as_str()) {
                consoles.assign(part, context);
            }
        }
        "browsingContext.contextDestroyed" => {
            if let Some(part) = params["context"].as_str() {
                consoles.forget(part);
            }
        }
        "log.entryAdded" => {
            if let (Some(part), Some(text)) = (params["source"]["context"].as_str(), params["text"].as_str()) {
                consoles.note(part, text);
            }
        }
        "network.fetchError" => {
            if let (Some(part), Some(error)) = (params["context"].as_str(), params["errorText"].as_str()) {
                // Without the URL, so that the same failure of many names is one text.
                let kind = params["request"]["destination"]
                    .as_str()
                    .filter(|kind| !kind.is_empty());
                consoles.note(part, &format!("{} failed: {error}", kind.unwrap_or("request")));
            }
        }
        _ => {}
    }
}

/// A page in a user context of its own.
pub(super) struct Page {
    /// Its navigable, which the protocol calls browsing context.
    navigable: String,
}

pub(super) async fn create_context(session: &Session) -> Result<String, Trouble> {
    text(
        &session.ask(None, "browser.createUserContext", json!({})).await?,
        "userContext",
    )
}

pub(super) async fn create_page(session: &Session, context: &str) -> Result<Page, Trouble> {
    // A window, not a tab: of the tabs of a window only one is seen, and the others are slowed down.
    let params = json!({ "type": "window", "userContext": context });
    let navigable = text(&session.ask(None, "browsingContext.create", params).await?, "context")?;
    Ok(Page { navigable })
}

/// The command and its parameters that close a context with all its pages.
pub(super) fn dispose(context: &str) -> (&'static str, Value) {
    ("browser.removeUserContext", json!({ "userContext": context }))
}

impl Page {
    pub(super) async fn navigate(&self, session: &Session, url: &str) -> Result<(), Trouble> {
        // Firefox answers when the page is committed, not before.
        let params = json!({ "context": self.navigable, "url": url, "wait": "none" });
        match session
            .ask_within(NAVIGATION, None, "browsingContext.navigate", params)
            .await
        {
            // The server took the connection and is silent: the page may come yet.
            Ok(_) | Err(Trouble::Late { .. }) => Ok(()),
            Err(Trouble::Refused { error, .. }) => Err(Trouble::Unreachable {
                url: url.to_owned(),
                error,
            }),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn click(&self, session: &Session) -> Result<(), Trouble> {
        self.bring_to_front(session).await?;
        let params = json!({
            "expression": "`${innerWidth} ${innerHeight}`",
            // Out of reach of the page's own scripts.
            "target": { "context": self.navigable, "sandbox": "hostbound" },
            "awaitPromise": false,
        });
        let answer = session.ask(None, "script.evaluate", params).await?;
        let size = text(&answer["result"], "value")?;
        let mut sides = size.split(' ').map(|side| side.parse::<u32>().unwrap_or_default() / 2);
        let (x, y) = (sides.next(), sides.next());
        let params = json!({
            "context": self.navigable,
            "actions": [{
                "type": "pointer",
                "id": "mouse",
                "actions": [
                    { "type": "pointerMove", "x": x, "y": y },
                    { "type": "pointerDown", "button": 0 },
                    { "type": "pointerUp", "button": 0 },
                ],
            }],
        });
        session.ask(None, "input.performActions", params).await?;
        Ok(())
    }

    /// The PNG in base64.
    pub(super) async fn screenshot(&self, session: &Session) -> Result<String, Trouble> {
        let params = json!({ "context": self.navigable });
        text(
            &session.ask(None, "browsingContext.captureScreenshot", params).await?,
            "data",
        )
    }

    /// A popup may hide the page it came from.
    async fn bring_to_front(&self, session: &Session) -> Result<(), Trouble> {
        session
            .ask(None, "browsingContext.activate", json!({ "context": self.navigable }))
            .await?;
        Ok(())
    }
}
