//! The self-test page before a person: the lab's servers, the page's files, and a browser whose window it opens in.

mod files;
mod run;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hostbound::{Guard, Policy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::addresses::{PAGE, PAGE_NAME};
use crate::browser::{self, WindowLaunch};
use crate::handoff::Handoff;
use crate::namespace;
use crate::plan::{Event, PagePlan};
use crate::stage::Stage;
use crate::verdict::BrowserFacts;
use files::Files;

/// How long the browser may take to listen to whoever drives it. On a loaded machine a first start takes its time.
const STARTUP: Duration = Duration::from_secs(60);

/// All that requests of the page need.
struct SelfTest {
    files: Files,
    stage: Stage,
    plan: PagePlan,
    browser: BrowserFacts,
    /// What of the page's own server is asked: by itself only.
    guard: Guard,
    /// The policy whose verdicts are wanted, with its name.
    policy: Option<(String, Guard)>,
    /// One run at a time.
    running: Arc<Mutex<()>>,
}

/// Shows the page until its window is closed. At `remote_debugging`, a listener outside of the namespace, the browser can be driven.
pub(crate) async fn show(
    plan: PagePlan,
    handoff: Handoff,
    remote_debugging: Option<std::net::TcpListener>,
    tell: &impl Fn(&Event),
) -> io::Result<()> {
    let files = Files::read(&plan.www)?;
    let stage = Stage::set_up(&plan.surroundings, handoff).await?;
    stage.zone.fix(PAGE_NAME, PAGE.into()).map_err(io::Error::other)?;
    let browser = BrowserFacts {
        kind: plan.browser,
        version: browser::version(&plan.executable).await.map_err(io::Error::other)?,
    };
    let policy = match &plan.policy {
        Some(named) => Some((named.name.clone(), guard_of(&named.json.to_string(), &named.name)?)),
        None => None,
    };
    let listener = TcpListener::bind((PAGE, 80)).await?;
    let (window, downloads) = (plan.window.clone(), plan.downloads.clone());
    let (kind, executable) = (plan.browser, plan.executable.clone());
    let self_test = Arc::new(SelfTest {
        files,
        stage,
        plan,
        browser: browser.clone(),
        guard: own_guard()?,
        policy,
        running: Arc::default(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(server::serve(listener, self_test));
    let remote_debugging = match remote_debugging {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Some(TcpListener::from_std(listener)?)
        }
        None => None,
    };
    // The same port in here as out there: browsers look at what they are called by.
    let port = match &remote_debugging {
        Some(listener) => Some(listener.local_addr()?.port()),
        None => None,
    };
    let url = format!("http://{PAGE_NAME}/");
    let launch = WindowLaunch {
        kind,
        executable,
        profile: namespace::folder("profile")?,
        url: &url,
        window: &window,
        downloads: &downloads,
        remote_debugging: port,
    };
    let mut window = browser::Window::open(&launch).await.map_err(io::Error::other)?;
    if let Some(listener) = remote_debugging {
        let browser = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr()?.port()));
        tokio::select! {
            () = window.closed() => return Err(io::Error::other("the browser ended before it could be driven")),
            listens = listens(browser) => listens?,
        }
        tasks.spawn(bridge(listener, browser));
    }
    tell(&Event::Browser { browser });
    tell(&Event::Page { url });
    window.closed().await;
    window.end().await;
    Ok(())
}

/// Of the page's own server: the attackers' pages are in the same browser.
fn own_guard() -> io::Result<Guard> {
    let policy = serde_json::json!({ "version": 1, "name": "self-test", "hosts": { "allow": [PAGE_NAME] } });
    guard_of(&policy.to_string(), "self-test")
}

fn guard_of(json: &str, name: &str) -> io::Result<Guard> {
    Policy::from_json(json, name).map(Guard::new).map_err(io::Error::other)
}

async fn listens(address: SocketAddr) -> io::Result<()> {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(STARTUP, connects)
        .await
        .map_err(|_| io::Error::other("the browser does not listen to whoever would drive it"))
}

/// Joins connections of outside to the browser's port in here.
async fn bridge(listener: TcpListener, browser: SocketAddr) {
    let mut joined = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((mut outside, _)) = accepted else { continue };
                joined.spawn(async move {
                    if let Ok(mut inside) = TcpStream::connect(browser).await {
                        // A connection that breaks concerns its own two sides only.
                        tokio::io::copy_bidirectional(&mut outside, &mut inside).await.ok();
                    }
                });
            }
            Some(_) = joined.join_next() => {}
        }
    }
}
