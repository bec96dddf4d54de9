//! Lists of hosts, peers, origins and methods: every entry parsed, none covered by an earlier one.

use super::Compiler;
use crate::address::NetworkError;
use crate::authority::{AuthorityError, split_scheme};
use crate::host::{HostPattern, HostPatternError, HostSet};
use crate::origin::{FETCH_SITES, Origin, OriginSet};
use crate::peer::{PeerPattern, PeerSet};
use crate::policy::diagnostic::ErrorCode;
use crate::policy::shape::shortened;
use crate::request::is_method;
use crate::tree::{Node, Path};

/// A list of hosts, as a set and one by one.
#[derive(Default)]
pub(super) struct HostList {
    pub(super) set: HostSet,
    pub(super) patterns: Vec<HostPattern>,
}

/// A list of peers, as a set and one by one.
#[derive(Default)]
pub(super) struct PeerList {
    pub(super) set: PeerSet,
    pub(super) patterns: Vec<PeerPattern>,
}

impl Compiler<'_, '_> {
    pub(super) fn host_list(&mut self, list: &Node, list_path: &Path<'_>, before: Option<&HostSet>) -> HostList {
        let mut hosts = HostList::default();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            let pattern = match HostPattern::parse(text) {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.host_error(&error, item, &path);
                    continue;
                }
            };
            let by = match before.and_then(|before| before.covering(&pattern)) {
                Some(index) => Some(format!("hosts.allow[{index}]")),
                None => hosts
                    .set
                    .insert(&pattern)
                    .err()
                    .map(|index| format!("entry {index} of this list")),
            };
            match by {
                Some(by) => self.covered(item, &path, &by),
                None => hosts.patterns.push(pattern),
            }
        }
        hosts
    }

    pub(super) fn host_error(&mut self, error: &HostPatternError, item: &Node, path: &Path<'_>) {
        let code = match error {
            HostPatternError::TooWide => ErrorCode::HostTooWide,
            HostPatternError::Network { .. } => ErrorCode::NetworkMalformed,
            _ => ErrorCode::HostMalformed,
        };
        let fix = match (error.fix(), error) {
            (Some(fix), _) => format!("write `{fix}`"),
            (None, HostPatternError::TooWide) => "list the names that the service answers as".into(),
            (None, HostPatternError::WildcardPlace) => {
                "write `*.name` for one more label or `**.name` for any number".into()
            }
            (None, HostPatternError::WildcardAddress) => "write a network such as `10.0.0.0/8`".into(),
            (
                None,
                HostPatternError::Malformed {
                    error: AuthorityError::Number,
                    ..
                },
            ) => "write all four numbers in decimal, as in `127.0.0.1`".into(),
            (
                None,
                HostPatternError::Malformed {
                    error: AuthorityError::Port,
                    ..
                },
            ) => "leave the port out for any port, or write one as in `localhost:8080`".into(),
            (None, _) => "write a host such as `api.example.com` or `[::1]:8443`".into(),
        };
        let message = format!("`{}` {error}", shortened(&item.offending()));
        self.report.error(code, path, item.span.clone(), message).fix(fix);
    }

    pub(super) fn peers(&mut self, list: &Node, list_path: &Path<'_>) -> PeerList {
        let mut peers = PeerList::default();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            let quoted = shortened(text);
            match PeerPattern::parse(text) {
                Ok(pattern) => match pattern.never_matches() {
                    Some(fix) => {
                        let message =
                            format!("`{quoted}` is IPv4-mapped, and peers are unmapped before they are compared");
                        self.report
                            .error(ErrorCode::EntryNeverMatches, &path, item.span.clone(), message)
                            .fix(format!("write `{fix}`"));
                    }
                    None => match peers.set.insert(pattern) {
                        Ok(()) => peers.patterns.push(pattern),
                        Err(earlier) => self.covered(item, &path, &format!("{list_path}[{earlier}]")),
                    },
                },
                Err(error) => {
                    let fix = match error {
                        NetworkError::HostBits { network } => format!("write `{network}`"),
                        _ => "write an address, a network such as `10.0.0.0/8`, or `unix`".into(),
                    };
                    self.report
                        .error(
                            ErrorCode::NetworkMalformed,
                            &path,
                            item.span.clone(),
                            format!("`{quoted}` {error}"),
                        )
                        .fix(fix);
                }
            }
        }
        peers
    }

    /// Every entry must be able to pass the peer check at least in part.
    pub(super) fn reachable(&mut self, list: &Node, peers: &PeerList, allowed: Option<&PeerList>, path: &Path<'_>) {
        let Some(allowed) = allowed else { return };
        if peers.patterns.len() != list.items().len() {
            return;
        }
        for (index, (pattern, item)) in peers.patterns.iter().zip(list.items()).enumerate() {
            if !allowed.patterns.iter().any(|other| other.overlaps(*pattern)) {
                let message = format!(
                    "`{}` is denied by peers.allow before this is read",
                    shortened(&item.offending())
                );
                self.report
                    .error(
                        ErrorCode::EntryNeverMatches,
                        &path.index(index),
                        item.span.clone(),
                        message,
                    )
                    .fix("add it to peers.allow, or remove it here".into());
            }
        }
    }

    pub(super) fn origin_list(&mut self, list: &Node, path: &Path<'_>) -> OriginSet {
        let mut origins = OriginSet::default();
        for (index, item) in list.items().iter().enumerate() {
            let text = item.as_str().unwrap_or_default();
            match origins.insert(text) {
                Ok(true) => {}
                Ok(false) => self.covered(item, &path.index(index), "an earlier entry of this list"),
                Err(_) => {
                    let message = format!("`{}` is no origin", shortened(text));
                    let fix = origin_fix(text).map_or_else(
                        || {
                            "write `self`, `null`, or scheme, host and port as in `https://app.example.com:8443`"
                                .to_owned()
                        },
                        |fix| format!("write `{fix}`"),
                    );
                    self.report
                        .error(
                            ErrorCode::OriginMalformed,
                            &path.index(index),
                            item.span.clone(),
                            message,
                        )
                        .fix(fix);
                }
            }
        }
        origins
    }

    pub(super) fn fetch_sites(&mut self, list: &Node, path: &Path<'_>) -> Vec<&'static str> {
        let mut sites = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let site = FETCH_SITES.into_iter().find(|site| item.as_str() == Some(site));
            if site.is_some_and(|site| sites.contains(&site)) {
                self.covered(item, &path.index(index), "an earlier entry of this list");
            }
            sites.extend(site);
        }
        sites
    }

    pub(super) fn methods(&mut self, list: &Node, path: &Path<'_>) -> Vec<Box<[u8]>> {
        let mut methods: Vec<Box<[u8]>> = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let method = item.as_str().unwrap_or_default();
            let quoted = shortened(method);
            let mut error = |code, message, fix: &str| {
                self.report
                    .error(code, &path.index(index), item.span.clone(), message)
                    .fix(fix.to_owned());
            };
            if !is_method(method.as_bytes()) {
                let fix = format!("write `{}`", method.to_ascii_uppercase());
                let fix = if is_method(method.to_ascii_uppercase().as_bytes()) {
                    &fix
                } else {
                    "write a method such as `POST`"
                };
                error(ErrorCode::MethodMalformed, format!("`{quoted}` is no method"), fix);
            } else if matches!(method, "TRACE" | "CONNECT") {
                error(
                    ErrorCode::EntryNeverMatches,
                    format!("`{quoted}` is refused in every request"),
                    "remove it; a WebSocket over HTTP/2 counts as GET",
                );
            } else if methods.iter().any(|earlier| &**earlier == method.as_bytes()) {
                self.covered(
                    item,
                    &path.index(index),
                    "an earlier entry of this list, GET including HEAD",
                );
            } else {
                methods.push(method.as_bytes().into());
                if method == "GET" && !methods.iter().any(|earlier| &**earlier == b"HEAD") {
                    methods.push((*b"HEAD").into());
                }
            }
        }
        methods
    }

    pub(super) fn covered(&mut self, item: &Node, path: &Path<'_>, by: &str) {
        let message = format!("`{}` is covered by {by}", shortened(&item.offending()));
        self.report
            .error(ErrorCode::EntryCovered, path, item.span.clone(), message)
            .fix("remove it".into());
    }
}

/// An origin with a path or a trailing slash after it, without them.
fn origin_fix(text: &str) -> Option<String> {
    let (scheme, rest) = split_scheme(text)?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let fix = format!("{scheme}://{authority}");
    Origin::parse(fix.as_bytes()).is_ok().then_some(fix)
}
