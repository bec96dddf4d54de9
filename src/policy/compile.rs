//! From a document of the right shape to its meaning: parses every entry, and refuses those that say nothing.

#[cfg(feature = "authoring")]
mod cases;
mod egress;
mod keys;
mod lists;
mod requirements;
mod routes;
mod signatures;
#[cfg(feature = "tokens")]
mod tokens;

use lists::{HostList, PeerList};
use requirements::Requirements;

#[cfg(feature = "authoring")]
use super::cases::Case;
use super::diagnostic::ErrorCode;
use super::report::Report;
use super::shape::shortened;
use super::{Exempt, Hosts, Policy};
use crate::authority::Scheme;
use crate::egress::Egress;
use crate::origin::Origins;
use crate::peer::PeerSet;
use crate::place::Position;
use crate::request::{FORWARDED_HEADERS, NamedHeaders};
use crate::route::Routes;
use crate::signature::{ListedComponent, SchemeRules, SignatureSection};
use crate::table::Table;
use crate::tree::{Node, Path};
use crate::verdict::{Mode, Provenance};

/// A compiled document without what only the document knows.
pub(crate) struct Parts {
    name: Option<String>,
    mode: Mode,
    explain_to_client: bool,
    hosts: Hosts,
    peers: Option<PeerSet>,
    origins: Origins,
    routes: Option<Routes>,
    signatures: Vec<SignatureSection>,
    #[cfg(feature = "tokens")]
    tokens: Vec<crate::token::TokenSection>,
    egress: Option<Egress>,
    #[cfg(feature = "authoring")]
    cases: Vec<Case>,
}

impl Parts {
    pub(crate) fn into_policy(self, digest: String, file: String, positions: Table<Position>) -> Policy {
        let named_headers = self.named_headers();
        Policy {
            name: self.name,
            provenance: Provenance {
                mode: self.mode,
                explain_to_client: self.explain_to_client,
                digest,
                file,
                positions,
            },
            hosts: self.hosts,
            peers: self.peers,
            origins: self.origins,
            routes: self.routes,
            named_headers,
            signatures: self.signatures,
            #[cfg(feature = "tokens")]
            tokens: self.tokens,
            egress: self.egress,
            #[cfg(feature = "authoring")]
            cases: self.cases,
        }
    }
}

impl Parts {
    /// The headers that credentials are read from, and those that signatures must cover.
    fn named_headers(&self) -> NamedHeaders {
        let of_section = |section: &'_ SignatureSection| {
            let (listed, headers) = match &section.scheme {
                SchemeRules::Message(rules) => (Some(&rules.components), None),
                other => (None, other.headers()),
            };
            let content_type = (!section.content_types.is_empty()).then_some("content-type");
            let fields = listed.into_iter().flatten().filter_map(ListedComponent::field);
            let names = headers.into_iter().flat_map(crate::signature::HeaderNames::iter);
            fields
                .chain(names)
                .chain(content_type)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        #[cfg_attr(not(feature = "tokens"), expect(unused_mut, reason = "tokens add to it"))]
        let mut names: Vec<_> = self.signatures.iter().flat_map(of_section).collect();
        #[cfg(feature = "tokens")]
        for section in &self.tokens {
            names.push("authorization".to_owned());
            if let crate::token::TokenPlace::Header(name) = &section.from {
                names.push(name.clone());
            }
        }
        NamedHeaders::new(names.iter().map(String::as_str))
    }
}

pub(crate) struct Compiler<'r, 'a> {
    report: &'r mut Report<'a>,
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
        let signatures = document.get("signatures").map_or(Vec::new(), |section| {
            self.signatures(section, &root.key("signatures"), &allowed)
        });
        let egress = document
            .get("egress")
            .map(|egress| self.egress(egress, &root.key("egress")));
        #[cfg(feature = "tokens")]
        let tokens = document.get("tokens").map_or(Vec::new(), |section| {
            self.tokens(section, &root.key("tokens"), egress.as_ref())
        });
        let requirements = Requirements::of(document);
        let routes = document
            .get("routes")
            .map(|routes| self.routes(routes, &root.key("routes"), &allowed, &requirements));
        self.unrequired(document, &requirements);
        if let (Some(routes), Some(exempt)) = (&routes, document.get("hosts").and_then(|hosts| hosts.get("exempt"))) {
            self.exempt_routes(&hosts, routes, exempt);
        }
        #[cfg(feature = "authoring")]
        let cases = document
            .get("cases")
            .map_or_else(Vec::new, |cases| self.cases(cases, &root.key("cases")));
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
            signatures,
            #[cfg(feature = "tokens")]
            tokens,
            egress,
            #[cfg(feature = "authoring")]
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
}

fn boolean(table: &Node, key: &str, default: bool) -> bool {
    table.get(key).and_then(Node::as_bool).unwrap_or(default)
}
