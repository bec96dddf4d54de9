//! The driver against the real browsers of this machine, on loopback.
#![expect(clippy::unwrap_used, reason = "for tests, where a panic is the message")]

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostbound_lab::browser::{self, Browser, Launch, Trouble};
use hostbound_lab::case::{BrowserKind, LocalNetworkAccess};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);

type Pages = HashMap<&'static str, String>;

/// Serves pages by path, and remembers what was asked for.
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Site {
    async fn serve<const N: usize>(pages: [(&'static str, &str); N]) -> Self {
        let pages: Arc<Pages> = Arc::new(pages.map(|(path, page)| (path, page.to_owned())).into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let (asked, connections) = (Arc::clone(&site.asked), Arc::clone(&site.connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Relaxed);
                tokio::spawn(answer(stream, Arc::clone(&pages), Arc::clone(&asked)));
            }
        });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn times_asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|found| *found == path).count()
    }

    /// Waits until `path` was asked for so many times.
    async fn is_asked(&self, path: &str, times: usize) {
        let enough = until(async || self.times_asked(path) >= times).await;
        assert!(enough, "{path} was not asked for: {:?}", self.asked.lock().unwrap());
    }
}

async fn answer(mut stream: TcpStream, pages: Arc<Pages>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // A connection on speculation ends without a request.
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    asked.lock().unwrap().push(path.to_owned());
    if path == "/silent" {
        sleep(Duration::from_secs(60)).await;
    }
    let kind = if path.ends_with(".js") {
        "text/javascript"
    } else {
        "text/html"
    };
    let page = pages.get(path).map_or("", String::as_str);
    let length = page.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    );
    // The browser may have gone on to something else.
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Whether it comes true within the patience of this file.
async fn until(condition: impl AsyncFn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if condition().await {
            return true;
        }
        sleep(Duration::from_millis(20)).await;
    }
    false
}

struct Rig {
    // First: the browser dies before its profile goes.
    browser: Browser,
    profile: TempDir,
}

impl Rig {
    async fn start(kind: BrowserKind) -> Option<Self> {
        Self::start_with(kind, LocalNetworkAccess::Default, None).await
    }

    /// `None`: this machine has no such browser.
    async fn start_with(
        kind: BrowserKind,
        local_network_access: LocalNetworkAccess,
        taken_for_public: Option<String>,
    ) -> Option<Self> {
        let Some(executable) = browser::find(kind) else {
            let name = match kind {
                BrowserKind::Chromium => "chromium",
                BrowserKind::Firefox => "firefox-esr",
            };
            eprintln!("skipped: no {name}");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let launch = Launch {
            kind,
            executable,
            profile: profile.path().to_owned(),
            local_network_access,
            taken_for_public,
        };
        let begun = Instant::now();
        let browser = Browser::launch(&launch).await.unwrap_or_else(|error| panic!("{error}"));
        eprintln!("{} {} started in {:?}", kind.name(), browser.version(), begun.elapsed());
        Some(Self { browser, profile })
    }

    async fn end(self) {
        self.browser.close().await;
        self.profile.close().unwrap();
    }
}

async fn a_page_is_opened_clicked_and_seen(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    assert!(
        rig.browser.version().split('.').count() >= 2,
        "{}",
        rig.browser.version()
    );
    let page = "<script>
        console.log('hello', 7, 'from the page');
        new Worker('/worker.js');
        fetch(window.open('/unasked') ? '/was-opened' : '/was-blocked');
        fetch('/seen-' + document.visibilityState);
        onclick = event => {
            fetch(`/active-${navigator.userActivation.isActive}-${event.isTrusted}`);
            window.open('/popup');
        };
    </script>";
    let site = Site::serve([
        ("/", page),
        ("/worker.js", "console.log('hello from the worker'); fetch('/worked')"),
        (
            "/popup",
            "<script>console.log('hello from the popup'); fetch('/popped-up')</script>",
        ),
    ])
    .await;
    let begun = Instant::now();
    let tab = rig.browser.open(&site.url("/")).await.unwrap();
    eprintln!("{} opened a page in {:?}", kind.name(), begun.elapsed());
    site.is_asked("/was-blocked", 1).await;
    site.is_asked("/seen-visible", 1).await;
    site.is_asked("/worked", 1).await;
    assert_eq!(site.times_asked("/unasked"), 0);

    tab.click().await.unwrap();
    site.is_asked("/active-true-true", 1).await;
    site.is_asked("/popped-up", 1).await;
    // A second time, while the popup covers the page.
    tab.click().await.unwrap();
    site.is_asked("/popped-up", 2).await;

    let mut texts = vec!["hello 7 from the page", "hello from the popup"];
    if kind == BrowserKind::Chromium {
        texts.push("hello from the worker");
    }
    for text in texts {
        let written = until(async || tab.console().await.iter().any(|found| found == text)).await;
        assert!(written, "{text}: {:?}", tab.console().await);
    }
    assert!(tab.screenshot().await.unwrap().starts_with(b"\x89PNG\r\n"));
    tab.close().await;
    rig.end().await;
}

async fn tabs_run_side_by_side_and_apart(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    // A hidden page gets one tick a second: sixty ticks would take a minute.
    let page = "<script>
        fetch('/cookies-' + document.cookie.length);
        document.cookie = 'name=value';
        let ticks = 0;
        const begun = performance.now();
        const timer = setInterval(() => {
            if (++ticks < 60) return;
            clearInterval(timer);
            fetch(performance.now() - begun < 15000 ? '/ticked' : '/too-slow');
        }, 20);
        onclick = () => { fetch('/clicked'); window.open('/popup') };
    </script>";
    let site = Site::serve([("/", page), ("/popup", "")]).await;
    let url = site.url("/");
    let (one, two, three) = tokio::join!(rig.browser.open(&url), rig.browser.open(&url), rig.browser.open(&url));
    let tabs = [one.unwrap(), two.unwrap(), three.unwrap()];
    site.is_asked("/ticked", 3).await;
    assert_eq!(site.times_asked("/cookies-0"), 3);
    let (one, two, three) = tokio::join!(tabs[0].click(), tabs[1].click(), tabs[2].click());
    one.and(two).and(three).unwrap();
    site.is_asked("/clicked", 3).await;
    site.is_asked("/popup", 3).await;
    for tab in tabs {
        tab.close().await;
    }
    rig.end().await;
}

/// The opener is covered by its popup and must go on at its own pace: so does the attack by popup.
async fn a_covered_page_is_not_slowed_down(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    let page = "<script>
        onclick = () => {
            window.open('/popup');
            let ticks = 0;
            const begun = performance.now();
            setInterval(() => {
                if (++ticks === 60) fetch(performance.now() - begun < 15000 ? '/ticked' : '/too-slow');
            }, 20);
        };
    </script>";
    let site = Site::serve([("/", page), ("/popup", "")]).await;
    let tab = rig.browser.open(&site.url("/")).await.unwrap();
    tab.click().await.unwrap();
    site.is_asked("/popup", 1).await;
    site.is_asked("/ticked", 1).await;
    tab.close().await;
    rig.end().await;
}

async fn closing_a_tab_closes_its_popup(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    let site = Site::serve([
        ("/", "<script>onclick = () => window.open('/popup')</script>"),
        ("/popup", "<script>setInterval(() => fetch('/alive'), 50)</script>"),
    ])
    .await;
    // Closed in order, and let go.
    for close in [true, false] {
        let tab = rig.browser.open(&site.url("/")).await.unwrap();
        let before = site.times_asked("/alive");
        tab.click().await.unwrap();
        site.is_asked("/alive", before + 1).await;
        if close {
            tab.close().await;
        } else {
            drop(tab);
        }
        let quiet = until(async || {
            let before = site.times_asked("/alive");
            sleep(Duration::from_millis(500)).await;
            site.times_asked("/alive") == before
        });
        assert!(quiet.await);
    }
    rig.end().await;
}

async fn what_does_not_come_is_told(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = rig.browser.open(&url).await.unwrap_err();
    eprintln!("{error}");
    let Trouble::Unreachable { url: told, error: text } = &error.trouble else {
        panic!("{error}")
    };
    assert_eq!(*told, url);
    assert!(text.to_uppercase().contains("CONNECTION_REFUSED"), "{error}");

    // A server that says nothing is no error, and does not hold up the caller.
    let site = Site::serve([]).await;
    let begun = Instant::now();
    let tab = rig.browser.open(&site.url("/silent")).await.unwrap();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    tab.close().await;
    rig.end().await;
}

/// Whether some process names this folder in its command line.
fn named_by_a_process(folder: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(folder))
}

/// The members of a process group that are not merely waiting to be buried.
fn living_members(group: i32) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    let members = stats.filter(|stat| {
        // After the name in brackets: state, parent, group.
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields[0] != "Z" && fields[2] == group.to_string()
    });
    members.count()
}

async fn nothing_outlives_a_dropped_browser(kind: BrowserKind) {
    let Some(rig) = Rig::start(kind).await else { return };
    let site = Site::serve([("/", "")]).await;
    let tab = rig.browser.open(&site.url("/")).await.unwrap();
    let Rig { browser, profile } = rig;
    let folder = profile.path().to_str().unwrap().to_owned();
    let group = browser.process_id();
    assert!(living_members(group) > 1);
    assert!(named_by_a_process(&folder));
    drop(browser);
    assert!(until(async || living_members(group) == 0 && !named_by_a_process(&folder)).await);
    assert!(until(async || tab.click().await.is_err_and(|error| error.trouble == Trouble::Gone)).await);
}

/// A page that is taken for public asks a service on loopback.
async fn local_network_access_is_as_set(kind: BrowserKind) {
    for setting in [LocalNetworkAccess::Default, LocalNetworkAccess::Off] {
        let target = Site::serve([("/target", "")]).await;
        let page = format!(
            "<script>fetch('{}', {{mode: 'no-cors'}})</script>",
            target.url("/target")
        );
        let attacker = Site::serve([("/", page.as_str())]).await;
        let taken_for_public = Some(attacker.address.to_string());
        let Some(rig) = Rig::start_with(kind, setting, taken_for_public).await else {
            return;
        };
        let tab = rig.browser.open(&attacker.url("/")).await.unwrap();
        // The address space is looked at when the connection stands, before a byte is sent.
        assert!(until(async || target.connections.load(Relaxed) > 0).await);
        match (setting, kind) {
            (LocalNetworkAccess::Off, _) => target.is_asked("/target", 1).await,
            (_, BrowserKind::Chromium) => {
                let told = async || {
                    tab.console()
                        .await
                        .iter()
                        .any(|text| text.contains("`loopback` address space"))
                };
                assert!(until(told).await, "{:?}", tab.console().await);
            }
            // It asks the user, who is not there.
            (_, BrowserKind::Firefox) => {
                let end = Instant::now() + Duration::from_secs(1);
                until(async || Instant::now() > end || target.times_asked("/target") > 0).await;
            }
        }
        if setting == LocalNetworkAccess::Default {
            assert_eq!(target.times_asked("/target"), 0);
        }
        tab.close().await;
        rig.end().await;
    }
}

macro_rules! in_both_browsers {
    ($($test:ident),+ $(,)?) => {
        mod chromium {
            $(#[tokio::test] async fn $test() { super::$test(super::BrowserKind::Chromium).await; })+
        }
        mod firefox {
            $(#[tokio::test] async fn $test() { super::$test(super::BrowserKind::Firefox).await; })+
        }
    };
}

in_both_browsers!(
    a_covered_page_is_not_slowed_down,
    a_page_is_opened_clicked_and_seen,
    closing_a_tab_closes_its_popup,
    local_network_access_is_as_set,
    nothing_outlives_a_dropped_browser,
    tabs_run_side_by_side_and_apart,
    what_does_not_come_is_told,
);

/// Firefox would pass over it in silence.
#[tokio::test]
async fn a_range_is_not_taken_for_public_by_firefox() {
    let profile = tempfile::tempdir().unwrap();
    let launch = Launch {
        kind: BrowserKind::Firefox,
        executable: "/nowhere/firefox".into(),
        profile: profile.path().to_owned(),
        local_network_access: LocalNetworkAccess::Default,
        taken_for_public: Some("192.168.77.0/24".to_owned()),
    };
    let error = Browser::launch(&launch).await.unwrap_err();
    assert!(matches!(error.trouble, Trouble::Unsupported(_)), "{error}");
}

#[tokio::test]
async fn a_browser_that_does_not_come_up_is_told_with_its_last_words() {
    let profile = tempfile::tempdir().unwrap();
    let script = profile.path().join("browser");
    fs::write(&script, "#!/bin/sh\necho 'no display' >&2\nsleep 0.2\nexit 3\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let launch = Launch {
        kind: BrowserKind::Chromium,
        executable: script.clone(),
        profile: profile.path().join("profile"),
        local_network_access: LocalNetworkAccess::Default,
        taken_for_public: None,
    };
    let error = Browser::launch(&launch).await.unwrap_err().to_string();
    assert!(error.contains(script.to_str().unwrap()), "{error}");
    assert!(
        error.contains("exit status: 3") && error.ends_with("no display"),
        "{error}"
    );
}
