//! From a document of the right shape to its meaning: parses every entry, and refuses those that say nothing.

use std::collections::HashMap;

use super::cases::{Case, to_json, unusable};
use super::diagnostic::{ErrorCode, Position};
use super::node::{Node, Path};
use super::report::Report;
use super::schema::EXPECTATIONS;
use super::shape::{listed, shortened};
use super::{Exempt, Hosts, Mode, Policy};
use crate::authority::{AuthorityError, Port, Scheme};
use crate::host::{HostPattern, HostPatternError, HostSet};
use crate::origin::{FETCH_SITES, OriginSet, Origins};
use crate::peer::{PeerPattern, PeerSet};
use crate::request::{FORWARDED_HEADERS, RequestDocument, is_method};
use crate::route::{Methods, PathPattern, Route, Routes, Selector, Shadows};
use crate::verdict::{Check, Reason};

/// A compiled document without what only the document knows.
pub(crate) struct Parts {
    name: Option<String>,
    mode: Mode,
    explain_to_client: bool,
    hosts: Hosts,
    peers: Option<PeerSet>,
    origins: Origins,
    routes: Option<Routes>,
    cases: Vec<Case>,
}

impl Parts {
    pub(crate) fn into_policy(self, digest: String, file: String, positions: HashMap<String, Position>) -> Policy {
        Policy {
            name: self.name,
            mode: self.mode,
            explain_to_client: self.explain_to_client,
            hosts: self.hosts,
            peers: self.peers,
            origins: self.origins,
            routes: self.routes,
            cases: self.cases,
            digest,
            file,
            positions,
        }
    }
}

pub(crate) struct Compiler<'r, 'a> {
    report: &'r mut Report<'a>,
}

/// A list of hosts, as a set and one by one.
#[derive(Default)]
struct HostList {
    set: HostSet,
    patterns: Vec<HostPattern>,
}

/// A list of peers, as a set and one by one.
#[derive(Default)]
struct PeerList {
    set: PeerSet,
    patterns: Vec<PeerPattern>,
}

impl<'r, 'a> Compiler<'r, 'a> {
    pub(crate) const fn new(report: &'r mut Report<'a>) -> Self {
        Self { report }
    }

    /// Compiles a document that `shape::check` found nothing wrong with. If the report has errors afterwards, the parts mean nothing.
    pub(crate) fn compile(mut self, document: &Node) -> Parts {
        let root = Path::ROOT;
        let peers = document.get("peers").and_then(|peers| peers.get("allow"));
        let peers = peers.map(|peers| self.peers(peers, &root.key("peers").key("allow")));
        let (hosts, allowed) = self.hosts(document.get("hosts"), &root.key("hosts"), peers.as_ref());
        let origins = document
            .get("origins")
            .map_or_else(Origins::default, |origins| self.origins(origins, &root.key("origins")));
        let routes = document
            .get("routes")
            .map(|routes| self.routes(routes, &root.key("routes"), &allowed));
        if let (Some(routes), Some(exempt)) = (&routes, document.get("hosts").and_then(|hosts| hosts.get("exempt"))) {
            self.exempt_routes(&hosts, routes, exempt);
        }
        let cases = document.get("cases").map_or(&[][..], Node::items);
        let cases = cases
            .iter()
            .enumerate()
            .filter_map(|(index, case)| self.case(case, &root.key("cases").index(index)))
            .collect();
        let text = |key| document.get(key).and_then(Node::as_str);
        Parts {
            name: text("name").map(Into::into),
            mode: if text("mode") == Some("report") {
                Mode::Report
            } else {
                Mode::Enforce
            },
            explain_to_client: boolean(document, "explain_to_client", false),
            hosts,
            peers: peers.map(|peers| peers.set),
            origins,
            routes,
            cases,
        }
    }

    fn hosts(&mut self, section: Option<&Node>, path: &Path<'_>, peers: Option<&PeerList>) -> (Hosts, HostList) {
        let get = |key| section.and_then(|section| section.get(key));
        let allow = get("allow").map_or_else(HostList::default, |allow| {
            self.host_list(allow, &path.key("allow"), None)
        });
        let proxy_hosts = get("proxy_hosts").map_or_else(HostList::default, |hosts| {
            self.host_list(hosts, &path.key("proxy_hosts"), Some(&allow.set))
        });
        let trusted = get("trusted_proxies").map_or_else(PeerList::default, |peers| {
            self.peers(peers, &path.key("trusted_proxies"))
        });
        if let Some(node) = get("trusted_proxies") {
            self.reachable(node, &trusted, peers, &path.key("trusted_proxies"));
        }
        let forwarded = get("forwarded").and_then(Node::as_str);
        for (key, other) in [
            ("trusted_proxies", "forwarded"),
            ("forwarded", "trusted_proxies"),
            ("proxy_hosts", "forwarded"),
        ] {
            if let (Some(node), None) = (get(key), get(other)) {
                let message = format!("`{key}` has no effect without `{other}`");
                let fix = format!("add `{other}`, or remove `{key}`");
                self.report
                    .error(ErrorCode::EntryNeverMatches, &path.key(key), node.span.clone(), message)
                    .fix(fix);
            }
        }
        let exempt = get("exempt").map_or(&[][..], Node::items);
        let exempt_path = path.key("exempt");
        let mut exempted = Vec::<Exempt>::new();
        for (index, entry) in exempt.iter().enumerate() {
            let path = exempt_path.index(index);
            if let Some(entry) = self.exempt(entry, &path, peers, &exempted) {
                exempted.push(entry);
            }
        }
        let hosts = Hosts {
            scheme: get("scheme")
                .and_then(Node::as_str)
                .and_then(|scheme| Scheme::parse(scheme.as_bytes())),
            denied_status: match get("denied_status").and_then(Node::as_integer) {
                Some(403) => 403,
                _ => 421,
            },
            trusted_proxies: trusted.set,
            forwarded: FORWARDED_HEADERS.into_iter().find(|header| forwarded == Some(*header)),
            proxy_hosts: proxy_hosts.set,
            exempt: exempted,
            allow: allow.set.clone(),
        };
        (hosts, allow)
    }

    fn exempt(
        &mut self,
        entry: &Node,
        path: &Path<'_>,
        peers: Option<&PeerList>,
        earlier: &[Exempt],
    ) -> Option<Exempt> {
        let (text, from) = (entry.get("path")?, entry.get("from")?);
        let exempt = text.as_str()?.as_bytes();
        let path_path = path.key("path");
        if !exempt.starts_with(b"/")
            || !exempt
                .iter()
                .all(|byte| byte.is_ascii_graphic() && !b"?#*\\".contains(byte))
        {
            let message = format!(
                "`{}` is no exact path of a request target",
                shortened(&text.offending())
            );
            self.report
                .error(ErrorCode::PathMalformed, &path_path, text.span.clone(), message)
                .fix("write a path such as `/healthz`, without query and wildcards".into());
        }
        if earlier.iter().any(|earlier| earlier.path == exempt) {
            let message = format!("`{}` is exempt already", shortened(&text.offending()));
            self.report
                .error(ErrorCode::NameDuplicate, &path_path, text.span.clone(), message)
                .fix("list every peer in the one entry".into());
        }
        let from_path = path.key("from");
        let list = self.peers(from, &from_path);
        self.reachable(from, &list, peers, &from_path);
        Some(Exempt {
            path: exempt.to_vec(),
            from: list.set,
        })
    }

    /// An exempt request has no authority and is a GET: it must find a route.
    fn exempt_routes(&mut self, hosts: &Hosts, routes: &Routes, section: &Node) {
        let root = Path::ROOT;
        let (hosts_path, key) = (root.key("hosts"), "exempt");
        let exempt_path = hosts_path.key(key);
        for (index, (exempt, entry)) in hosts.exempt.iter().zip(section.items()).enumerate() {
            let selector = Selector {
                method: b"GET",
                authority: None,
                default_port: Port::HTTP,
            };
            if let Err(failure) = routes.judge(&exempt.path, selector) {
                let message = format!("the exemption can never matter: {}", failure.detail());
                self.report
                    .error(
                        ErrorCode::EntryNeverMatches,
                        &exempt_path.index(index),
                        entry.span.clone(),
                        message,
                    )
                    .fix("add a route for the path, without `hosts`".into());
            }
        }
    }

    fn host_list(&mut self, list: &Node, list_path: &Path<'_>, before: Option<&HostSet>) -> HostList {
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

    fn host_error(&mut self, error: &HostPatternError, item: &Node, path: &Path<'_>) {
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

    fn peers(&mut self, list: &Node, list_path: &Path<'_>) -> PeerList {
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
                        crate::address::NetworkError::HostBits { network } => format!("write `{network}`"),
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
    fn reachable(&mut self, list: &Node, peers: &PeerList, allowed: Option<&PeerList>, path: &Path<'_>) {
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

    fn origins(&mut self, section: &Node, path: &Path<'_>) -> Origins {
        let defaults = Origins::default();
        let text = |key| section.get(key).and_then(Node::as_str);
        let is_checked = text("check") != Some("off");
        if !is_checked {
            for entry in section.entries().iter().filter(|entry| entry.key != "check") {
                let message = format!("`{}` has no effect with `check = \"off\"`", entry.key);
                self.report
                    .error(
                        ErrorCode::EntryNeverMatches,
                        &path.key(&entry.key),
                        entry.node.span.clone(),
                        message,
                    )
                    .fix("remove it, or switch the check on".into());
            }
        }
        let allow = match section.get("allow") {
            Some(list) => self.origin_list(list, &path.key("allow")),
            None => defaults.allow,
        };
        let fetch_site = match section.get("fetch_site") {
            Some(list) => self.fetch_sites(list, &path.key("fetch_site")),
            None => defaults.fetch_site,
        };
        Origins {
            is_checked,
            allow,
            fetch_site,
            navigate: boolean(section, "navigate", defaults.navigate),
            allows_absent: text("absent") != Some("deny"),
        }
    }

    fn origin_list(&mut self, list: &Node, path: &Path<'_>) -> OriginSet {
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

    fn fetch_sites(&mut self, list: &Node, path: &Path<'_>) -> Vec<&'static str> {
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

    fn routes(&mut self, list: &Node, path: &Path<'_>, allowed: &HostList) -> Routes {
        let mut routes = Vec::new();
        let mut names = HashMap::new();
        let mut shadows = Shadows::default();
        for (index, entry) in list.items().iter().enumerate() {
            let path = path.index(index);
            let Some(route) = self.route(entry, &path, allowed) else {
                continue;
            };
            let mut error = |code, key: &str, message, fix: &str| {
                let span = entry.get(key).map_or(entry.span.clone(), |node| node.span.clone());
                self.report
                    .error(code, &path.key(key), span, message)
                    .fix(fix.to_owned());
            };
            if let Some(earlier) = names.insert(route.route.name.clone(), index) {
                let key = if entry.get("name").is_some() { "name" } else { "path" };
                let message = format!(
                    "routes[{earlier}] has the name `{}` already",
                    shortened(&route.route.name)
                );
                error(ErrorCode::NameDuplicate, key, message, "give this route a `name`");
            }
            if let Some(earlier) = shadows.insert(index, &route.route, &route.host_patterns) {
                let message = format!("routes[{earlier}] already matches every request that this route matches");
                error(
                    ErrorCode::EntryCovered,
                    "path",
                    message,
                    "move this route before that one, or remove it",
                );
            }
            routes.push(route.route);
        }
        Routes::new(routes)
    }

    fn route(&mut self, entry: &Node, path: &Path<'_>, allowed: &HostList) -> Option<CompiledRoute> {
        let text = entry.get("path")?;
        let pattern = match PathPattern::parse(text.as_str()?) {
            Ok(pattern) => pattern,
            Err(error) => {
                let message = format!("`{}` {}", shortened(text.as_str()?), error.as_str());
                self.report
                    .error(ErrorCode::PathMalformed, &path.key("path"), text.span.clone(), message)
                    .fix("write a path such as `/api/*/items` or `/api/**`".into());
                return None;
            }
        };
        let hosts = entry.get("hosts").map(|hosts| {
            let hosts_path = path.key("hosts");
            let list = self.host_list(hosts, &hosts_path, None);
            for (index, (pattern, item)) in list.patterns.iter().zip(hosts.items()).enumerate() {
                let is_reachable = allowed.set.covering(pattern).is_some()
                    || allowed.patterns.iter().any(|other| other.overlaps(pattern));
                if !is_reachable {
                    let message = format!("`{}` is in no entry of hosts.allow", shortened(&item.offending()));
                    self.report
                        .error(
                            ErrorCode::EntryNeverMatches,
                            &hosts_path.index(index),
                            item.span.clone(),
                            message,
                        )
                        .fix("add it to hosts.allow, or remove it here".into());
                }
            }
            list
        });
        let methods = match entry.get("methods") {
            Some(list) => Methods::Listed(self.methods(list, &path.key("methods"))),
            None => Methods::Every,
        };
        if let Some(requirements) = entry.get("require") {
            let path = path.key("require");
            for (index, item) in requirements.items().iter().enumerate() {
                let message = format!(
                    "`{}` names a section that this policy does not have",
                    shortened(&item.offending())
                );
                self.report
                    .error(
                        ErrorCode::ReferenceUnknown,
                        &path.index(index),
                        item.span.clone(),
                        message,
                    )
                    .fix("write `[]`: this version judges host, peer and origin, no signatures or tokens".into());
            }
        }
        let name = entry.get("name").unwrap_or(text).as_str()?.to_owned();
        let (set, host_patterns) = hosts.map_or((None, Vec::new()), |hosts| (Some(hosts.set), hosts.patterns));
        let route = Route {
            name,
            path: pattern,
            methods,
            hosts: set,
        };
        Some(CompiledRoute { route, host_patterns })
    }

    fn methods(&mut self, list: &Node, path: &Path<'_>) -> Vec<Box<[u8]>> {
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

    fn covered(&mut self, item: &Node, path: &Path<'_>, by: &str) {
        let message = format!("`{}` is covered by {by}", shortened(&item.offending()));
        self.report
            .error(ErrorCode::EntryCovered, path, item.span.clone(), message)
            .fix("remove it".into());
    }

    fn known_expectations(&mut self, expect: &Node, path: &Path<'_>) {
        for entry in expect.entries() {
            let (Some(text), Some(known)) = (entry.node.as_str(), known_values(&entry.key)) else {
                continue;
            };
            if !known.contains(&text) {
                let message = format!("`{}` is no {} of a verdict", shortened(text), entry.key);
                self.report
                    .error(
                        ErrorCode::CaseMalformed,
                        &path.key(&entry.key),
                        entry.node.span.clone(),
                        message,
                    )
                    .fix(format!("write {}", listed("or", known.into_iter())));
            }
        }
    }

    fn case(&mut self, case: &Node, path: &Path<'_>) -> Option<Case> {
        let (request, expect) = (case.get("request")?, case.get("expect")?);
        let expect_path = path.key("expect");
        for entry in expect.entries() {
            if !EXPECTATIONS.contains(&entry.key.as_str()) {
                let message = format!(
                    "`{}` is no field of a verdict that a case can expect",
                    shortened(&entry.key)
                );
                self.report
                    .error(
                        ErrorCode::CaseMalformed,
                        &expect_path.key(&entry.key),
                        entry.key_span.clone(),
                        message,
                    )
                    .fix(format!("the fields are {}", listed("and", EXPECTATIONS.into_iter())));
            }
        }
        if expect.entries().is_empty() {
            self.report
                .error(
                    ErrorCode::CaseMalformed,
                    &expect_path,
                    expect.span.clone(),
                    "the case expects nothing".into(),
                )
                .fix("write `decision = \"deny\"` or `decision = \"allow\"`, and a `reason`".into());
        }
        for (part, path) in [(request, path.key("request")), (expect, path.key("expect"))] {
            if let Some(value) = unusable(part) {
                let message = format!(
                    "`{}` is {}, not a string or an integer",
                    shortened(&value.offending()),
                    value.kind()
                );
                self.report
                    .error(ErrorCode::CaseMalformed, &path, value.span.clone(), message);
                return None;
            }
        }
        self.known_expectations(expect, &path.key("expect"));
        let request = match RequestDocument::from_json(to_json(request).to_string().as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request is malformed: {}", error.message());
                self.report.error(
                    ErrorCode::CaseMalformed,
                    &path.key("request"),
                    request.span.clone(),
                    message,
                );
                return None;
            }
        };
        let serde_json::Value::Object(expect) = to_json(expect) else {
            return None;
        };
        Some(Case {
            name: case.get("name")?.as_str()?.to_owned(),
            request,
            expect,
            position: self.report.position(path, &case.span),
        })
    }
}

/// The values that a verdict can have in fields where a misspelt one would only show as a case that fails.
fn known_values(field: &str) -> Option<Vec<&'static str>> {
    match field {
        "decision" => Some(vec!["allow", "deny"]),
        "mode" => Some(vec!["enforce", "report"]),
        "check" => Some(Check::ALL.iter().map(|check| check.as_str()).collect()),
        "reason" | "public_reason" => Some(Reason::ALL.iter().map(|reason| reason.as_str()).collect()),
        _ => None,
    }
}

struct CompiledRoute {
    route: Route,
    host_patterns: Vec<HostPattern>,
}

fn boolean(table: &Node, key: &str, default: bool) -> bool {
    table.get(key).and_then(Node::as_bool).unwrap_or(default)
}

/// An origin with a path or a trailing slash after it, without them.
fn origin_fix(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let fix = format!("{scheme}://{authority}");
    crate::origin::Origin::parse(fix.as_bytes()).is_ok().then_some(fix)
}
