//! The fetcher against servers that mean it no good. All of it stays on loopback.

mod certificates;
mod honest;
mod hostile;
mod refused;
pub(crate) mod server;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use hostbound::{EgressReason, Guard, Policy};
use rcgen::{CertificateParams, date_time_ymd};
use tempfile::TempDir;

use super::{Answer, FetchError, Fetcher, Limits, Method, Outgoing};
use server::{Ca, Issued, Server, Stream, dribble, flood, whole};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAME: &str = "auth.test";
const HONEST: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// What a server that never ends is given, for tests that wait for it.
const SHORT: Duration = Duration::from_millis(400);

/// A policy for one destination, its files, and the fetcher that goes by it.
struct Setup {
    fetcher: Fetcher,
    url: String,
    _folder: TempDir,
}

impl Setup {
    /// `auth.test` is `addresses`, may be on loopback, and `ca` answers for it.
    fn new(ca: &Ca, port: u16) -> Self {
        Self::with(ca, port, "addresses = [\"127.0.0.0/8\"]")
    }

    fn with(ca: &Ca, port: u16, rules: &str) -> Self {
        let origin = format!("https://{NAME}:{port}");
        let files = [("ca.pem", ca.pem())];
        Self::of(&origin, "", &format!("ca = {{ file = \"ca.pem\" }}\n{rules}"), &files)
    }

    /// A destination with rules of its own, beside what else the section and the policy say.
    fn of(origin: &str, policy: &str, rules: &str, files: &[(&str, String)]) -> Self {
        let text = format!(
            "version = 1\n{policy}\n[hosts]\nallow = [\"localhost\"]\n[egress]\n[[egress.destinations]]\norigin = \"{origin}\"\n{rules}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let guard = Guard::new(Policy::from_toml(&text, "policy.toml").unwrap());
        let fetcher = Fetcher::new(guard, folder.path());
        let url = format!("{origin}/keys?a=%2F");
        Self {
            fetcher,
            url,
            _folder: folder,
        }
        .resolving(&[LOOPBACK])
    }

    fn resolving(mut self, addresses: &[IpAddr]) -> Self {
        let addresses = addresses.to_vec();
        self.fetcher.look_up = Arc::new(move |_| Ok(addresses.clone()));
        self
    }

    fn within(mut self, time: Duration) -> Self {
        self.fetcher.limits.time = time;
        self
    }

    fn get(&self) -> Result<Answer, FetchError> {
        self.get_from(&self.url)
    }

    fn get_from(&self, url: &str) -> Result<Answer, FetchError> {
        self.fetcher.fetch(&Outgoing {
            url,
            method: Method::Get,
            headers: &[],
            body: None,
        })
    }
}

/// A fetcher for which every name is this machine.
pub(crate) fn at_home(mut fetcher: Fetcher) -> Fetcher {
    fetcher.look_up = Arc::new(move |_| Ok(vec![LOOPBACK]));
    fetcher
}

/// A server of this name, and what fetches from it.
fn serving(answer: impl Fn(&mut Stream, Vec<u8>) -> io::Result<()> + Send + 'static) -> (Server, Setup) {
    let ca = Ca::new("root");
    let server = Server::start(&ca.issue(&[NAME]), answer);
    let setup = Setup::new(&ca, server.port());
    (server, setup)
}

fn answering(answer: impl Into<Vec<u8>>) -> Result<Answer, FetchError> {
    let answer = answer.into();
    let (_server, setup) = serving(move |stream, _| whole(stream, &answer));
    setup.get()
}

fn reason(result: Result<Answer, FetchError>) -> EgressReason {
    match result {
        Err(FetchError::Refused(verdict)) => verdict.reason.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn tls_failure(result: Result<Answer, FetchError>) -> &'static str {
    match result {
        Err(FetchError::Tls(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_limits_are_five_seconds_and_64_kib() {
    let (time, body) = (Duration::from_secs(5), 65_536);
    assert_eq!(Limits::default(), Limits { time, body });
}
