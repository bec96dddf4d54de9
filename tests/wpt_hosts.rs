//! The hosts of web-platform-tests: what the engine takes for a host is what a browser connects to.
//!
//! Reads `wpt/urltestdata.json` and `wpt/toascii.json` under `HOSTBOUND_VECTORS` (default `../shared/vectors`). Two rules. A text that
//! the engine reads as a host, as a client may send it that does not normalize, is the same host to a browser. What a browser sends as
//! Host, the URL's serialized host (URL Standard, host serializing), is read, and is its own normal form. The engine may refuse more
//! than a browser does, never less; [`REFUSED`] and [`REFUSED_AS_WRITTEN`] list what.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hostbound::{Guard, Header, Headers, Inspection, Peer, Policy, PolicyErrors, Reason, Request, Scheme, Version};
use serde_json::{Value, json};

/// How many cases the two files hold for us.
const CASES: usize = 545;

const CHARACTERS: &str = "a character other than letters, digits, `-`, `_` and `.`";
const EMPTY_LABEL: &str = "an empty label";
const LONG_LABEL: &str = "a label of more than 63 bytes: no DNS name";
const LONG_NAME: &str = "more than 253 bytes: no DNS name";

/// What a browser sends and the engine refuses, and why.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    (".", EMPTY_LABEL),
    ("..", EMPTY_LABEL),
    ("foo.09..", EMPTY_LABEL),
    ("x..xn--zca", EMPTY_LABEL),
    ("f:0", "port 0: TCP has none"),
    ("!\"$&'()*+,-.;=_`{}~", CHARACTERS),
    ("xn--ls8h=", CHARACTERS),
    ("x01234567890123456789012345678901234567890123456789012345678901x", LONG_LABEL),
    ("x01234567890123456789012345678901234567890123456789012345678901x.xn--zca", LONG_LABEL),
    ("xn--x01234567890123456789012345678901234567890123456789012345678901-6963b", LONG_LABEL),
    ("01234567890123456789012345678901234567890123456789.01234567890123456789012345678901234567890123456789.\
      01234567890123456789012345678901234567890123456789.01234567890123456789012345678901234567890123456789.\
      0123456789012345678901234567890123456789012345678.x", LONG_NAME),
    ("01234567890123456789012345678901234567890123456789.01234567890123456789012345678901234567890123456789.\
      01234567890123456789012345678901234567890123456789.01234567890123456789012345678901234567890123456789.\
      0123456789012345678901234567890123456789012345678.xn--zca", LONG_NAME),
];

/// A kind of text, how to tell it, how many there are.
type Kind = (&'static str, fn(&str) -> bool, usize);

/// What a browser normalizes before it sends it and the engine refuses as written. The first kind that fits counts.
const REFUSED_AS_WRITTEN: &[Kind] = &[
    ("user information", |raw| raw.contains('@'), 29),
    ("beyond ASCII: to be mapped by IDNA", |raw| !raw.is_ascii(), 51),
    ("percent-encoded", |raw| raw.contains('%'), 4),
    (
        "tab, line feed or backslash",
        |raw| raw.contains(['\t', '\n', '\r', '\\']),
        6,
    ),
    ("a port with leading zeros, or an empty one", |raw| raw.contains(':'), 3),
    (
        "an IPv4 address otherwise than as four decimal numbers",
        |raw| raw.starts_with(|char: char| char.is_ascii_digit()),
        12,
    ),
];

#[test]
fn hosts_of_web_platform_tests() {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = std::env::var_os("HOSTBOUND_VECTORS").map_or_else(default, PathBuf::from);
    let folder = folder.join("wpt");
    if !folder.is_dir() {
        println!("skipped: no vectors (wpt, {CASES} cases not run)");
        return;
    }
    let mut cases = urls(&rows(&folder.join("urltestdata.json")));
    cases.extend(domains(&rows(&folder.join("toascii.json"))));
    assert_eq!(cases.len(), CASES, "cases in {}", folder.display());

    let mut as_sent = Tally::default();
    for case in &cases {
        if let Some(browser) = &case.browser {
            match case.read(browser) {
                Reading::Host(host) if host == *browser => as_sent.agree += 1,
                Reading::Refused => _ = as_sent.refused.insert(browser.as_str()),
                other => as_sent.wrong.push(format!("`{browser}` is read as {other:?}")),
            }
        }
    }
    let mut as_written = Tally::default();
    let mut both_refuse = 0_usize;
    for case in &cases {
        let Some(raw) = &case.raw else { continue };
        match (case.read(raw), &case.browser) {
            (Reading::Host(host), Some(browser)) if host == *browser => as_written.agree += 1,
            (Reading::Refused, None) => both_refuse += 1,
            (Reading::Refused, Some(browser)) if browser == raw => assert!(as_sent.refused.contains(raw.as_str())),
            (Reading::Refused, Some(_)) => _ = as_written.refused.insert(raw.as_str()),
            (other, browser) => as_written.wrong.push(format!(
                "`{}` is read as {other:?}, by a browser as {browser:?}",
                raw.escape_debug()
            )),
        }
    }
    println!(
        "wpt: {CASES} cases; as sent: {} agree, {} listed differences; as written: {} agree, {both_refuse} refused by both, {} listed differences",
        as_sent.agree,
        as_sent.refused.len(),
        as_written.agree,
        as_written.refused.len(),
    );
    let wrong = [as_sent.wrong, as_written.wrong].concat();
    assert!(wrong.is_empty(), "not what a browser reads:\n{}", wrong.join("\n"));

    let listed: BTreeSet<_> = REFUSED.iter().map(|(host, _)| *host).collect();
    assert_eq!(
        as_sent.refused, listed,
        "refused, though a browser sends it (left), and listed (right)"
    );
    let mut kinds: BTreeMap<_, _> = REFUSED_AS_WRITTEN.iter().map(|(kind, _, _)| (*kind, 0_usize)).collect();
    for raw in as_written.refused {
        let kind = REFUSED_AS_WRITTEN.iter().find(|(_, is_of_it, _)| is_of_it(raw));
        let (kind, _, _) = kind.unwrap_or_else(|| panic!("`{}` is refused for no listed reason", raw.escape_debug()));
        *kinds.get_mut(kind).unwrap() += 1;
    }
    let listed = REFUSED_AS_WRITTEN
        .iter()
        .map(|(kind, _, count)| (*kind, *count))
        .collect();
    assert_eq!(kinds, listed, "refused as written (left), and listed (right)");
}

/// What came of one rule.
#[derive(Default)]
struct Tally<'a> {
    agree: usize,
    refused: BTreeSet<&'a str>,
    wrong: Vec<String>,
}

/// One host: as a client may send it that does not normalize, and as a browser sends it.
struct Case {
    scheme: Scheme,
    raw: Option<String>,
    /// With a port that is not the scheme's default; none if a browser refuses the text.
    browser: Option<String>,
    guard: Guard,
}

/// How the engine reads a Host value under a policy that lists the browser's host alone.
#[derive(Debug)]
enum Reading {
    Refused,
    SomethingElse,
    Host(String),
}

impl Case {
    fn new(scheme: Scheme, raw: Option<&str>, browser: Option<&str>, name: Option<&str>) -> Self {
        // A host that no policy can list must not be read at all: then any policy will do.
        let listed = name.and_then(|name| policy(name).ok());
        let policy = listed.unwrap_or_else(|| policy("listed.example").unwrap());
        Self {
            scheme,
            raw: raw.map(str::to_owned),
            browser: browser.map(str::to_owned),
            guard: Guard::new(policy),
        }
    }

    /// How the engine reads a Host value.
    fn read(&self, host: &str) -> Reading {
        let headers = [Header {
            name: b"host",
            value: host.as_bytes(),
        }];
        let request = Request {
            method: b"GET",
            scheme: self.scheme,
            version: Version::Http11,
            target: b"/",
            headers: Headers::new(&headers),
            peer: Peer::Unknown,
        };
        let Inspection::Decided(verdict) = self.guard.inspect(&request, None) else {
            unreachable!()
        };
        match verdict.denied() {
            None => Reading::Host(verdict.identity().unwrap().host().unwrap().to_string()),
            Some(failure) if failure.reason() == Reason::HostNotAllowed => Reading::SomethingElse,
            Some(_) => Reading::Refused,
        }
    }
}

fn policy(name: &str) -> Result<Policy, PolicyErrors> {
    Policy::from_json(&json!({"version": 1, "hosts": {"allow": [name]}}).to_string(), "wpt")
}

fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str::<Vec<Value>>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases of `urltestdata.json` whose input has an authority under one of the four schemes, or whose result is under one.
fn urls(rows: &[Value]) -> Vec<Case> {
    let mut cases = Vec::new();
    for row in rows.iter().filter(|row| row.is_object()) {
        let input = row["input"].as_str().unwrap();
        let before = input.split("://").next().unwrap().to_ascii_lowercase();
        let written = input.contains("://").then(|| scheme(&before)).flatten();
        let result = row["protocol"]
            .as_str()
            .and_then(|protocol| scheme(protocol.trim_end_matches(':')));
        let Some(scheme) = result.or(written) else { continue };
        let raw = written.map(|_| {
            let rest = input.split_once("://").unwrap().1;
            rest.split(['/', '?', '#']).next().unwrap()
        });
        let text = |key: &str| result.and_then(|_| row[key].as_str());
        cases.push(Case::new(scheme, raw, text("host"), text("hostname")));
    }
    cases
}

fn scheme(text: &str) -> Option<Scheme> {
    match text {
        "http" | "ws" => Some(Scheme::Http),
        "https" | "wss" => Some(Scheme::Https),
        _ => None,
    }
}

/// The cases of `toascii.json`.
fn domains(rows: &[Value]) -> Vec<Case> {
    let rows = rows.iter().filter(|row| row.is_object());
    rows.map(|row| {
        let output = row["output"].as_str();
        Case::new(Scheme::Http, row["input"].as_str(), output, output)
    })
    .collect()
}
