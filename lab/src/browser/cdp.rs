//! Chromium, by the DevTools protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use super::console::Consoles;
use super::error::Trouble;
use super::process::{Folders, Process, Witness};
use super::session::{Event, Session, text};
use super::{Launch, NAVIGATION, STARTUP, WINDOW, WindowLaunch};
use crate::case::LocalNetworkAccess;
use crate::plan::Window;

/// Features that speak to servers of their own, or that load a page of http as https first. One list: Chromium heeds
/// only the last flag of a kind.
const FEATURES_OFF: &str = "AutofillServerCommunication,HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,MediaRouter,\
                            NetworkTimeServiceQuerying,OptimizationHints,Translate";
const LOCAL_NETWORK_ACCESS: &str =
    "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,LocalNetworkAccessChecksWebTransport";

/// How it is driven: without a window.
const HEADLESS: [&str; 2] = ["--headless=new", "--disable-gpu"];

const FLAGS: [&str; 23] = [
    "--disable-quic",
    // Tabs that run side by side are not to slow each other down.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // Nothing is fetched, sent or asked but what the page asks for.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    // Two services ask all the same: at a port that Chromium itself refuses to connect to.
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--gaia-url=http://127.0.0.1:9",
    // A proxied connection has the proxy's address space.
    "--no-proxy-server",
    "--mute-audio",
    "--password-store=basic",
];

fn arguments(launch: &Launch, folders: &Folders) -> Vec<String> {
    let mut arguments = common_arguments(folders);
    arguments.extend(HEADLESS.map(str::to_owned));
    arguments.push("--remote-debugging-port=0".to_owned());
    arguments.push(match launch.local_network_access {
        LocalNetworkAccess::Off => format!("--disable-features={FEATURES_OFF},{LOCAL_NETWORK_ACCESS}"),
        LocalNetworkAccess::Default | LocalNetworkAccess::Navigations => format!("--disable-features={FEATURES_OFF}"),
    });
    if launch.local_network_access == LocalNetworkAccess::Navigations {
        arguments.push("--enable-features=LocalNetworkAccessForNavigations".to_owned());
    }
    if let Some(range) = &launch.taken_for_public {
        arguments.push(format!("--ip-address-space-overrides={range}=public"));
    }
    arguments.push("about:blank".to_owned());
    arguments
}

/// For a person, who is shown windows without clicking for each.
pub(super) fn window_arguments(launch: &WindowLaunch<'_>, folders: &Folders) -> Result<Vec<String>, Trouble> {
    // Else a text field has it fetch a dictionary.
    let preferences = json!({
        "browser": { "enable_spellchecking": false },
        "spellcheck": { "dictionaries": [] },
        "download": {
            "default_directory": launch.downloads,
            "prompt_for_download": matches!(launch.window, Window::Shown(_)),
        },
    });
    let folder = folders.data.join("Default");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("Preferences"), preferences.to_string()))
        .map_err(|error| Trouble::Start(error.to_string()))?;
    let mut arguments = common_arguments(folders);
    if matches!(launch.window, Window::Headless) {
        arguments.extend(HEADLESS.map(str::to_owned));
    }
    if let Some(port) = launch.remote_debugging {
        arguments.push(format!("--remote-debugging-port={port}"));
    }
    arguments.push("--disable-popup-blocking".to_owned());
    arguments.push(format!("--disable-features={FEATURES_OFF}"));
    arguments.push(launch.url.to_owned());
    Ok(arguments)
}

fn common_arguments(folders: &Folders) -> Vec<String> {
    let mut arguments: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    arguments.push(format!("--user-data-dir={}", folders.data.display()));
    arguments.push(format!("--window-size={},{}", WINDOW.0, WINDOW.1));
    if rustix::process::geteuid().is_root() {
        // Chromium refuses to run as root with its sandbox.
        arguments.push("--no-sandbox".to_owned());
    }
    arguments
}

pub(super) async fn launch(
    launch: &Launch,
    witness: &Witness,
    folders: &Folders,
    consoles: &Arc<Consoles>,
) -> Result<(Process, Session, String), Trouble> {
    let mut process = Process::start(witness, folders, &arguments(launch, folders), &[])?;
    let port_file = folders.data.join("DevToolsActivePort");
    let read = |text: &str| {
        let (port, path) = text.split_once('\n')?;
        let port: u16 = port.parse().ok()?;
        path.starts_with("/devtools/")
            .then(|| format!("ws://127.0.0.1:{port}{}", path.trim_end()))
    };
    let url = process.announced(&port_file, STARTUP, read).await?;
    let consoles = Arc::clone(consoles);
    let session = Session::connect(&url, move |session, event| note(&consoles, session, &event)).await?;
    let version = session.ask(None, "Browser.getVersion", json!({})).await?;
    let product = text(&version, "product")?;
    let version = product.split_once('/').map_or(product.as_str(), |(_, version)| version);
    let params = json!({ "discover": true });
    session.ask(None, "Target.setDiscoverTargets", params).await?;
    Ok((process, session, version.to_owned()))
}

fn auto_attach() -> Value {
    json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true })
}

/// Every page, popup, frame and worker that is attached to is asked what it writes to the console.
fn note(consoles: &Consoles, session: &Session, event: &Event) {
    let params = &event.params;
    match (event.method.as_str(), event.session.as_deref()) {
        ("Target.targetCreated", None) => {
            let info = &params["targetInfo"];
            // Attached to by hand: where the browser attaches by itself, `window.open` hangs (Chromium 156).
            if info["type"] == "page" && info["openerId"].is_string() {
                let params = json!({ "targetId": info["targetId"], "flatten": true });
                session.tell(None, "Target.attachToTarget", params);
            }
        }
        ("Target.attachedToTarget", _) => {
            let info = &params["targetInfo"];
            if let (Some(part), Some(context)) = (params["sessionId"].as_str(), info["browserContextId"].as_str()) {
                consoles.assign(part, context);
                // What of these a worker does not know, it refuses, and nobody listens.
                for command in ["Runtime.enable", "Log.enable"] {
                    session.tell(Some(part), command, json!({}));
                }
                // Bodies are not asked for: none need be kept.
                let no_bodies = json!({ "maxTotalBufferSize": 0, "maxResourceBufferSize": 0 });
                session.tell(Some(part), "Network.enable", no_bodies);
                session.tell(Some(part), "Target.setAutoAttach", auto_attach());
            }
        }
        ("Target.detachedFromTarget", _) => {
            if let Some(part) = params["sessionId"].as_str() {
                consoles.forget(part);
            }
        }
        ("Runtime.consoleAPICalled", Some(part)) => {
            let words = params["args"].as_array().into_iter().flatten().map(word);
            consoles.note(part, &words.collect::<Vec<_>>().join(" "));
        }
        ("Runtime.exceptionThrown", Some(part)) => {
            let details = &params["exceptionDetails"];
            let description = details["exception"]["description"].as_str();
            consoles.note(part, description.or(details["text"].as_str()).unwrap_or_default());
        }
        ("Log.entryAdded", Some(part)) => consoles.note(part, params["entry"]["text"].as_str().unwrap_or_default()),
        ("Network.loadingFailed", Some(part)) if params["canceled"] != true => consoles.note(part, &failure(params)),
        _ => {}
    }
}

/// An argument of `console.log`.
fn word(argument: &Value) -> String {
    match &argument["value"] {
        Value::Null => {}
        Value::String(text) => return text.clone(),
        value => return value.to_string(),
    }
    let description = argument["description"].as_str().or(argument["type"].as_str());
    description.unwrap_or_default().to_owned()
}

/// Without the URL, so that the same failure of many names is one text.
fn failure(params: &Value) -> String {
    let kind = params["type"].as_str().unwrap_or("Request");
    let causes = [
        &params["errorText"],
        &params["blockedReason"],
        &params["corsErrorStatus"]["corsError"],
    ];
    let causes: Vec<_> = causes
        .into_iter()
        .filter_map(Value::as_str)
        .filter(|cause| !cause.is_empty())
        .collect();
    format!("{kind} failed: {}", causes.join(", "))
}

/// A click: what happens, and with which button.
const MOUSE_EVENTS: [(&str, &str); 3] = [
    ("mouseMoved", "none"),
    ("mousePressed", "left"),
    ("mouseReleased", "left"),
];

/// A page in a browser context of its own.
pub(super) struct Page {
    target: String,
    session_id: String,
}

pub(super) async fn create_context(session: &Session) -> Result<String, Trouble> {
    let params = json!({ "disposeOnDetach": true });
    text(
        &session.ask(None, "Target.createBrowserContext", params).await?,
        "browserContextId",
    )
}

pub(super) async fn create_page(session: &Session, context: &str) -> Result<Page, Trouble> {
    let params = json!({
        "url": "about:blank",
        "browserContextId": context,
        "newWindow": true,
        "width": WINDOW.0,
        "height": WINDOW.1,
    });
    let target = text(&session.ask(None, "Target.createTarget", params).await?, "targetId")?;
    let params = json!({ "targetId": target, "flatten": true });
    let session_id = text(&session.ask(None, "Target.attachToTarget", params).await?, "sessionId")?;
    Ok(Page { target, session_id })
}

/// The command and its parameters that close a context with all its pages.
pub(super) fn dispose(context: &str) -> (&'static str, Value) {
    ("Target.disposeBrowserContext", json!({ "browserContextId": context }))
}

impl Page {
    pub(super) async fn navigate(&self, session: &Session, url: &str) -> Result<(), Trouble> {
        let answer = session
            .ask_within(
                NAVIGATION,
                Some(&self.session_id),
                "Page.navigate",
                json!({ "url": url }),
            )
            .await;
        match answer {
            // The server took the connection and is silent: the page may come yet.
            Err(Trouble::Late { .. }) => Ok(()),
            Err(Trouble::Refused { error, .. }) => Err(unreachable(url, &error)),
            Err(trouble) => Err(trouble),
            Ok(answer) => answer["errorText"]
                .as_str()
                .map_or(Ok(()), |error| Err(unreachable(url, error))),
        }
    }

    pub(super) async fn click(&self, session: &Session) -> Result<(), Trouble> {
        self.bring_to_front(session).await?;
        let metrics = self.ask(session, "Page.getLayoutMetrics", json!({})).await?;
        let viewport = &metrics["cssLayoutViewport"];
        let middle = |size: &str| viewport[size].as_f64().unwrap_or_default() / 2.0;
        let (x, y) = (middle("clientWidth"), middle("clientHeight"));
        for (kind, button) in MOUSE_EVENTS {
            let params = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.ask(session, "Input.dispatchMouseEvent", params).await?;
        }
        Ok(())
    }

    /// The PNG in base64.
    pub(super) async fn screenshot(&self, session: &Session) -> Result<String, Trouble> {
        self.bring_to_front(session).await?;
        let params = json!({ "format": "png" });
        text(&self.ask(session, "Page.captureScreenshot", params).await?, "data")
    }

    /// A popup hides the page it came from, and a hidden page gets no clicks and paints nothing.
    async fn bring_to_front(&self, session: &Session) -> Result<(), Trouble> {
        session
            .ask(None, "Target.activateTarget", json!({ "targetId": self.target }))
            .await?;
        Ok(())
    }

    async fn ask(&self, session: &Session, command: &str, params: Value) -> Result<Value, Trouble> {
        session.ask(Some(&self.session_id), command, params).await
    }
}

fn unreachable(url: &str, error: &str) -> Trouble {
    Trouble::Unreachable {
        url: url.to_owned(),
        error: error.to_owned(),
    }
}
